# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with a backup in a store behind a proxy, and what became of the faults around it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, settings, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from tests.faults import s3_proxy
from tests.integration import backup_servers

KEY = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
# Random bytes do not compress: the file goes in several parts.
NOISE = """
    SET search_path = public; CREATE EXTENSION pgcrypto; CREATE TABLE public.noise AS SELECT n, gen_random_bytes(1000) AS b FROM generate_series(1, 10000) n;
    CREATE TABLE public.orders AS SELECT n AS id, md5(n::text) AS item FROM generate_series(1, 2000) n; CREATE TABLE public.empty (id int PRIMARY KEY);
    SELECT lo_from_bytea(0, decode(repeat(md5(n::text), 100), 'hex')) FROM generate_series(1, 20) n;
"""
# Each fault by name: whether all held that has to.
OUTCOMES: dict[str, bool] = {}


@contextmanager
def outcome(name: str) -> Iterator[None]:
    OUTCOMES[name] = False
    yield
    OUTCOMES[name] = True


class World:
    """A database with one backup, behind a proxy that does as it is told."""

    def __init__(self, params: dict[str, Any], proxy: s3_proxy.Proxy) -> None:
        self.params = params
        self.proxy = proxy
        self.older = self.back_up()["backup_id"]

    def back_up(self, **more: Any) -> dict[str, Any]:
        operation = settings.backup({**self.params, **more})
        return dict(operation.apply(operation.plan())["backup"])

    def restore(self, backup_id: str, **more: Any) -> dict[str, Any]:
        there = {"login_db": "postgres", "database": self.params["login_db"], "target_database": "restored", "backup_id": backup_id, "drop_after": True}
        operation = settings.restore({**self.params, **there, **more})
        return dict(operation.apply(operation.plan())["restore"])

    def sql(self, text: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with Session(settings.database({**self.params, "login_db": database or self.params["login_db"]})) as session:
            return session.rows(text)

    def backups(self) -> list[str]:
        return [one["backup_id"] for one in upkeep.information(self.params)["backups"]]

    def keys(self, backup_id: str) -> list[str]:
        return [item.key for item in settings.store(self.params).listing(self.params["prefix"] + "/") if f"/{backup_id}/" in item.key]

    def left(self) -> set[str]:
        """What lies in the store and on disk that belongs to no backup and is no record of a failure."""
        store = settings.store(self.params)
        folders = {item.key.split("/")[4] for item in store.listing(self.params["prefix"] + "/")} - {policy.LEASE, "failed", *self.backups()}
        uploads = {"unfinished uploads"} if store.abort_uploads(self.params["prefix"]) else set()
        staged = {path.name for path in Path(self.params["staging_dir"]).iterdir() if path.name.startswith("groundcrew")}
        return folders | uploads | staged

    def reasons(self) -> str:
        store = settings.store(self.params)
        keys = [item.key for item in store.listing(self.params["prefix"] + "/") if "/failed/" in item.key]
        return " ".join(json.loads(store.get(key) or b"{}")["reason"] for key in keys)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        backup_servers.folder() as folder,
        backup_servers.postgres(folder) as database,
        backup_servers.seaweed(folder) as store,
        s3_proxy.proxy(store["endpoint_url"]) as proxy,
    ):
        params = {**database, **store, "endpoint_url": proxy.url, "prefix": "faults", "signing_key": KEY}
        with Session(settings.database(params)) as session:
            session.rows("CREATE DATABASE shop")
        params.update(login_db="shop", staging_dir=str(tmp_path_factory.mktemp("staging")), lock_timeout=1, stall_seconds=15.0)
        with Session(settings.database(params)) as session:
            session.rows(NOISE)
        yield World(params, proxy)


def foreign_lease(world: World, *, released: bool) -> None:
    document = {"owner": "another host, process 1", "kernel": "another", "process": 1, "purpose": "x", "number": 7, "life": 3600.0, "released": released}
    store = settings.store(world.params)
    key = next(item.key for item in store.listing(world.params["prefix"] + "/") if item.key.endswith(policy.LEASE))
    store.put(key, json.dumps(document).encode())
