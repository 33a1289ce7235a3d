# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a backup. Each fault is survived, or the run fails with a reason and makes no backup; either way nothing of it is left after
the next run, and after all of them the first backup restores as before.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import backup, dump, lease, linux, policy, settings, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests import figures
from tests.faults import s3_proxy
from tests.faults.s3_proxy import Rule
from tests.integration import backup_servers

KEY = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
# Random bytes do not compress: the file goes in several parts.
NOISE = """
    SET search_path = public; CREATE EXTENSION pgcrypto; CREATE TABLE public.noise AS SELECT n, gen_random_bytes(1000) AS b FROM generate_series(1, 10000) n;
    CREATE TABLE public.orders AS SELECT n AS id, md5(n::text) AS item FROM generate_series(1, 2000) n; CREATE TABLE public.empty (id int PRIMARY KEY);
    SELECT lo_from_bytea(0, decode(repeat(md5(n::text), 100), 'hex')) FROM generate_series(1, 20) n;
"""
OUTCOMES: list[tuple[str, bool]] = []


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


@pytest.fixture(scope="module")
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
        params.update(login_db="shop", staging_dir=str(tmp_path_factory.mktemp("staging")), lock_timeout=1, stall_seconds=5.0)
        with Session(settings.database(params)) as session:
            session.rows(NOISE)
        yield World(params, proxy)


@dataclass(frozen=True)
class Fault:
    """said: what the error says; None for a fault that is survived. more: options of the run."""

    name: str
    said: str | None
    inject: Callable[[World, pytest.MonkeyPatch], Any]
    slow: bool = False
    more: tuple[tuple[str, Any], ...] = ()


def store_does(*rules: tuple[str, Callable[[str], bool], str, int | None], **more: Any) -> Callable[[World, pytest.MonkeyPatch], None]:
    def inject(world: World, _patch: pytest.MonkeyPatch) -> None:
        world.proxy.rules = [Rule(method, matches, act, times, **more) for method, matches, act, times in rules]

    return inject


def once_dumping(act: Callable[[World, dump.Child], None]) -> Callable[[World, pytest.MonkeyPatch], None]:
    """Do something when pg_dump copies a table, while the store takes its time."""

    def inject(world: World, patch: pytest.MonkeyPatch) -> None:
        start = dump.start_dump

        def started(*arguments: Any, **more: Any) -> dump.Child:
            child = start(*arguments, **more)
            threading.Thread(target=when_copying, args=(child,), daemon=True).start()
            return child

        def when_copying(child: dump.Child) -> None:
            while not child.ended:
                if world.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%'"):
                    child.pause()
                    act(world, child)
                    child.resume()
                    return
                time.sleep(0.005)

        patch.setattr(dump, "start_dump", started)

    return inject


def kill_dump(_world: World, child: dump.Child) -> None:
    os.kill(child._process.pid, signal.SIGKILL)


def end_backends(world: World, _child: dump.Child) -> None:
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")


def end_truth(world: World, patch: pytest.MonkeyPatch) -> None:
    start = dump.start_dump

    def started(*arguments: Any, **more: Any) -> dump.Child:
        world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%pg_export_snapshot%%' AND pid <> pg_backend_pid()")
        return start(*arguments, **more)

    patch.setattr(dump, "start_dump", started)


