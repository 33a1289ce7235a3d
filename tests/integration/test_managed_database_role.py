# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role groundcrew.ops.managed_database on a cloud of records: main and remove, with clusters made at the same time."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration import checkmode
from tests.integration.do_inprocess import Account

COMMON: dict[str, Any] = {
    "engine": "pg",
    "version": "16",
    "region": "fra1",
    "trusted_sources": [{"ip_addr": "192.0.2.1"}],
    "maintenance_window": {"day": "sunday", "hour": "03:00"},
}
SHOP: dict[str, Any] = {
    **COMMON,
    "name": "role-shop",
    "size": "db-s-1vcpu-2gb",
    "num_nodes": 2,
    "databases": ["shop"],
    "users": ["shop"],
    "pools": [{"name": "shop", "size": 5, "database": "shop", "user": "shop"}],
    "replicas": [{"name": "role-reports", "size": "db-s-1vcpu-2gb"}],
}
CLUSTERS: list[dict[str, Any]] = [SHOP, {**COMMON, "name": "role-second", "size": "db-s-1vcpu-1gb"}]
BOOT = 8.0  # seconds


def playbook(work: Path, verb: str, clusters: list[dict[str, Any]]) -> Path:
    path = work / f"{verb}.yml"
    confirm = [cluster["name"] for cluster in clusters]
    role = {"name": "groundcrew.ops.managed_database", "tasks_from": verb}
    variables = {"managed_database_clusters": clusters, "managed_database_remove_confirm": confirm}
    play = {"name": verb, "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
    path.write_text(json.dumps([{**play, "tasks": [{"name": verb, "ansible.builtin.include_role": role}]}]))
    return path


@pytest.mark.slow  # five playbooks
def test_main_and_remove(account: Account, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text("localhost ansible_python_interpreter={{ansible_playbook_python}}\n")
    env = {**account.env, "SSL_CERT_FILE": os.devnull}

    def clusters() -> list[dict[str, Any]]:
        return account.world.store.all("database")

    def run(verb: str, declared: list[dict[str, Any]], *options: str) -> checkmode.Run:
        done = checkmode.run(playbook(tmp_path, verb, declared), inventory, *options, env=env)
        assert done.rc == 0, done.output[-3000:]
        assert "AVNS_" not in done.output
        return done

    account.control("PUT", "settings", {"boot_seconds": BOOT})
    foretold = run("main", CLUSTERS, "--check")
    assert clusters() == []
    assert run("main", CLUSTERS).changed == foretold.changed
    created = [datetime.fromisoformat(cluster["created_at"]) for cluster in clusters()]
    assert len(created) == len(CLUSTERS)
    assert (max(created) - min(created)).total_seconds() < BOOT, "the second was ordered before the first was online"
    account.control("PUT", "settings", {"boot_seconds": 0.0})
    assert not run("main", CLUSTERS).changed
    assert run("main", [{**cluster, "version": "17", "upgrade": True, "size": "db-s-2vcpu-4gb", "replicas": []} for cluster in CLUSTERS]).changed
    assert {(cluster["version"], cluster["size"], cluster["status"]) for cluster in clusters()} == {("17", "db-s-2vcpu-4gb", "online")}
    assert run("remove", CLUSTERS).changed
    assert clusters() == []
