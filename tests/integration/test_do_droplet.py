# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""do_droplet: a fleet through its whole life, beside droplets that are none of its business."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.integration.do_hosts import PORT, answering
from tests.integration.do_inprocess import Account

KEY = "ssh-ed25519 " + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + os.urandom(32)).decode()
DROPLET = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
FOUND = {"fleet_tag": "shop", "name_prefix": "shop"}
FLEET = {**FOUND, "count": 3, "tags": ["app"], **DROPLET}
HEALTHY = {"port": PORT, "path": "/health", "timeout": 2}
UNRELATED = 45


@pytest.fixture
def crowded(account: Account) -> Iterator[Account]:
    """An account with more droplets of others than a page shows; none of them is touched."""
    for start in range(0, UNRELATED, 9):
        names = [f"shop-{number}" if number % 2 else f"other-{number}" for number in range(start, start + 9)]
        assert account.request("POST", "/v2/droplets", {**DROPLET, "names": names, "tags": ["others"]})[0] == 202
    before = droplets(account, "others")
    assert len(before) == UNRELATED
    yield account
    assert droplets(account, "others") == before


def droplets(account: Account, tag: str = "shop") -> list[dict[str, Any]]:
    return list(account.request("GET", f"/v2/droplets?per_page=200&tag_name={tag}")[1]["droplets"])


def names(account: Account) -> list[str]:
    return sorted(each["name"] for each in droplets(account))


def ids(account: Account) -> dict[str, int]:
    return {each["name"]: each["id"] for each in droplets(account)}


CHANGES: list[Mapping[str, Any]] = [
    {"tags": ["app", "blue"]},
    {"tags": []},
    {"backups": True},
    {"backups": False},
    {"backup_policy": {"plan": "weekly", "weekday": "SUN", "hour": 4}, "backups": None},
    {"backup_policy": {"plan": "daily", "hour": 8}},
    {"ipv6": True},
    {"size": "s-1vcpu-2gb", "resize": True},
    {"size": "s-2vcpu-4gb", "resize_disk": True},
    {"count": 5},
    {"count": 4},
    {"count": 1, "max_delete": 3},
]


def test_a_life(crowded: Account) -> None:
    """Created, changed in each field, removed; a dry run foretells every step, and a second run does nothing."""
    crowded.request("POST", "/v2/account/keys", {"name": "ops", "public_key": KEY})
    state: dict[str, Any] = {**FLEET, "ssh_keys": ["ops"], "user_data": "#!/bin/sh\ntrue\n", "monitoring": True}
    made = crowded.both("do_droplet", state)
    assert made["changed"]
    assert [each["name"] for each in made["droplets"]] == ["shop-1", "shop-2", "shop-3"]
    assert all(each["status"] == "active" and each["monitoring"] for each in made["droplets"])
    assert not crowded.both("do_droplet", state)["changed"]
    for change in CHANGES:
        state |= change
        assert crowded.both("do_droplet", state)["changed"], change
        assert not crowded.both("do_droplet", state)["changed"], change
        assert {each["status"] for each in droplets(crowded)} == {"active"}
    assert [each["id"] for each in droplets(crowded)] == [made["droplets"][0]["id"]]
    assert droplets(crowded)[0]["disk"] == 80
    gone = {**FOUND, "state": "absent"}
    assert crowded.both("do_droplet", gone)["changed"]
    assert not crowded.both("do_droplet", gone)["changed"]


