# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request and answer of the local cloud obeys DigitalOcean's own specification, and a wrong one would be noticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from localcloud.api.validation import SPECIFICATION, Validator

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDGg6kA2IyWdwLIZfAM0xN4nF7gGG0oTmVXmCA6fYtS0 spec"
PREFIX = "spec-"
ANYWHERE = {"addresses": ["0.0.0.0/0"]}

LIMITS = [(f"ratelimit-{what}", "1") for what in ("limit", "remaining", "reset")]

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def validator(cloud: Any) -> Validator:
    assert SPECIFICATION.exists(), f"The specification is not at {SPECIFICATION}: without it nothing here is proven."
    return Validator(cloud.api_url)


def check(validator: Validator, method: str, path: str, body: Any, status: int, answer: Any) -> list[dict[str, Any]]:
    """The violations of one pair."""
    parts = urlsplit(path)
    builder = EnvironBuilder(
        parts.path,
        validator.url,
        method=method,
        query_string=parts.query,
        json=body,
        headers=[("Authorization", "Bearer x"), ("Content-Type", "application/json")],
    )
    response = Response(
        "" if answer is None else json.dumps(answer),
        status,
        content_type="application/json",
        headers=LIMITS,
    )
    validator.violations.clear()
    validator.check(Request(builder.get_environ()), response)
    return list(validator.violations)