def no_holes(_world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(linux, "can_punch", lambda _folder: False)


def no_holes_and_little_room(world: World, patch: pytest.MonkeyPatch) -> None:
    no_holes(world, patch)
    patch.setattr(backup.Limits, "require", lambda *_arguments: None)
    world.proxy.rules = [Rule("PUT", s3_proxy.part, "slow", seconds=2.0)]


def foreign_lease(world: World, *, released: bool) -> None:
    document = {"owner": "another host, process 1", "kernel": "another", "process": 1, "purpose": "x", "number": 7, "life": 3600.0, "released": released}
    store = settings.store(world.params)
    key = next(item.key for item in store.listing(world.params["prefix"] + "/") if item.key.endswith(policy.LEASE))
    store.put(key, json.dumps(document).encode())


def lease_elsewhere(world: World, _patch: pytest.MonkeyPatch) -> None:
    foreign_lease(world, released=False)


def lease_lost(world: World, patch: pytest.MonkeyPatch) -> None:
    """As if this run had been paused for longer than its lease lasts, and another had begun meanwhile, just before the manifest."""
    require, seen = lease.Lease.require, list[lease.Lease]()

    def taken_over(self: lease.Lease) -> None:
        if not seen:
            seen.append(self)
            lease_elsewhere(world, patch)
        require(self)

    patch.setattr(lease.Lease, "require", taken_over)


def lease_lost_after(world: World, patch: pytest.MonkeyPatch) -> None:
    """The same between the manifest and the look that follows it."""
    require, seen = lease.Lease.require, list[lease.Lease]()

    def taken_over(self: lease.Lease) -> None:
        seen.append(self)
        if len(seen) == 2:
            lease_elsewhere(world, patch)
        require(self)

    patch.setattr(lease.Lease, "require", taken_over)


@contextmanager
def locked(world: World, statement: str) -> Iterator[None]:
    with Session(settings.database(world.params)) as session:
        session.rows("BEGIN")
        session.rows(statement)
        yield
        session.rows("ROLLBACK")


def migration(statement: str) -> Callable[[World, pytest.MonkeyPatch], Any]:
    return lambda world, _patch: locked(world, statement)


# The option changes nothing; it tells the faults in which another host has taken the lease.
FOREIGN = (("roles", True),)
FAULTS = (
    Fault("the store is busy twice", None, store_does(("PUT", s3_proxy.data, "error", 2)), slow=True),
    Fault("a connection is reset in a part", None, store_does(("PUT", s3_proxy.part, "reset", 1))),
    Fault("the answer to a part is lost", None, store_does(("PUT", s3_proxy.part, "lost", 1)), slow=True),
    Fault("the answer to the beginning of an upload is lost", None, store_does(("POST", s3_proxy.begin, "lost", 1)), slow=True),
    Fault("the answer to the end of an upload is lost", None, store_does(("POST", s3_proxy.completion, "lost", 1))),
    Fault("the answer to the manifest is lost", None, store_does(("PUT", s3_proxy.manifest, "lost", 1))),
    Fault("200 with an error body once", None, store_does(("POST", s3_proxy.completion, "error", 1), status=200, code="InternalError")),
    Fault("a file system without holes", None, no_holes, slow=True),
    Fault("the store stays busy", "SlowDown", store_does(("PUT", s3_proxy.part, "error", None)), slow=True),
    Fault(
        "200 with an error body, always", "InternalError", store_does(("POST", s3_proxy.completion, "error", None), status=200, code="InternalError"), slow=True
    ),
    Fault("the credentials expire", "renew them", store_does(("PUT", s3_proxy.part, "error", None), status=400, code="ExpiredToken")),
    Fault("the bucket goes away", "Create the bucket", store_does(("PUT", s3_proxy.data, "error", None), status=404, code="NoSuchBucket"), slow=True),
    Fault("the manifest is refused", "AccessDenied", store_does(("PUT", s3_proxy.manifest, "error", None), status=403, code="AccessDenied")),
    Fault("the store does not answer", "Nothing moved for", store_does(("PUT", s3_proxy.part, "slow", None), seconds=30.0), slow=True),
    Fault("pg_dump is killed", "exit code -9", once_dumping(kill_dump)),
    Fault("pg_dump's server processes are ended", "terminating connection|server closed", once_dumping(end_backends), slow=True),
    Fault("the session with the snapshot is ended", "terminat|closed|snapshot", end_truth),
    Fault("a migration that does not end", "lock timeout", migration("LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE"), slow=True),
    Fault("another host has the lease", "Another run holds", lease_elsewhere, more=FOREIGN, slow=True),
    Fault("the lease was lost before the manifest", "it is given up", lease_lost, more=FOREIGN, slow=True),
    Fault("the lease was lost after the manifest", "it is given up", lease_lost_after, more=FOREIGN),
    Fault("no holes and little room", "gives no space back", no_holes_and_little_room, more=(("staging_mib", 4),)),
)


def check(world: World, fault: Fault) -> None:
    before = world.backups()
    with pytest.MonkeyPatch.context() as patch:
        held = fault.inject(world, patch)
        try:
            with held if held is not None else nullcontext():
                if fault.said is None:
                    world.back_up(**dict(fault.more))
                else:
                    with pytest.raises(OpsError, match=fault.said) as caught:
                        world.back_up(**dict(fault.more))
                    assert "Traceback" not in caught.value.message
        finally:
            world.proxy.rules = []
    made = [backup_id for backup_id in world.backups() if backup_id not in before]
    if fault.said is None:
        assert world.restore(made[0])["verdict"] == "equal"
        assert not world.left()
        return
    assert not made, "a run that failed made a backup"
    if fault.name != "another host has the lease":  # that one had not begun
        assert re.search(fault.said, world.reasons()), "the reason is not on record"
    if fault.more == FOREIGN:
        foreign_lease(world, released=True)  # whoever it was has ended
    newer = world.back_up()["backup_id"]
    assert not world.left()
    assert world.backups() == [*before, newer]


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.slow else []) for one in FAULTS])
def test_fault(world: World, fault: Fault) -> None:
    OUTCOMES.append((fault.name, False))
    check(world, fault)
    OUTCOMES[-1] = (fault.name, True)