def test_project_reserved_ips_and_volumes_are_given_and_taken(crowded: Account) -> None:
    addresses = [crowded.request("POST", "/v2/reserved_ips", {"region": "fra1"})[1]["reserved_ip"]["ip"] for _each in range(3)]
    crowded.request("POST", "/v2/projects", {"name": "shop", "purpose": "Web Application"})
    for name in ("shop-1-data", "shop-2-data", "shop-1-more"):
        crowded.request("POST", "/v2/volumes", {"name": name, "size_gigabytes": 1, "region": "fra1"})
    state: dict[str, Any] = {**FLEET, "count": 2, "project": "shop", "reserved_ips": addresses[:2], "volumes": ["{name}-data"]}
    made = crowded.both("do_droplet", state)["droplets"]
    assert [(each["project"], each["reserved_ip"], each["volumes"]) for each in made] == [
        ("shop", addresses[0], ["shop-1-data"]),
        ("shop", addresses[1], ["shop-2-data"]),
    ]
    assert not crowded.both("do_droplet", state)["changed"]
    changes: list[dict[str, Any]] = [{"count": 1, "volumes": ["{name}-data", "shop-1-more"]}, {"volumes": []}]
    for change in changes:
        state |= change
        assert crowded.both("do_droplet", state)["changed"], change
        assert not crowded.both("do_droplet", state)["changed"], change
    # An address goes to another droplet in one step, never over nobody.
    moved = {**FLEET, "fleet_tag": "spare", "name_prefix": "spare", "count": 1, "reserved_ips": addresses[:1]}
    assert crowded.both("do_droplet", moved)["droplets"][0]["reserved_ip"] == addresses[0]
    crowded.both("do_droplet", {"fleet_tag": "spare", "name_prefix": "spare", "state": "absent"})


@pytest.mark.parametrize("option", [{"project": "nowhere"}, {"reserved_ips": ["198.51.100.7"]}, {"volumes": ["{name}-data"]}], ids=str)
def test_what_is_not_there_stops_before_anything_is_made(account: Account, option: dict[str, Any]) -> None:
    """A dry run passes: what is missing may be made by a task before."""
    assert account.module("do_droplet", {**FLEET, **option}, check=True)["changed"]
    said = account.module("do_droplet", {**FLEET, **option})
    assert said["failed"] and "no" in said["msg"]
    assert droplets(account) == []


def test_a_replacement_comes_before_what_it_replaces(crowded: Account) -> None:
    """Reserved IP and volume move with the name; at no time are there fewer droplets than declared."""
    address = crowded.request("POST", "/v2/reserved_ips", {"region": "fra1"})[1]["reserved_ip"]["ip"]
    crowded.request("POST", "/v2/volumes", {"name": "shop-1-data", "size_gigabytes": 1, "region": "fra1"})
    crowded.request("POST", "/v2/volumes", {"name": "shop-2-data", "size_gigabytes": 1, "region": "fra1"})
    vpc = crowded.request("POST", "/v2/vpcs", {"name": "own", "region": "fra1"})[1]["vpc"]["id"]
    crowded.both("do_droplet", {**FLEET, "count": 2, "vpc": vpc})
    old = ids(crowded)
    extra = {"reserved_ips": [address], "volumes": ["{name}-data"], "replace": True, "replace_health": HEALTHY}
    state = {**FLEET, "count": 2, "image": "debian-12-x64", **extra}
    fewest = len(old)

    def watch(_moment: str, _method: str, _path: str) -> None:
        nonlocal fewest
        fewest = min(fewest, len([each for each in crowded.world.store.all("droplet") if "shop" in each["tags"] and each["status"] == "active"]))

    crowded.world.watcher = watch
    with answering(UNRELATED + 10):
        done = crowded.both("do_droplet", state)
    assert done["changed"]
    assert not crowded.both("do_droplet", state)["changed"]
    assert fewest == 2
    new = droplets(crowded)
    assert [(each["name"], each["image"]["slug"], sorted(each["tags"])) for each in new] == [
        (name, "debian-12-x64", ["app", "shop"]) for name in ("shop-1", "shop-2")
    ]
    assert not set(old.values()) & set(ids(crowded).values())
    assert {each["vpc_uuid"] for each in new} == {vpc}, "what is not declared is as it was"
    assert done["droplets"][0]["reserved_ip"] == address
    assert [each["volumes"] for each in done["droplets"]] == [["shop-1-data"], ["shop-2-data"]]


