# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed databases, module by module, on a cloud of records: check, do, check again, do again, change each field, remove, remove again."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.constants import config
from ansible.errors import AnsibleError

from ansible_collections.groundcrew.ops.plugins.lookup import do_database
from tests.integration.do_inprocess import Account

ORDER = {"engine": "pg", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
CLUSTER = {"name": "mx-pg", "version": "16", "trusted_sources": [{"ip_addr": "192.0.2.1"}], **{key: ORDER[key] for key in ("engine", "size", "region")}}
IN = {"cluster": "mx-parent"}
WINDOW = {"day": "sunday", "hour": "03:00"}

# module, arguments that find it, arguments of the first state, changes one after the other
MATRIX: list[tuple[str, dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = [
    (
        "do_database_cluster",
        {"name": "mx-pg"},
        {key: value for key, value in CLUSTER.items() if key != "name"},
        [
            {"trusted_sources": [{"ip_addr": "192.0.2.0/28"}, {"tag": "mx-nothing-has-it-yet"}]},
            {"maintenance_window": WINDOW},
            {"size": "db-s-1vcpu-2gb"},
            {"num_nodes": 2},
            {"storage_size_mib": 40960},
            {"version": "17", "upgrade": True},
            {"size": "db-s-2vcpu-4gb", "storage_size_mib": 61440, "num_nodes": 3, "trusted_sources": []},
        ],
    ),
    ("do_database", {**IN, "name": "mx_shop"}, {}, []),
    ("do_database_user", {**IN, "name": "mx_shop"}, {}, [{"replication": True}, {"replication": False}]),
    (
        "do_database_pool",
        {**IN, "name": "mx-pool"},
        {"size": 5, "database": "defaultdb"},
        [{"mode": "session"}, {"size": 6}, {"database": "other"}, {"user": "somebody"}],
    ),
    ("do_database_replica", {**IN, "name": "mx-replica"}, {"size": "db-s-1vcpu-1gb"}, [{"size": "db-s-1vcpu-2gb"}, {"storage_size_mib": 40960}]),
]


def order(account: Account, **changes: Any) -> dict[str, Any]:
    """A cluster that is online, made without a module."""
    status, answer = account.request("POST", "/v2/databases", {"name": "mx-parent", **ORDER, **changes})
    assert status == 201, answer
    return dict(account.request("GET", f"/v2/databases/{answer['database']['id']}")[1]["database"])


@pytest.fixture
def parent(account: Account) -> dict[str, Any]:
    made = order(account)
    for what, name in (("dbs", "other"), ("users", "somebody")):
        assert account.request("POST", f"/v2/databases/{made['id']}/{what}", {"name": name})[0] == 201
    return made


@pytest.mark.parametrize(("module", "found", "first", "changes"), MATRIX, ids=[row[0] for row in MATRIX])
def test_matrix(account: Account, parent: dict[str, Any], module: str, found: dict[str, Any], first: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    state = {**found, **first}
    assert account.both(module, state)["changed"]
    assert not account.both(module, state)["changed"]
    for change in changes:
        state |= change
        assert account.both(module, state)["changed"], change
        assert not account.both(module, state)["changed"], change
    held = account.module(f"{module}_info", found)
    assert len(held[f"{module.removeprefix('do_')}s"]) == 1
    assert "AVNS_" not in str(held)
    assert account.both(module, {**found, "state": "absent"})["changed"]
    assert not account.both(module, {**found, "state": "absent"})["changed"]
    assert account.module(f"{module}_info", found)[f"{module.removeprefix('do_')}s"] == []


def test_a_cluster_is_never_open_to_everybody_and_shows_no_password(account: Account) -> None:
    result = account.both("do_database_cluster", {**CLUSTER, "maintenance_window": WINDOW, "num_nodes": 2, "size": "db-s-1vcpu-2gb"})
    cluster = result["database_cluster"]
    assert (cluster["status"], cluster["maintenance_window"], cluster["trusted_sources"]) == ("online", WINDOW, ["ip_addr:192.0.2.1"])
    assert cluster["standby_host"] not in (None, cluster["host"])
    assert not any("/firewall" in call for call in account.writes()), "the rules come with the creation"
    assert "AVNS_" not in str(result)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "15"}, "no way back to 15"),
        ({"version": "17"}, "upgrade=true"),
        ({"storage_size_mib": 1024}, "storage_size_mib 10240; it only grows"),
        ({"engine": "valkey"}, "engine pg, not valkey"),
        ({"region": "ams3"}, "region fra1, not ams3"),
        ({"tags": ["new"]}, "tags"),
        ({"num_nodes": 2}, "num_nodes (2)"),
        ({"size": "db-huge"}, "size ('db-huge')"),
        ({"trusted_sources": [{"droplet": "nobody"}]}, "nobody does not exist"),
        ({"vpc": "nowhere"}, "vpc"),
    ],
)
def test_a_change_that_cannot_be_made_names_its_field_and_changes_nothing(account: Account, change: dict[str, Any], said: str) -> None:
    account.both("do_database_cluster", CLUSTER)
    before = account.request("GET", "/v2/databases")[1]
    refused = account.module("do_database_cluster", {**CLUSTER, **change})
    assert refused["failed"] and said in refused["msg"], refused
    assert account.request("GET", "/v2/databases")[1] == before