@pytest.fixture
def ask(cloud: Any, validator: Validator) -> Ask:
    def request(method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        got, answer = cloud.request(method, path, body)
        assert got == status, f"{method} {path}: {got} {answer}"
        assert check(validator, method, path, body, got, answer) == []
        return answer

    return request


@pytest.fixture
def droplet(ask: Ask, cloud: Any) -> Iterator[dict[str, Any]]:
    made = ask(
        "POST",
        "/v2/droplets",
        {"name": f"{PREFIX}one", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": [f"{PREFIX}tag"]},
        status=202,
    )["droplet"]
    path = f"/v2/droplets/{made['id']}"
    yield cloud.wait("The droplet", path, lambda status, body: body["droplet"]["status"] == "active")["droplet"]
    cloud.request("DELETE", path)


@pytest.fixture
def cluster(ask: Ask, cloud: Any) -> Iterator[dict[str, Any]]:
    made = ask(
        "POST",
        "/v2/databases",
        {"name": f"{PREFIX}pg", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1},
        status=201,
    )["database"]
    path = f"/v2/databases/{made['id']}"
    yield cloud.wait("The cluster", path, lambda status, body: body["database"]["status"] == "online")["database"]
    cloud.request("DELETE", path)


def test_a_wrong_answer_is_noticed(cloud: Any, validator: Validator) -> None:
    """The control: without it, silence proves nothing."""
    right = cloud.request("GET", "/v2/regions")[1]
    assert check(validator, "GET", "/v2/regions", None, 200, right) == []
    wrong = {**right, "regions": [{**right["regions"][0], "available": "yes"}]}
    assert "available" in check(validator, "GET", "/v2/regions", None, 200, wrong)[0]["reason"]
    assert check(validator, "GET", "/v2/regions", None, 200, {"regions": right["regions"]})[0]["what"] == "answer"
    assert check(validator, "POST", "/v2/droplets", {"name": "x"}, 202, None)[0]["what"] == "request"
    assert check(validator, "GET", "/v2/no-such", None, 200, {})


@pytest.mark.parametrize(
    "path",
    [
        "account",
        "regions",
        "sizes",
        "images",
        "images/debian-13-x64",
        "images/194000013",
        "databases/options",
        "projects",
        "projects/default",
        "vpcs",
        "tags",
        "actions",
        "firewalls",
    ],
)
def test_what_can_be_had(ask: Ask, path: str) -> None:
    ask("GET", f"/v2/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "droplets/1",
        "actions/1",
        "account/keys/1",
        "tags/nothing",
        "images/nothing",
        "vpcs/5a4981aa-9653-4bd1-bef5-d6bff52042e4",
        "firewalls/5a4981aa-9653-4bd1-bef5-d6bff52042e4",
    ]
    + [f"databases/5a4981aa-9653-4bd1-bef5-d6bff52042e4{part}" for part in ("", "/ca", "/firewall", "/users", "/users/x", "/dbs", "/dbs/x")],
)
def test_what_is_not_there(ask: Ask, path: str) -> None:
    assert ask("GET", f"/v2/{path}", status=404)["id"] == "not_found"


def test_what_the_local_cloud_does_not_do_is_said(ask: Ask, cloud: Any) -> None:
    status, answer = cloud.request("GET", "/v2/kubernetes/clusters")
    assert (status, answer["id"]) == (501, "not_implemented")
    cloud.control("DELETE", "violations")


@pytest.fixture
def key(ask: Ask, cloud: Any) -> Iterator[dict[str, Any]]:
    made = ask("POST", "/v2/account/keys", {"name": f"{PREFIX}key", "public_key": KEY}, status=201)["ssh_key"]
    yield made
    cloud.request("DELETE", f"/v2/account/keys/{made['id']}")


def test_a_key(ask: Ask, key: dict[str, Any]) -> None:
    ask("GET", "/v2/account/keys")
    ask("GET", f"/v2/account/keys/{key['fingerprint']}")
    assert ask("PUT", f"/v2/account/keys/{key['id']}", {"name": f"{PREFIX}new"})["ssh_key"]["name"] == f"{PREFIX}new"
    ask("DELETE", f"/v2/account/keys/{key['id']}", status=204)


def test_a_vpc(ask: Ask) -> None:
    vpc = ask("POST", "/v2/vpcs", {"name": f"{PREFIX}vpc", "region": "fra1", "description": "d"}, status=201)["vpc"]
    path = f"/v2/vpcs/{vpc['id']}"
    ask("GET", path)
    ask("GET", f"{path}/members")
    assert ask("PATCH", path, {"description": "e"})["vpc"]["description"] == "e"
    assert ask("PUT", path, {"name": f"{PREFIX}vpc2"})["vpc"]["description"] == ""
    ask("DELETE", path, status=204)


def test_a_droplet_with_its_tags_and_its_firewall(ask: Ask, droplet: dict[str, Any]) -> None:
    path = f"/v2/droplets/{droplet['id']}"
    for one in (
        path,
        "/v2/droplets?per_page=1",
        f"/v2/droplets?tag_name={PREFIX}tag",
        f"{path}/actions",
        f"{path}/backups",
        f"{path}/snapshots",
        f"{path}/kernels",
    ):
        ask("GET", one)
    ask("POST", "/v2/tags", {"name": f"{PREFIX}late"}, status=201)
    resources = {"resources": [{"resource_id": str(droplet["id"]), "resource_type": "droplet"}]}
    ask("POST", f"/v2/tags/{PREFIX}late/resources", resources, status=204)
    assert ask("GET", f"/v2/tags/{PREFIX}late")["tag"]["resources"]["droplets"]["count"] == 1
    inbound = [{"protocol": "tcp", "ports": "22", "sources": ANYWHERE}]
    firewall = ask("POST", "/v2/firewalls", {"name": f"{PREFIX}fw", "inbound_rules": inbound, "tags": [f"{PREFIX}late"]}, status=202)["firewall"]
    assert ask("GET", f"{path}/firewalls")["firewalls"][0]["id"] == firewall["id"]
    base = f"/v2/firewalls/{firewall['id']}"
    ask("PUT", base, {"name": f"{PREFIX}fw", "inbound_rules": inbound, "outbound_rules": [{"protocol": "tcp", "ports": "all", "destinations": ANYWHERE}]})
    ask("POST", f"{base}/droplets", {"droplet_ids": [droplet["id"]]}, status=204)
    ask("GET", base)
    ask("DELETE", f"{base}/droplets", {"droplet_ids": [droplet["id"]]}, status=204)
    ask("DELETE", base, status=204)
    ask("DELETE", f"/v2/tags/{PREFIX}late/resources", resources, status=204)
    ask("DELETE", f"/v2/tags/{PREFIX}late", status=204)
    ask("DELETE", path, status=204)
    ask("GET", path, status=404)


def test_a_cluster_with_its_users_databases_and_pools(ask: Ask, cloud: Any, cluster: dict[str, Any]) -> None:
    path = f"/v2/databases/{cluster['id']}"
    for one in ("/v2/databases", path, f"{path}/ca", f"{path}/firewall", f"{path}/users", f"{path}/dbs", f"{path}/backups", f"{path}/events"):
        ask("GET", one)
    user = ask("POST", f"{path}/users", {"name": "app"}, status=201)["user"]
    assert ask("POST", f"{path}/users/app/reset_auth", {})["user"]["password"] != user["password"]
    ask("GET", f"{path}/users/app")
    ask("POST", f"{path}/dbs", {"name": "shop"}, status=201)
    ask("GET", f"{path}/dbs/shop")
    ask("PUT", f"{path}/firewall", {"rules": [{"type": "ip_addr", "value": "192.0.2.7"}]}, status=204)
    assert ask("GET", f"{path}/firewall")["rules"][0]["value"] == "192.0.2.7"
    ask("PUT", f"{path}/maintenance", {"day": "tuesday", "hour": "14:00"}, status=204)
    ask("PUT", f"{path}/resize", {"size": "db-s-1vcpu-2gb", "num_nodes": 1}, status=202)
    resized = cloud.wait("The cluster", path, lambda status, body: body["database"]["status"] == "online")
    assert resized["database"]["size"] == "db-s-1vcpu-2gb"
    ask("PUT", f"{path}/upgrade", {"version": "17"}, status=422)
    pool = {"name": "shop", "mode": "transaction", "size": 5, "db": "shop", "user": "app"}
    ask("POST", f"{path}/pools", pool, status=201)
    ask("PUT", f"{path}/pools/shop", {**pool, "size": 6}, status=204)
    assert ask("GET", f"{path}/pools")["pools"][0]["size"] == 6
    ask("DELETE", f"{path}/pools/shop", status=204)
    assert ask("GET", f"{path}/replicas")["replicas"] == []
    ask("POST", f"{path}/replicas", {"name": "spec-replica", "size": "db-s-1vcpu-2gb"}, status=501)
    ask("DELETE", f"{path}/dbs/shop", status=204)
    ask("DELETE", f"{path}/users/app", status=204)
    ask("DELETE", path, status=204)