def test_a_replacement_that_is_not_healthy_leaves_the_old_one(account: Account) -> None:
    account.both("do_droplet", FLEET)
    old = ids(account)
    state = {**FLEET, "image": "debian-12-x64", "replace": True, "replace_health": HEALTHY}
    # The first new one works, the second does not.
    with answering(5, lambda host: 200 if host == "127.64.0.4" else 503):
        said = account.module("do_droplet", state)
    assert said["failed"]
    assert f"127.64.0.5:{PORT} answered 503" in said["msg"]
    assert "still works under this name" in said["msg"]
    now = droplets(account)
    assert len(now) == 4
    assert {each["name"] for each in now if each["id"] in old.values()} == {"shop-2", "shop-3"}
    with answering(6):
        assert account.both("do_droplet", state)["changed"]
    assert said["replacement"] in ids(account).values(), "the one that was made is used"
    assert names(account) == ["shop-1", "shop-2", "shop-3"]


def test_going_back_removes_a_replacement_that_is_not_wanted_any_more(account: Account) -> None:
    account.both("do_droplet", FLEET)
    old = ids(account)
    account.module("do_droplet", {**FLEET, "image": "debian-12-x64", "replace": True, "replace_health": {"port": PORT, "timeout": 0}})
    assert len(droplets(account)) == 4
    assert account.both("do_droplet", FLEET)["changed"]
    assert ids(account) == old
    assert not account.both("do_droplet", FLEET)["changed"]


@pytest.mark.parametrize("change", [{"image": "debian-12-x64"}, {"region": "ams3"}, {"monitoring": True}, {"size": "s-1vcpu-2gb"}], ids=str)
def test_a_change_that_costs_something_has_to_be_allowed(account: Account, change: dict[str, Any]) -> None:
    account.both("do_droplet", FLEET)
    said = account.module("do_droplet", {**FLEET, **change})
    assert said["failed"]
    assert next(iter(change)) in said["msg"]
    assert "replace=true" in said["msg"] or "resize=true" in said["msg"]


def test_what_is_protected_is_neither_removed_nor_replaced(account: Account) -> None:
    account.both("do_droplet", {**FLEET, "tags": ["app", "protect"]})
    for change in ({"count": 2}, {"state": "absent"}, {"image": "debian-12-x64", "replace": True}):
        said = account.module("do_droplet", {**FLEET, **change})
        assert said["failed"] and "'protect'" in said["msg"]
    assert len(droplets(account)) == 3


def test_the_highest_numbers_leave_and_only_as_many_as_allowed(account: Account) -> None:
    account.both("do_droplet", {**FLEET, "count": 12})
    for check in (True, False):
        said = account.module("do_droplet", {**FLEET, "count": 10}, check=check)
        assert said["failed"]
        assert said["would_delete"] == ["shop-11", "shop-12"]
    account.both("do_droplet", {**FLEET, "count": 10, "max_delete": 2})
    assert names(account) == sorted(f"shop-{number}" for number in range(1, 11))


def test_two_of_one_name_are_an_error(account: Account) -> None:
    for _each in range(2):
        account.request("POST", "/v2/droplets", {**DROPLET, "name": "shop-1", "tags": ["shop"]})
    said = account.module("do_droplet", FLEET)
    assert said["failed"]
    assert "two droplets named shop-1" in said["msg"]
    assert len(droplets(account)) == 2