def test_a_change_takes_its_time_and_is_waited_for(account: Account) -> None:
    account.both("do_database_cluster", CLUSTER)
    account.control("PUT", "settings", {"boot_seconds": 0.5})
    begun = account.module("do_database_cluster", {**CLUSTER, "size": "db-s-1vcpu-2gb", "wait": False})
    assert (begun["changed"], begun["database_cluster"]["status"]) == (True, "resizing")
    done = account.module("do_database_cluster", {**CLUSTER, "version": "17", "upgrade": True, "size": "db-s-1vcpu-2gb"})
    assert (done["database_cluster"]["status"], done["database_cluster"]["version"], done["database_cluster"]["storage_size_mib"]) == ("online", "17", 30720)


def test_clusters_that_are_not_waited_for_are_made_at_once_and_finished_by_the_run_that_waits(account: Account) -> None:
    account.control("PUT", "settings", {"boot_seconds": 1.0})
    names = ["mx-one", "mx-two", "mx-three"]
    for name in names:
        made = account.both("do_database_cluster", {**CLUSTER, "name": name, "maintenance_window": WINDOW, "wait": False})
        assert made["changed"] and made["database_cluster"]["status"] == "creating"
    for name in names:
        arguments = {**CLUSTER, "name": name, "maintenance_window": WINDOW}
        assert account.module("do_database_cluster", arguments)["database_cluster"]["maintenance_window"] == WINDOW
        assert not account.both("do_database_cluster", arguments)["changed"]


def test_a_fork_holds_what_its_source_held(account: Account, parent: dict[str, Any]) -> None:
    fork = {**CLUSTER, "name": "mx-fork", "version": "17", "restore_from": {"cluster": "mx-parent", "at": parent["created_at"]}}
    assert account.both("do_database_cluster", fork)["changed"]
    assert not account.both("do_database_cluster", fork)["changed"]
    assert {each["name"] for each in account.module("do_database_info", {"cluster": "mx-fork"})["databases"]} == {"defaultdb", "other"}
    for source, said in (({"cluster": "nowhere"}, "nowhere"), ({"cluster": "mx-parent", "at": "2001-01-01T00:00:00Z"}, "backup_created_at")):
        refused = account.module("do_database_cluster", {**fork, "name": "mx-fork-2", "restore_from": source})
        assert refused["failed"] and said in refused["msg"]


def test_a_password_is_returned_when_asked_for_and_changed_when_asked_for(account: Account, parent: dict[str, Any]) -> None:
    user = {**IN, "name": "mx_shop"}
    assert "AVNS_" not in str(account.both("do_database_user", user))
    told = account.both("do_database_user", {**user, "return_password": True})
    assert not told["changed"]
    path = f"/v2/databases/{parent['id']}/users/mx_shop"
    held = account.request("GET", path)[1]["user"]["password"]
    assert told["database_user"]["password"] == held
    shown = account.module("do_database_user", {**user, "return_password": True, "_ansible_no_log": False})
    assert shown["failed"] and "no_log=true" in shown["msg"] and held not in str(shown)
    fresh = account.both("do_database_user", {**user, "reset_password": True, "return_password": True})
    assert fresh["changed"] and fresh["database_user"]["password"] not in (held, None)
    assert account.request("GET", path)[1]["user"]["password"] == fresh["database_user"]["password"]
    account.control("POST", "faults", {"method": "POST", "path": "*/reset_auth", "drop": True})
    assert account.module("do_database_user", {**user, "reset_password": True})["changed"]
    assert account.calls()[f"POST {path}/reset_auth"] == 2, "a reset whose answer got lost is not repeated"


