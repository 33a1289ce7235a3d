# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine and its kinds over scripted answers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import kinds
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import CLUSTER, state_of, trusted_sources
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.credentials import connection_field
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICjdUPQXrzG1jYQIrZlQcVrz4Qjut1/yEpFRiyZAcNtf somebody@here"
CONNECTION = {
    "host": "db.example",
    "port": 25060,
    "user": "doadmin",
    "database": "defaultdb",
    "password": "s3cret/x",
    "uri": "postgresql://doadmin:s3cret/x@db",
}
FOUND = {
    "id": "9cc10173-e9ea-4176-9dbc-a4cee4c4ff30",
    "name": "pg",
    "engine": "pg",
    "version": "17",
    "status": "online",
    "num_nodes": 1,
    "size": "db-1",
    "region": "fra1",
    "connection": CONNECTION,
    "maintenance_window": {"day": "sunday", "hour": "03:00:00"},
    "users": [{"name": "doadmin", "password": "s3cret/x"}],
}


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body


class Script:
    """Answers by method and path; what was asked is kept."""

    def __init__(self, answers: dict[tuple[str, str], Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        self.asked.append((method, path, body))
        answer = self.answers[(method, path.split("?")[0])]
        if callable(answer):
            answer = answer(path, body)
        return answer if isinstance(answer, Answer) else Answer(200, answer)


class Time(Clock):
    passed = 0.0

    def now(self) -> float:
        return self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


def resource(script: Script, kind: Kind, present: bool = True, **wanted: Any) -> Resource:
    return Resource(Client(script), kind, wanted, present=present, clock=Time())


@pytest.mark.parametrize("style", ["total", "links"])
def test_every_page_is_read(style: str) -> None:
    objects = [{"id": number, "name": f"vpc-{number}"} for number in range(450)]

    def page(path: str, _body: Any) -> dict[str, Any]:
        number = int(path.partition("&page=")[2] or 1)
        shown = objects[(number - 1) * 200 : number * 200]
        last = number * 200 >= len(objects)
        return {"vpcs": shown, **({"meta": {"total": 450}} if style == "total" else {"links": {"pages": {} if last else {"next": "x"}}})}

    script = Script({("GET", "/v2/vpcs"): page})
    assert Client(script).list("/v2/vpcs", "vpcs") == objects
    assert len(script.asked) == 3


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, "Unable to authenticate you", "DIGITALOCEAN_TOKEN"),
        (403, "missing scope droplet:create", "scope"),
        (422, "Region is not available", r"Field region \('moon1'\)"),
        (404, "not found", "right team"),
    ],
)
def test_a_refusal_says_what_where_and_what_next(status: int, message: str, said: str) -> None:
    script = Script({("POST", "/v2/vpcs"): Answer(status, {"message": message})})
    with pytest.raises(OpsError, match=said) as raised:
        Client(script).post("/v2/vpcs", {"name": "n", "region": "moon1"})
    assert message in raised.value.message
    assert "POST /v2/vpcs" in raised.value.message


def test_a_refusal_does_not_repeat_a_secret() -> None:
    script = Script({("POST", "/v2/droplets"): Answer(422, {"message": "user_data is too long"})})
    with pytest.raises(OpsError) as raised:
        Client(script).post("/v2/droplets", {"user_data": "hunter2"})
    assert "hunter2" not in raised.value.message
    assert raised.value.details["fields"] == ["user_data"]


def test_no_token_is_said_before_any_call() -> None:
    with pytest.raises(OpsError, match="DIGITALOCEAN_TOKEN"):
        connect({"api_token": None})


def test_two_objects_of_one_name_are_an_error() -> None:
    script = Script({("GET", "/v2/vpcs"): {"vpcs": [{"id": "a", "name": "n"}, {"id": "b", "name": "n"}]}})
    with pytest.raises(OpsError, match=r"2 objects .* \(a, b\)"):
        resource(script, kinds.VPC, name="n").read()


def test_a_field_that_is_fixed_is_refused() -> None:
    script = Script({("GET", "/v2/vpcs"): {"vpcs": [{"id": "a", "name": "n", "region": "fra1"}]}})
    vpc = resource(script, kinds.VPC, name="n", region="ams3")
    with pytest.raises(OpsError, match="region fra1, not ams3"):
        vpc.desired(vpc.read())


def test_an_answer_that_got_lost_creates_nothing_twice() -> None:
    held: list[dict[str, Any]] = []

    def create(_path: str, body: Any) -> Any:
        held.append({**body, "id": "a"})
        raise AmbiguousError("no answer")

    script = Script({("GET", "/v2/vpcs"): lambda _path, _body: {"vpcs": held}, ("POST", "/v2/vpcs"): create})
    vpc = resource(script, kinds.VPC, name="n", region="fra1")
    vpc.apply(plan(vpc.read(), vpc.desired(None)))
    assert len([call for call in script.asked if call[0] == "POST"]) == 1


