# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of records: served over HTTP, with states that change by time, and no container behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.records import Served, serving

DROPLET = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}
CLUSTER = {"name": "main", "engine": "pg", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, boot_seconds=0.2) as served:
        yield served


def ask(cloud: Served, method: str, path: str, body: Any = None) -> Any:
    status, answer = cloud.request(method, path, body)
    assert status < 300, answer
    return answer


def statuses(cloud: Served) -> set[str]:
    return {each["status"] for each in ask(cloud, "GET", "/v2/droplets?per_page=200")["droplets"]}


def test_a_fleet_boots_by_time_all_at_once(cloud: Served) -> None:
    for batch in range(3):
        ask(cloud, "POST", "/v2/droplets", {**DROPLET, "names": [f"w-{batch}-{number}" for number in range(10)]})
    assert statuses(cloud) == {"new"}
    time.sleep(0.2)
    assert statuses(cloud) == {"active"}


def test_addresses_are_of_loopback_and_not_given_twice(cloud: Served) -> None:
    ask(cloud, "POST", "/v2/droplets", {**DROPLET, "names": ["a", "b"]})
    addresses = {each["address"] for each in cloud.world.store.all("droplet")}
    assert len(addresses) == 2
    assert all(address.startswith("127.") for address in addresses)


def test_actions_and_databases_are_records_too(cloud: Served) -> None:
    made = ask(cloud, "POST", "/v2/droplets", {**DROPLET, "name": "one"})["droplet"]["id"]
    cluster = ask(cloud, "POST", "/v2/databases", CLUSTER)["database"]["id"]
    time.sleep(0.2)
    actions = f"/v2/droplets/{made}/actions"
    ask(cloud, "POST", actions, {"type": "power_off"})
    assert statuses(cloud) == {"off"}
    assert [each["status"] for each in ask(cloud, "GET", actions)["actions"]] == ["completed", "completed"]
    assert ask(cloud, "GET", f"/v2/databases/{cluster}")["database"]["status"] == "online"
    ask(cloud, "POST", f"/v2/databases/{cluster}/users", {"name": "app"})
    ask(cloud, "DELETE", f"/v2/databases/{cluster}")
    ask(cloud, "DELETE", f"/v2/droplets/{made}")
    assert ask(cloud, "GET", "/v2/droplets")["droplets"] == []
    assert cloud.world.store.all("removal") == []


def test_a_reset_forgets_all_but_its_settings(cloud: Served) -> None:
    ask(cloud, "POST", "/v2/droplets", {**DROPLET, "name": "one"})
    cloud.control("PUT", "settings", {"latency_seconds": 1.0})
    cloud.world.reset()
    assert statuses(cloud) == set()
    assert cloud.control("GET", "settings") | {"latency_seconds": 0.0, "boot_seconds": 0.2} == cloud.control("GET", "settings")