def test_the_lookup_tells_a_field_and_a_wrong_token_names_the_variable(account: Account, parent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in account.env.items():
        monkeypatch.setenv(name, value)
    name = "groundcrew.ops.do_database"
    config.initialize_plugin_configuration_definitions("lookup", name, yaml.safe_load(do_database.DOCUMENTATION)["options"])
    lookup = do_database.LookupModule()
    lookup._load_name = name
    assert lookup.run(["mx-parent"], {}, field="host") == [parent["connection"]["host"]]
    [uri] = lookup.run(["mx-parent"], {}, field="uri", user="somebody", database="other")
    assert uri.startswith("postgresql://somebody:") and "/other" in uri
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_" + "0" * 64)
    with pytest.raises(AnsibleError, match="DIGITALOCEAN_TOKEN"):
        lookup.run(["mx-parent"], {}, field="host")


def test_a_replica_is_promoted_once(account: Account, parent: dict[str, Any]) -> None:
    replica = {**IN, "name": "mx-replica"}
    made = account.both("do_database_replica", {**replica, "size": "db-s-1vcpu-1gb"})["database_replica"]
    account.control("POST", "faults", {"method": "PUT", "path": "*/promote", "drop": True})
    promoted = account.both("do_database_promote", replica)
    assert promoted["changed"] and promoted["database_cluster"]["id"] == made["id"]
    again = account.both("do_database_promote", replica)
    assert not again["changed"] and again["database_cluster"]["status"] == "online"
    assert account.module("do_database_replica_info", replica)["database_replicas"] == []
    assert "no read-only replica" in account.module("do_database_promote", {**replica, "name": "nothing"})["msg"]


CREATIONS = [
    (module, {**found, **first}, "/v2/databases" if module == "do_database_cluster" else "/v2/databases/*") for module, found, first, _changes in MATRIX
]


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 0}], ids=["answer lost", "503", "429"])
@pytest.mark.parametrize(("module", "arguments", "path"), CREATIONS, ids=[row[0] for row in CREATIONS])
def test_a_fault_at_the_creation_makes_neither_two_nor_none(
    account: Account, parent: dict[str, Any], hurried: None, module: str, arguments: dict[str, Any], path: str, fault: dict[str, Any]
) -> None:
    account.control("POST", "faults", {"method": "POST", "path": path, **fault})
    assert account.module(module, arguments)["changed"]
    assert not account.both(module, arguments)["changed"]


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 0}], ids=["answer lost", "503", "429"])
@pytest.mark.parametrize("change", MATRIX[0][3][:3] + MATRIX[0][3][5:6], ids=["firewall", "maintenance", "resize", "upgrade"])
def test_a_fault_at_a_change_is_survived(account: Account, hurried: None, change: dict[str, Any], fault: dict[str, Any]) -> None:
    account.both("do_database_cluster", CLUSTER)
    account.control("PUT", "settings", {"boot_seconds": 0.3})
    account.control("POST", "faults", {"method": "PUT", "path": "/v2/databases/*", **fault})
    changed = account.module("do_database_cluster", {**CLUSTER, **change})
    assert changed["changed"] and changed["database_cluster"]["status"] == "online", changed
    assert not account.both("do_database_cluster", {**CLUSTER, **change})["changed"]


def test_a_read_that_fails_is_tried_again(account: Account, hurried: None) -> None:
    for fault in ({"status": 500, "times": 2}, {"status": 429, "retry_after": 0}, {"drop": True}):
        account.control("POST", "faults", {"method": "GET", "path": "/v2/databases", **fault})
        assert account.both("do_database_cluster", CLUSTER)["database_cluster"]["status"] == "online"


def test_forty_five_of_each_hide_none(account: Account, parent: dict[str, Any]) -> None:
    path = f"/v2/databases/{parent['id']}"
    assert account.request("PUT", f"{path}/resize", {"size": "db-s-2vcpu-4gb", "num_nodes": 1})[0] == 202
    for number in range(45):
        name = f"mx-many-{number}"
        pool = {"name": name, "mode": "session", "size": 1, "db": "defaultdb"}
        for what, body in (("dbs", {"name": name}), ("users", {"name": name}), ("pools", pool), ("replicas", {"name": name, "size": "db-s-2vcpu-4gb"})):
            status, answer = account.request("POST", f"{path}/{what}", body)
            assert status == 201, answer
    there: dict[str, dict[str, Any]] = {
        "do_database": {},
        "do_database_user": {},
        "do_database_pool": {"size": 1, "database": "defaultdb"},
        "do_database_replica": {"size": "db-s-2vcpu-4gb"},
    }
    for module, arguments in there.items():
        for name in ("mx-many-0", "mx-many-44"):
            assert not account.both(module, {**IN, "name": name, **arguments})["changed"]
    assert account.request("DELETE", path)[0] == 204
    for number in range(45):
        order(account, name=f"mx-many-{number}", version="16")
    for name in ("mx-many-0", "mx-many-44"):
        assert not account.both("do_database_cluster", {**CLUSTER, "name": name, "trusted_sources": []})["changed"]
    assert len(account.module("do_database_cluster_info", {})["database_clusters"]) == 45


def test_two_clusters_of_a_name_are_an_error(account: Account, parent: dict[str, Any]) -> None:
    twin = account.world.store.get("database", parent["id"])
    assert twin
    account.world.store.put("database", "twin", {**twin, "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6"})
    for module, arguments in (("do_database_cluster", {**CLUSTER, "name": "mx-parent"}), ("do_database", {**IN, "name": "shop"})):
        said = account.module(module, arguments)
        assert said["failed"] and "mx-parent" in said["msg"] and parent["id"] in said["msg"]


def test_what_lies_in_a_cluster_that_is_still_to_come_can_be_planned_but_not_made(account: Account) -> None:
    for module, found, first, _changes in MATRIX[1:]:
        arguments = {**found, **first, "cluster": "mx-nowhere"}
        assert account.module(module, arguments, check=True)["changed"]
        assert "does not exist" in account.module(module, arguments)["msg"]
        assert account.module(f"{module}_info", {"cluster": "mx-nowhere"})[f"{module.removeprefix('do_')}s"] == []
        assert not account.both(module, {**found, "cluster": "mx-nowhere", "state": "absent"})["changed"]
