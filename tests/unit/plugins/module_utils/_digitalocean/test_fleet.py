# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet over a scripted account: an API in memory that pages, loses answers and counts calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.fleet import Fleet
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import FleetSpec


@dataclass
class Answer:
    status: int
    body: Any


@dataclass
class Time(Clock):
    passed: float = 0.0

    def now(self) -> float:
        return self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass
class Account:
    """Droplets, tags and what was asked. boot_looks: lists until a droplet runs."""

    droplets: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    boot_looks: int = 2
    lose_creation: Callable[[Account, list[str]], list[str]] | None = None

    def add(self, name: str, tags: list[str], status: str = "active", **more: Any) -> None:
        self.droplets.append(
            {
                "id": 1000 + len(self.droplets),
                "name": name,
                "status": status,
                "tags": tags,
                "size_slug": "s-1",
                "region": {"slug": "fra1"},
                "image": {"id": 7, "slug": "debian-13-x64"},
                "features": [],
                "vpc_uuid": "v",
                "networks": {"v4": []},
                "looks": 0,
                **more,
            }
        )

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        self.calls.append((method, path, body))
        split = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if (method, split.path) == ("GET", "/v2/droplets"):
            return self._list(query)
        if (method, split.path) == ("POST", "/v2/droplets"):
            created = body["names"]
            lost = self.lose_creation
            if lost:
                self.lose_creation = None
                created = lost(self, created)
            for name in created:
                self.add(name, body["tags"], status="new")
            if lost:
                raise AmbiguousError("no answer")
            return Answer(202, {"droplets": []})
        if method == "GET" and split.path == "/v2/sizes":
            return Answer(200, {"sizes": [{"slug": slug, "regions": ["fra1"]} for slug in ("s-1", "s-2")], "meta": {"total": 2}})
        if method == "GET" and split.path == "/v2/regions":
            return Answer(200, {"regions": [{"slug": "fra1"}], "meta": {"total": 1}})
        if method == "GET" and split.path.startswith("/v2/images/"):
            return Answer(200, {"image": {}}) if split.path.endswith("debian-13-x64") else Answer(404, {"message": "no image"})
        if method == "GET" and split.path == "/v2/tags":
            return Answer(200, {"tags": [], "meta": {"total": 0}})
        if method == "POST" and split.path == "/v2/tags":
            return Answer(201, {"tag": body})
        if match := re.fullmatch("/v2/tags/(.+)/resources", split.path):
            ids = {resource["resource_id"] for resource in body["resources"]}
            for droplet in self.droplets:
                if str(droplet["id"]) in ids:
                    tags = set(droplet["tags"])
                    droplet["tags"] = sorted(tags | {match.group(1)} if method == "POST" else tags - {match.group(1)})
            return Answer(204, None)
        if match := re.fullmatch(r"/v2/droplets/(\d+)/actions", split.path):
            droplet = next(each for each in self.droplets if each["id"] == int(match.group(1)))
            droplet["status"] = {"shutdown": "off", "power_on": "active"}.get(body["type"], droplet["status"])
            droplet["size_slug"] = body.get("size", droplet["size_slug"])
            droplet["features"] = ["backups"] if body["type"] == "enable_backups" else droplet["features"]
            return Answer(201, {"action": {"id": 1, "status": "completed"}})
        if match := re.fullmatch(r"/v2/droplets/(\d+)", split.path):
            self.droplets = [each for each in self.droplets if each["id"] != int(match.group(1))]
            return Answer(204, None)
        raise AssertionError((method, path))

    def _list(self, query: dict[str, str]) -> Answer:
        found = [each for each in self.droplets if query.get("tag_name") in (None, *each["tags"])]
        for each in found:
            each["looks"] += 1
            if each["status"] == "new" and each["looks"] > self.boot_looks:
                each["status"] = "active"
        size, page = int(query.get("per_page", 20)), int(query.get("page", 1))
        return Answer(200, {"droplets": [dict(each) for each in found[(page - 1) * size : page * size]], "meta": {"total": len(found)}})

    def names(self) -> list[str]:
        return sorted(each["name"] for each in self.droplets)


def spec(**more: Any) -> FleetSpec:
    given: dict[str, Any] = {"tag": "web", "prefix": "web", "count": 2, "size": "s-1", "image": "debian-13-x64", "region": "fra1", **more}
    if "names" in more:
        given |= {"prefix": None, "count": None}
    return FleetSpec(**given)


def run(account: Account, wanted: FleetSpec) -> Plan:
    """What the runner does, without Ansible."""
    fleet = Fleet(Client(account), wanted, Time())
    before = fleet.read()
    desired = fleet.desired(before)
    planned = plan(before, desired)
    if planned.changed:
        fleet.apply(planned)
        assert fleet.read() == desired
    return planned


def posts(account: Account) -> list[list[str]]:
    return [body["names"] for method, path, body in account.calls if (method, path) == ("POST", "/v2/droplets")]


def test_hundred_droplets_take_few_calls_and_a_second_run_fewer() -> None:
    account = Account()
    assert run(account, spec(count=100)).verb == "create"
    assert len(account.droplets) == 100
    assert [len(names) for names in posts(account)] == [10] * 10
    assert len(account.calls) <= 40
    account.calls.clear()
    assert not run(account, spec(count=100)).changed
    assert len(account.calls) <= 5


