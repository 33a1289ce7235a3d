# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DigitalOcean modules in plays of their own, with real hosts and servers behind the API. What needs neither is proven in one process, in test_do_*.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

DROPLET = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
FLEET = {"fleet_tag": "mx-fleet", "name_prefix": "mx", "count": 1, "tags": ["mx-a"], **DROPLET}
CLUSTER = {"name": "mx-pg", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "region": "fra1", "trusted_sources": [{"tag": "mx-none-has-it-yet"}]}

# module, arguments that find it, arguments of the first state, changes one after the other
MATRIX: list[tuple[str, dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = [
    ("do_vpc", {"name": "mx-vpc"}, {"region": "fra1"}, [{"description": "changed"}]),
    (
        "do_droplet",
        {"fleet_tag": "mx-fleet", "name_prefix": "mx"},
        {key: FLEET[key] for key in ("count", "tags", *DROPLET)},
        [{"tags": ["mx-b"], "backups": True, "count": 2}, {"size": "s-1vcpu-2gb", "resize": True, "count": 1}],
    ),
    (
        "do_database_cluster",
        {"name": "mx-pg"},
        {key: value for key, value in CLUSTER.items() if key != "name"},
        [{"trusted_sources": [{"ip_addr": "192.0.2.1"}]}, {"maintenance_window": {"day": "sunday", "hour": "03:00"}}, {"size": "db-s-1vcpu-2gb"}],
    ),
]


def both(cloud: Any, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Dry run, then run: the second does what the first said. Returns the run's result."""
    said = cloud.module(f"groundcrew.ops.{module}", arguments, check=True)
    assert not said.get("failed"), said
    done = cloud.module(f"groundcrew.ops.{module}", arguments)
    assert not done.get("failed"), done
    assert said["changed"] == done["changed"]
    assert said["diff"] == done["diff"]
    return done


@pytest.mark.parametrize(("module", "found", "first", "changes"), MATRIX, ids=[f"{row[0]}-{number}" for number, row in enumerate(MATRIX)])
def test_matrix(cloud: Any, module: str, found: dict[str, Any], first: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    state = {**found, **first}
    try:
        assert both(cloud, module, state)["changed"]
        assert not both(cloud, module, state)["changed"]
        for change in changes:
            state = {**state, **change}
            assert both(cloud, module, state)["changed"], change
            assert not cloud.module(f"groundcrew.ops.{module}", state, check=True)["changed"], change
    finally:
        gone = {**found, "state": "absent", **({"name": state["name"]} if "name" in state else {})}
        removed = both(cloud, module, gone)
    assert removed["changed"]
    assert not both(cloud, module, gone)["changed"]


@pytest.fixture
def cluster(cloud: Any) -> Iterator[dict[str, Any]]:
    arguments = {**CLUSTER, "name": "mx-parent"}
    try:
        yield both(cloud, "do_database_cluster", arguments)["database_cluster"]
    finally:
        both(cloud, "do_database_cluster", {"name": "mx-parent", "state": "absent"})


def test_databases_and_users_of_a_cluster(cloud: Any, cluster: dict[str, Any]) -> None:
    for module in ("do_database", "do_database_user"):
        arguments = {"cluster": cluster["name"], "name": "mx_shop"}
        assert both(cloud, module, arguments)["changed"]
        result = both(cloud, module, arguments)
        assert not result["changed"]
        assert "password" not in str(result).lower()
        assert both(cloud, module, {**arguments, "state": "absent"})["changed"]
        assert not both(cloud, module, {**arguments, "state": "absent"})["changed"]
    listed = cloud.module("groundcrew.ops.do_database_cluster_info", {"name": cluster["name"]})["database_clusters"]
    assert [each["id"] for each in listed] == [cluster["id"]]
    held = cloud.request("GET", f"/v2/databases/{cluster['id']}")[1]["database"]["connection"]["password"]
    assert held not in str(listed) + str(cluster)


def test_a_database_of_a_cluster_that_is_still_to_come_can_be_planned_but_not_made(cloud: Any) -> None:
    arguments = {"cluster": "mx-nowhere", "name": "shop"}
    assert cloud.module("groundcrew.ops.do_database", arguments, check=True)["changed"]
    assert "does not exist" in cloud.module("groundcrew.ops.do_database", arguments)["msg"]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"region": "moon1"}, "region 'moon1'"), ({"size": "huge"}, "size 'huge'"), ({"image": "nope"}, "image 'nope'"), ({"ssh_keys": ["nobody"]}, "nobody")],
)
def test_what_cannot_be_ordered_is_said_and_nothing_is_made(cloud: Any, change: dict[str, Any], said: str) -> None:
    result = cloud.module("groundcrew.ops.do_droplet", {**FLEET, **change})
    assert result["failed"] and said in result["msg"]
    assert cloud.module("groundcrew.ops.do_droplet_info", {"tag": "mx-fleet"})["droplets"] == []


def test_a_wrong_token_names_the_variable(cloud: Any) -> None:
    result = cloud.module("groundcrew.ops.do_droplet", FLEET, env={"DIGITALOCEAN_TOKEN": "dop_v1_" + "0" * 64})
    assert result["failed"] and "DIGITALOCEAN_TOKEN" in result["msg"]


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 1}], ids=["answer lost", "503", "429"])
def test_a_fault_at_the_creation_makes_neither_two_nor_none(cloud: Any, fault: dict[str, Any]) -> None:
    cloud.control("POST", "faults", {"method": "POST", "path": "/v2/droplets", **fault})
    try:
        result = cloud.module("groundcrew.ops.do_droplet", FLEET)
        assert not result.get("failed"), result
        assert len(cloud.module("groundcrew.ops.do_droplet_info", {"tag": "mx-fleet"})["droplets"]) == 1
    finally:
        both(cloud, "do_droplet", {"fleet_tag": "mx-fleet", "name_prefix": "mx", "state": "absent"})