def test_without_a_count_nothing_is_removed(account: Account) -> None:
    account.both("do_droplet", {**FLEET, "count": 1})
    said = account.module("do_droplet", {key: value for key, value in FLEET.items() if key != "count"})
    assert said["failed"]
    assert "count" in said["msg"]
    assert names(account) == ["shop-1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"region": "moon1"}, "region 'moon1'"), ({"size": "huge"}, "size 'huge'"), ({"image": "nope"}, "image 'nope'"), ({"ssh_keys": ["nobody"]}, "nobody")],
)
def test_what_cannot_be_ordered_is_said_and_nothing_is_made(account: Account, change: dict[str, Any], said: str) -> None:
    result = account.module("do_droplet", {**FLEET, **change})
    assert result["failed"] and said in result["msg"]
    assert account.module("do_droplet_info", {"tag": "shop"})["droplets"] == []


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 1}], ids=["answer lost", "503", "429"])
@pytest.mark.parametrize("path", ["/v2/droplets", "/v2/droplets/*/actions", "/v2/tags/*/resources"])
@pytest.mark.usefixtures("hurried")
def test_a_fault_makes_neither_two_nor_none(account: Account, path: str, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """At a creation, at each action of a resize, at the tag that says that one is in progress."""
    # How long a lost request is looked for is a matter of the real API.
    monkeypatch.setattr("ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation.SETTLE", 0.0)
    account.control("POST", "faults", {"method": "POST", "path": path, **fault})
    account.both("do_droplet", {**FLEET, "count": 2})
    account.both("do_droplet", {**FLEET, "count": 2, "size": "s-1vcpu-2gb", "resize": True})
    assert [(each["name"], each["size_slug"], each["status"]) for each in droplets(account)] == [(f"shop-{n}", "s-1vcpu-2gb", "active") for n in (1, 2)]
    assert account.control("GET", "faults")["faults"] == []


def test_a_fleet_that_is_not_waited_for_is_made_at_once_and_finished_by_the_run_that_waits(account: Account) -> None:
    account.control("PUT", "settings", {"boot_seconds": 1})
    made = account.both("do_droplet", {**FLEET, "wait": False})
    assert {each["status"] for each in made["droplets"]} == {"new"}
    assert not account.both("do_droplet", {**FLEET, "wait": False})["changed"]
    done = account.both("do_droplet", FLEET)
    assert {each["status"] for each in done["droplets"]} == {"active"}
    # What cannot be given to a droplet that is not there yet is waited for all the same.
    address = account.request("POST", "/v2/reserved_ips", {"region": "fra1"})[1]["reserved_ip"]["ip"]
    more = account.both("do_droplet", {**FLEET, "count": 4, "wait": False, "reserved_ips": [address]})
    assert more["droplets"][0]["reserved_ip"] == address


def test_a_refused_request_names_the_field(account: Account) -> None:
    account.control("PUT", "settings", {"droplet_limit": 1})
    said = account.module("do_droplet", FLEET)
    assert said["failed"]
    assert "droplet limit" in said["msg"] and "422" in said["msg"]


def test_a_wrong_token_names_the_variable(account: Account) -> None:
    result = account.module("do_droplet", FLEET, env={"DIGITALOCEAN_TOKEN": "dop_v1_" + "0" * 64})
    assert result["failed"] and "DIGITALOCEAN_TOKEN" in result["msg"]


def test_a_resize_that_was_killed_is_finished_and_one_that_was_off_stays_off(account: Account) -> None:
    account.both("do_droplet", {**FLEET, "count": 2})
    first, second = (each["id"] for each in droplets(account))
    # Killed between the resize and the power: off, resized, marked.
    for each in (first, second):
        account.request("POST", f"/v2/droplets/{each}/actions", {"type": "power_off"})
        account.request("GET", "/v2/droplets")
    account.request("POST", "/v2/tags", {"name": "groundcrew:resize"})
    account.request("POST", "/v2/tags/groundcrew:resize/resources", {"resources": [{"resource_id": str(first), "resource_type": "droplet"}]})
    state = {**FLEET, "count": 2, "size": "s-1vcpu-2gb", "resize": True}
    assert account.both("do_droplet", state)["changed"]
    assert [(each["status"], each["size_slug"], sorted(each["tags"])) for each in droplets(account)] == [
        ("active", "s-1vcpu-2gb", ["app", "shop"]),
        ("off", "s-1vcpu-2gb", ["app", "shop"]),
    ]
    assert not account.both("do_droplet", state)["changed"]


def test_names_leave_the_rest_of_the_fleet_alone(account: Account) -> None:
    named = {"fleet_tag": "shop", **DROPLET}
    account.both("do_droplet", {**named, "names": ["a", "b", "c"]})
    account.both("do_droplet", {**named, "names": ["a"], "state": "absent"})
    assert names(account) == ["b", "c"]
    listed = account.module("do_droplet_info", {"names": ["b", "nobody"]})["droplets"]
    assert [each["name"] for each in listed] == ["b"]
