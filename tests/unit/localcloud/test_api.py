# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API without the hosts behind it: who may ask, pages, errors, faults, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from localcloud.api.app import create_app
from localcloud.config import open_cloud
from localcloud.store import Store
from localcloud.world import World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICjdUPQXrzG1jYQIrZlQcVrz4Qjut1/yEpFRiyZAcNtf somebody"


class Idle(World):
    """A world that notes what is to be done later, and does none of it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.noted: list[tuple[Any, ...]] = []

    def later(self, work: Any, *arguments: Any, seconds: float = 0.0) -> None:
        self.noted.append((work.__name__, *arguments))


@pytest.fixture
def world(tmp_path: Path) -> Idle:
    return Idle(open_cloud("unit", 9, tmp_path), Store(tmp_path / "state.sqlite"))


@pytest.fixture
def api(world: Idle) -> FlaskClient:
    client = create_app(world).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {world.cloud.token}"
    return client


def droplet(name: str = "web-1", **changes: Any) -> dict[str, Any]:
    return {"name": name, "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", **changes}


def test_a_wrong_token_is_refused_in_the_api_s_words(api: FlaskClient) -> None:
    answer = api.get("/v2/droplets", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json is not None
    assert (answer.json["id"], answer.json["message"]) == ("Unauthorized", "Unable to authenticate you")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "s-64vcpu"}, "invalid size"),
        ({"region": "moon1"}, "invalid region"),
        ({"image": "plan9"}, "invalid image"),
        ({"name": "under_score"}, "valid hostname characters"),
        ({"ssh_keys": [1]}, "invalid key identifiers"),
        ({"tags": ["a b"]}, "Tag names"),
        ({"user_data": "hello"}, "User data must begin"),
        ({"vpc_uuid": "none"}, "VPC does not exist"),
        ({"names": []}, "between 1 and 10"),
    ],
)
def test_a_bad_droplet_is_refused_and_leaves_nothing(api: FlaskClient, world: Idle, change: dict[str, Any], message: str) -> None:
    answer = api.post("/v2/droplets", json=droplet(**change))
    assert answer.status_code == 422
    assert answer.json is not None and answer.json["id"] == "unprocessable_entity"
    assert message in answer.json["message"]
    assert (world.store.all("droplet"), world.noted) == ([], [])


def test_the_record_stands_before_the_work_begins(api: FlaskClient, world: Idle) -> None:
    answer = api.post("/v2/droplets", json=droplet(tags=["app"]))
    assert answer.status_code == 202
    assert answer.json is not None and answer.json["droplet"]["status"] == "new"
    assert [action["status"] for action in world.store.all("action")] == ["in-progress"]
    assert [noted[0] for noted in world.noted] == ["perform"]


def test_addresses_are_not_given_twice(api: FlaskClient, world: Idle) -> None:
    api.post("/v2/droplets", json={**droplet(), "names": ["a", "b", "c"]})
    assert len({one["address"] for one in world.store.all("droplet")}) == 3


def test_the_droplet_limit_holds(api: FlaskClient) -> None:
    api.put("/_localcloud/settings", json={"droplet_limit": 1})
    assert api.post("/v2/droplets", json=droplet()).status_code == 202
    assert "droplet limit" in str(api.post("/v2/droplets", json=droplet()).json)


def test_lists_come_in_pages_with_links(api: FlaskClient) -> None:
    for number in range(5):
        api.post("/v2/tags", json={"name": f"t{number}"})
    first = api.get("/v2/tags?per_page=2").json
    last = api.get("/v2/tags?per_page=2&page=3").json
    assert first is not None and last is not None
    assert [tag["name"] for tag in first["tags"]] == ["t0", "t1"]
    assert first["links"]["pages"]["next"].endswith("/v2/tags?per_page=2&page=2")
    assert first["links"]["pages"]["last"].endswith("page=3")
    assert "next" not in last["links"]["pages"] and last["links"]["pages"]["prev"].endswith("page=2")
    assert first["meta"] == {"total": 5}
    assert api.get("/v2/tags?per_page=201").status_code == 422


def test_droplets_are_found_by_tag_and_name(api: FlaskClient) -> None:
    api.post("/v2/droplets", json=droplet("one", tags=["x"]))
    api.post("/v2/droplets", json=droplet("two"))
    for query, names in (("?tag_name=x", ["one"]), ("?name=two", ["two"]), ("?tag_name=y", [])):
        found = api.get(f"/v2/droplets{query}").json
        assert found is not None and [one["name"] for one in found["droplets"]] == names


def test_a_key_is_known_by_number_and_by_fingerprint(api: FlaskClient) -> None:
    made = api.post("/v2/account/keys", json={"name": "k", "public_key": KEY})
    assert made.json is not None
    key = made.json["ssh_key"]
    assert key["fingerprint"] == "8f:71:d3:92:f3:6b:da:94:30:4b:bf:99:4d:ca:a3:a5"
    assert api.post("/v2/account/keys", json={"name": "again", "public_key": KEY}).status_code == 422
    assert api.get(f"/v2/account/keys/{key['fingerprint']}").status_code == 200
    assert api.delete(f"/v2/account/keys/{key['id']}").status_code == 204
    assert api.get(f"/v2/account/keys/{key['id']}").status_code == 404


def test_the_rate_limit_is_kept_and_told(api: FlaskClient) -> None:
    api.put("/_localcloud/settings", json={"rate_limit": 2, "rate_window_seconds": 60})
    answers = [api.get("/v2/account") for _turn in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert [one.headers["ratelimit-remaining"] for one in answers] == ["1", "0", "0"]
    assert 0 < int(answers[2].headers["retry-after"]) <= 61


def test_a_fault_hits_as_often_as_told_and_nothing_is_done(api: FlaskClient, world: Idle) -> None:
    api.post("/_localcloud/faults", json={"method": "POST", "path": "/v2/*", "status": 503, "times": 2})
    assert [api.post("/v2/droplets", json=droplet()).status_code for _turn in range(3)] == [503, 503, 202]
    assert len(world.store.all("droplet")) == 1
    assert api.post("/_localcloud/faults", json={"method": "GET", "path": "/v2/*"}).status_code == 422


def test_a_deleted_droplet_is_gone_at_once_and_its_host_noted(api: FlaskClient, world: Idle) -> None:
    made = api.post("/v2/droplets", json=droplet()).json
    assert made is not None
    number = made["droplet"]["id"]
    assert api.delete(f"/v2/droplets/{number}").status_code == 204
    assert api.get(f"/v2/droplets/{number}").status_code == 404
    assert [one["name"] for one in world.store.all("removal")] == [f"groundcrew-unit-droplet-{number}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "mysql"}, "no engine 'mysql'"),
        ({"version": "9"}, "version"),
        ({"size": "db-huge"}, "size"),
        ({"num_nodes": 2}, "num_nodes 2 for size"),
        ({"name": "A"}, "name"),
        ({"region": "x"}, "region"),
    ],
)
def test_a_bad_cluster_is_refused(api: FlaskClient, change: dict[str, Any], message: str) -> None:
    answer = api.post("/v2/databases", json={"name": "main", "engine": "pg", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1, **change})
    assert answer.status_code == 422
    assert answer.json is not None and message in answer.json["message"]


def test_a_default_vpc_stays_and_ranges_do_not_overlap(api: FlaskClient) -> None:
    made = api.post("/v2/vpcs", json={"name": "own", "region": "fra1", "ip_range": "10.9.0.0/20"})
    assert made.status_code == 201
    assert "overlaps" in str(api.post("/v2/vpcs", json={"name": "other", "region": "fra1", "ip_range": "10.9.8.0/24"}).json)
    listed = api.get("/v2/vpcs").json
    assert listed is not None
    default = next(vpc for vpc in listed["vpcs"] if vpc["default"])
    assert api.delete(f"/v2/vpcs/{default['id']}").status_code == 403


def test_firewall_rules_are_added_and_removed(api: FlaskClient) -> None:
    rule = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}}
    more = {"protocol": "tcp", "ports": "80", "sources": {"addresses": ["0.0.0.0/0"]}}
    made = api.post("/v2/firewalls", json={"name": "web", "inbound_rules": [rule]}).json
    assert made is not None
    path = f"/v2/firewalls/{made['firewall']['id']}"
    assert api.post(f"{path}/rules", json={"inbound_rules": [more]}).status_code == 204
    assert api.delete(f"{path}/rules", json={"inbound_rules": [rule]}).status_code == 204
    shown = api.get(path).json
    assert shown is not None and shown["firewall"]["inbound_rules"] == [more]