DAMAGE = {
    "flip": lambda content: content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 4]) + content[len(content) // 2 + 1 :],
    "cut": lambda content: content[: len(content) // 2],
    "swap": lambda content: bytes(reversed(content)),
}


@pytest.mark.parametrize("kind", ["flip", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("cut", "swap"))])
def test_damage_is_named_before_anything_is_restored(world: World, kind: str) -> None:
    OUTCOMES.append((kind, False))
    s3 = backup_servers.client(world.params)
    keys = [item.key for item in settings.store(world.params).listing(world.params["prefix"] + "/") if f"/{world.older}/" in item.key]
    for key in keys:
        whole = s3.get_object(Bucket="backups", Key=key)["Body"].read()
        s3.put_object(Bucket="backups", Key=key, Body=DAMAGE[kind](whole))
        try:
            with pytest.raises(OpsError, match=r"damaged|tampered|has \d+ bytes|cannot be restored"):
                world.restore(world.older)
        finally:
            s3.put_object(Bucket="backups", Key=key, Body=whole)
        assert not world.sql("SELECT 1 FROM pg_database WHERE datname = 'restored'")
    assert world.restore(world.older)["verdict"] == "equal"
    OUTCOMES[-1] = (kind, True)


def test_what_arrives_cut_is_not_restored(world: World) -> None:
    OUTCOMES.append(("an answer cut short", False))
    for act in ("cut", "flip"):
        world.proxy.rules = [Rule("GET", s3_proxy.data, act)]
        try:
            with pytest.raises(OpsError):
                world.restore(world.older)
        finally:
            world.proxy.rules = []
    assert world.restore(world.older)["verdict"] == "equal"
    OUTCOMES[-1] = ("an answer cut short", True)


def kill_at_random(world: World, seed: int) -> None:
    """The whole run ends by SIGKILL at some moment; the next one cleans up."""
    before = world.backups()
    program = "import json, sys; from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings\n"
    program += "operation = settings.backup(json.load(sys.stdin)); planned = operation.plan(); print('go', flush=True); operation.apply(planned)"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(world.params))
    process.stdin.close()
    assert process.stdout.readline() == "go\n"
    time.sleep(random.Random(seed).uniform(0.1, 2.5))
    process.kill()
    process.wait()
    process.stdout.close()
    made = [one for one in world.backups() if one not in before]
    for backup_id in made:  # it was killed after its manifest
        assert world.restore(backup_id)["verdict"] == "equal"
    deadline = time.monotonic() + 15
    while world.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") and time.monotonic() < deadline:
        time.sleep(0.1)
    newer = world.back_up()["backup_id"]
    assert world.backups() == [*before, *made, newer]
    assert not world.left()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 16))])
def test_a_kill_at_any_moment_leaves_nothing_behind(world: World, seed: int) -> None:
    OUTCOMES.append((f"kill {seed}", False))
    kill_at_random(world, seed)
    OUTCOMES[-1] = (f"kill {seed}", True)


def test_the_controls_are_red_and_the_figure_is_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the comparison with the manifest a changed object reaches the database; without the lease a run that lost it makes a backup."""
    started = time.monotonic()
    before = world.backups()
    with monkeypatch.context() as patch:
        patch.setattr(lease.Lease, "require", lambda _self: lease_elsewhere(world, patch))
        world.back_up()
    silent = len(world.backups()) - len(before)
    with monkeypatch.context() as patch:
        patch.setattr(policy, "check_object", lambda *_arguments: None)
        s3 = backup_servers.client(world.params)
        key = next(item.key for item in settings.store(world.params).listing(world.params["prefix"] + "/") if f"/{world.older}/{policy.GLOBALS}" in item.key)
        whole = s3.get_object(Bucket="backups", Key=key)["Body"].read()
        s3.put_object(Bucket="backups", Key=key, Body=whole.replace(b"CREATE ROLE", b"CREATE R0LE"))
        silent += world.restore(world.older)["verdict"] == "equal"
        s3.put_object(Bucket="backups", Key=key, Body=whole)
    assert silent == 2
    assert world.restore(world.older)["verdict"] == "equal", "after all of it the first backup is what it was"
    broken = [name for name, held in OUTCOMES if not held]
    control = {"what": "without the manifest's hashes and without the lease, faults that pass unseen", "value": silent, "red": silent > 0}
    figures.record(
        "backup.faults", len(broken), of=len(OUTCOMES), unit="faults", target="== 0", seconds=time.monotonic() - started, command="make faults", control=control
    )
    assert not broken