def test_members_on_later_pages_are_found() -> None:
    account = Account()
    for number in range(1, 451):
        account.add(f"web-{number}", ["web"])
    assert not run(account, spec(count=450)).changed
    assert len([call for call in account.calls if call[1].startswith("/v2/droplets")]) == 3


def test_a_droplet_of_the_same_name_without_the_tag_is_not_touched() -> None:
    account = Account()
    account.add("web-1", ["other"])
    run(account, spec(count=1))
    assert sorted(tuple(each["tags"]) for each in account.droplets) == [("other",), ("web",)]
    run(account, spec(present=False))
    assert [each["tags"] for each in account.droplets] == [["other"]]


def test_two_members_of_one_name_are_an_error() -> None:
    account = Account()
    account.add("web-1", ["web"])
    account.add("web-1", ["web"])
    with pytest.raises(OpsError, match=r"two droplets named web-1 \(ids 1000 and 1001\)"):
        run(account, spec())


@pytest.mark.parametrize("arrived", [0, 4, 10], ids=["nothing", "a part", "all"])
def test_an_answer_that_got_lost_creates_nothing_twice(arrived: int) -> None:
    account = Account(lose_creation=lambda _account, names: names[:arrived])
    run(account, spec(count=10))
    assert account.names() == sorted(f"web-{number}" for number in range(1, 11))
    assert sum(len(names) for names in posts(account)) == 20 - arrived


def test_what_a_killed_run_left_is_completed() -> None:
    account = Account()
    for number in range(1, 8):
        account.add(f"web-{number}", ["web"], status="new")
    run(account, spec(count=20))
    assert account.names() == sorted(f"web-{number}" for number in range(1, 21))


def test_scaling_down_removes_the_highest_numbers_within_the_limit() -> None:
    account = Account()
    for number in (1, 2, 3, 10):
        account.add(f"web-{number}", ["web"])
    with pytest.raises(OpsError, match=r"2 droplets would be removed .* more than max_delete=1"):
        run(account, spec(count=2))
    assert len(account.droplets) == 4
    run(account, spec(count=3))
    assert account.names() == ["web-1", "web-2", "web-3"]


def test_gaps_are_filled_from_below() -> None:
    account = Account()
    account.add("web-2", ["web"])
    run(account, spec(count=3))
    assert account.names() == ["web-1", "web-2", "web-3"]


def test_a_protected_droplet_stays() -> None:
    account = Account()
    account.add("web-1", ["web"])
    account.add("web-2", ["web", "protect"])
    run(account, spec(count=1))
    assert account.names() == ["web-2"]
    for wanted in (spec(count=0), spec(present=False)):
        with pytest.raises(OpsError, match="protect"):
            run(account, wanted)
    run(account, spec(count=1, tags=("app",)))
    assert account.droplets[0]["tags"] == ["app", "protect", "web"]


def test_tags_change_in_one_call_each() -> None:
    account = Account()
    for number in range(1, 31):
        account.add(f"web-{number}", ["web", "old"])
    assert run(account, spec(count=30, tags=("new",))).verb == "update"
    assert {tuple(each["tags"]) for each in account.droplets} == {("new", "web")}
    assert len([call for call in account.calls if call[1].endswith("/resources")]) == 2


def test_a_resize_has_to_be_allowed() -> None:
    account = Account()
    account.add("web-1", ["web"])
    with pytest.raises(OpsError, match="resize=true"):
        run(account, spec(count=1, size="s-2"))
    run(account, spec(count=1, size="s-2", resize=True))
    done = [body["type"] for method, path, body in account.calls if path.endswith("/actions")]
    assert done == ["shutdown", "resize", "power_on"]
    assert account.droplets[0]["size_slug"] == "s-2"


@pytest.mark.parametrize(("more", "said"), [({"image": "debian-12-x64"}, "image"), ({"region": "ams3"}, "region"), ({"monitoring": True}, "monitoring")])
def test_what_is_fixed_is_refused_before_anything_happens(more: dict[str, Any], said: str) -> None:
    account = Account()
    account.add("web-1", ["web"])
    with pytest.raises(OpsError, match=said):
        run(account, spec(count=2, **more))
    assert not posts(account)


@pytest.mark.parametrize(
    ("more", "said"), [({"size": "huge"}, "Offered there: s-1, s-2"), ({"region": "moon1"}, "Offered: fra1"), ({"image": "nope"}, "image 'nope'")]
)
def test_what_is_not_offered_is_refused_before_anything_happens(more: dict[str, Any], said: str) -> None:
    account = Account()
    with pytest.raises(OpsError, match=said):
        run(account, spec(**more))
    assert not posts(account)


def test_an_image_that_lost_its_slug_is_no_change() -> None:
    account = Account()
    account.add("web-1", ["web"], image={"id": 7, "slug": None})
    assert not run(account, spec(count=1)).changed


def test_names_leave_the_rest_of_the_fleet_alone() -> None:
    account = Account()
    account.add("other", ["web"])
    run(account, spec(names=("a", "b")))
    run(account, spec(names=("a",), present=False))
    assert account.names() == ["b", "other"]


def test_user_data_is_sent_but_not_shown() -> None:
    account = Account()
    planned = run(account, spec(count=1, user_data="#!/bin/sh\necho hunter2\n"))
    assert any(body and body.get("user_data") for _method, _path, body in account.calls)
    assert "hunter2" not in str(planned.diff())
    assert "sha256:" in str(planned.diff())