def test_a_key_is_found_by_its_material_and_renamed() -> None:
    fingerprint = kinds.key_fingerprint(PUBLIC_KEY)
    assert fingerprint == "8f:71:d3:92:f3:6b:da:94:30:4b:bf:99:4d:ca:a3:a5"
    key = {"id": 5, "name": "old", "fingerprint": fingerprint, "public_key": PUBLIC_KEY}
    script = Script({("GET", "/v2/account/keys"): {"ssh_keys": [key]}, ("PUT", "/v2/account/keys/5"): {}})
    found = resource(script, kinds.SSH_KEY, name="new", public_key=kinds.bare_key(PUBLIC_KEY))
    before = found.read()
    found.apply(plan(before, found.desired(before)))
    assert ("PUT", "/v2/account/keys/5", {"name": "new"}) in script.asked


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 ***", "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(OpsError, match=r"\.pub"):
        kinds.bare_key(text)


def test_firewall_rules_compare_without_order_and_empty_lists() -> None:
    declared = [
        {"protocol": "icmp", "ports": "0", "sources": {"tags": ["a"]}},
        {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["::/0", "0.0.0.0/0"]}},
    ]
    answered = [
        {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0", "::/0"], "tags": None, "droplet_ids": []}},
        {"protocol": "icmp", "sources": {"tags": ["a"], "addresses": []}},
    ]
    assert kinds.normal_rules(declared, "sources") == kinds.normal_rules(answered, "sources")
    assert kinds.normal_rules(declared, "sources") != kinds.normal_rules(answered[:1], "sources")


def test_no_password_leaves_the_state_of_a_cluster() -> None:
    assert "s3cret" not in str(state_of(FOUND))
    assert state_of(FOUND)["maintenance_window"] == {"day": "sunday", "hour": "03:00"}


def test_trusted_sources_get_ids_and_keep_names_that_do_not_exist_yet() -> None:
    script = Script({("GET", "/v2/droplets"): {"droplets": [{"id": 5, "name": "web-1"}]}})
    declared = [{"droplet": "web-1"}, {"droplet": "web-2"}, {"tag": "app"}, {"ip_addr": "192.0.2.1"}]
    sources = trusted_sources(Client(script), declared)
    assert sources == ["droplet:5", "droplet:web-2", "ip_addr:192.0.2.1", "tag:app"]
    with pytest.raises(OpsError, match="droplet web-2 does not exist"):
        CLUSTER.prepare(Client(script), {"trusted_sources": sources})


@pytest.mark.parametrize(
    ("field", "user", "value"),
    [
        ("host", None, "db.example"),
        ("port", None, "25060"),
        ("password", None, "s3cret/x"),
        ("password", "shop", "other"),
        ("uri", None, "postgresql://doadmin:s3cret%2Fx@db.example:25060/defaultdb?sslmode=require"),
        ("ca", None, "PEM"),
    ],
)
def test_a_connection_is_told_field_by_field(field: str, user: str | None, value: str) -> None:
    where = f"/v2/databases/{FOUND['id']}"
    answers = {
        ("GET", "/v2/databases"): {"databases": [FOUND]},
        ("GET", f"{where}/users/shop"): {"user": {"name": "shop", "password": "other"}},
        ("GET", f"{where}/ca"): {"ca": {"certificate": "UEVN"}},
    }
    assert connection_field(Client(Script(answers)), "pg", field, user=user) == value


@pytest.mark.parametrize(
    ("field", "user", "value"),
    [
        ("port", None, "25061"),
        ("user", None, "shop"),
        ("password", None, "p00l"),
        ("password", "other", "other's"),
        ("uri", None, "postgresql://shop:p00l@db.example:25061/pool?sslmode=require"),
    ],
)
def test_a_connection_pool_has_a_connection_of_its_own(field: str, user: str | None, value: str) -> None:
    where = f"/v2/databases/{FOUND['id']}"
    connection = {**CONNECTION, "port": 25061, "user": "shop", "password": "p00l", "database": "pool"}
    answers = {
        ("GET", "/v2/databases"): {"databases": [FOUND]},
        ("GET", f"{where}/pools/pool"): {"pool": {"name": "pool", "connection": connection}},
        ("GET", f"{where}/pools/none"): Answer(404, {"message": "not found"}),
        ("GET", f"{where}/users/other"): {"user": {"name": "other", "password": "other's"}},
    }
    assert connection_field(Client(Script(answers)), "pg", field, user=user, pool="pool") == value
    with pytest.raises(OpsError, match="do_database_pool"):
        connection_field(Client(Script(answers)), "pg", field, pool="none")
