# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, load balancers, certificates, names, addresses, disks, projects, keys: each kind through its whole life, and through what goes wrong."""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import balancer, certificate, creation, resource
from tests.integration import do_tls
from tests.integration.do_inprocess import Account

Arguments = dict[str, Any]
TASKS = Path(__file__).parents[2] / "inventories" / "tasks"
ANY = {"addresses": ["0.0.0.0/0"]}
HTTP = {"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 8080}
HTTPS = {**HTTP, "entry_protocol": "https", "entry_port": 443, "certificate": "shop"}
BALANCER = {"region": "fra1", "forwarding_rules": [HTTP]}
OWN = do_tls.own("shop.example.com")
WEB = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}


def public_key() -> str:
    return "ssh-ed25519 " + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + os.urandom(32)).decode()


KEYS = [public_key() for _number in range(45)]
KEY = KEYS[0]


# module, arguments that find the object, arguments of its first state, changes one after the other
MATRIX: list[tuple[str, Arguments, Arguments, list[Arguments]]] = [
    ("do_ssh_key", {"name": "mx-key"}, {"public_key": KEY}, []),
    ("do_ssh_key", {"public_key": KEY}, {"name": "mx-key"}, [{"name": "mx-renamed"}]),
    ("do_vpc", {"name": "mx-vpc"}, {"region": "fra1"}, [{"description": "changed"}]),
    (
        "do_firewall",
        {"name": "mx-firewall"},
        {"tags": ["mx-a"], "inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": ANY}]},
        [
            {"inbound_rules": [{"protocol": "tcp", "ports": "80", "sources": ANY}, {"protocol": "icmp", "sources": {"tags": ["mx-b"]}}]},
            {"outbound_rules": [{"protocol": "udp", "ports": "53", "destinations": ANY}]},
            {"tags": ["mx-b"]},
        ],
    ),
    (
        "do_load_balancer",
        {"name": "mx-balancer"},
        {**BALANCER, "droplets": ["web-1"]},
        [
            {"droplets": ["web-2"]},
            {"forwarding_rules": [HTTP, HTTPS], "redirect_http_to_https": True},
            {"health_check": {"protocol": "tcp", "port": 8080}},
            {"health_check": {"path": "/healthz", "check_interval_seconds": 3}},
            {"sticky_sessions": {"type": "cookies", "cookie_name": "lb", "cookie_ttl_seconds": 300}},
            {"sticky_sessions": {"type": "none"}},
            {"enable_proxy_protocol": True, "enable_backend_keepalive": True, "http_idle_timeout_seconds": 90, "size_unit": 2, "tls_cipher_policy": "STRONG"},
            {"droplets": []},
        ],
    ),
    ("do_load_balancer", {"name": "mx-tagged"}, {**BALANCER, "tag": "mx-new-tag", "network": "INTERNAL"}, [{"tag": "mx-other-tag"}]),
    ("do_domain", {"name": "mx-new.example.org"}, {}, []),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "name": "www", "type": "A"},
        {"data": ["192.0.2.2", "192.0.2.1"]},
        [{"data": ["192.0.2.2", "192.0.2.3", "192.0.2.4"]}, {"ttl": 60}, {"data": ["192.0.2.9"], "ttl": 90}],
    ),
    ("do_domain_record", {"domain": "mx.example.com", "type": "AAAA"}, {"data": ["2001:DB8:0::1"]}, [{"data": ["2001:db8::2"]}]),
    ("do_domain_record", {"domain": "mx.example.com", "name": "alias", "type": "CNAME"}, {"data": ["www.example.com"]}, [{"data": ["@"]}]),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "type": "MX"},
        {"data": ["10 mx1.example.net.", "20 mx2.example.net"]},
        [{"data": ["10 mx2.example.net"]}],
    ),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "name": "_sip._tcp", "type": "SRV"},
        {"data": ["10 60 5060 sip.example.com."]},
        [{"data": ["10 50 5061 sip.example.com."]}],
    ),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "type": "CAA"},
        {"data": ['0 issue "letsencrypt.org"']},
        [{"data": ['0 iodef "mailto:a@example.com"']}],
    ),
    ("do_domain_record", {"domain": "mx.example.com", "type": "TXT"}, {"data": ["v=spf1 -all", "other words"]}, [{"data": ["v=spf1 mx -all"]}]),
    ("do_domain_record", {"domain": "mx.example.com", "name": "sub", "type": "NS"}, {"data": ["ns1.example.net."]}, []),
    ("do_volume", {"name": "mx-disk", "region": "fra1"}, {"size_gigabytes": 10, "tags": ["mx-a"]}, [{"size_gigabytes": 20}, {"tags": ["mx-b"]}, {"tags": []}]),
    (
        "do_volume",
        {"name": "mx-attached", "region": "fra1"},
        {"size_gigabytes": 10, "droplet": "web-1", "filesystem_type": "ext4", "filesystem_label": "mx", "description": "d"},
        [{"droplet": "web-2"}, {"droplet": ""}, {"droplet": "web-1"}],
    ),
    ("do_project", {"name": "mx-project"}, {"purpose": "Web Application"}, [{"purpose": "my own"}, {"description": "d"}, {"environment": "Production"}]),
    ("do_certificate", {"name": "mx-cert"}, {"dns_names": ["mx.example.com"]}, [{"dns_names": ["mx.example.com", "www.mx.example.com"]}]),
    ("do_certificate", {"name": "mx-own"}, do_tls.own("mx.example.com"), [do_tls.own("mx.example.com")]),
    ("do_spaces_key", {"name": "mx-key", "secret_file": "FILE"}, {"grants": [{"bucket": "b", "permission": "read"}]}, []),
    ("do_reserved_ip", {"droplet": "web-1"}, {}, []),
]


@pytest.fixture
def furnished(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with two droplets, a certificate and a domain, in which changes take a moment."""
    for module in (resource, balancer, certificate):
        monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    assert account.request("POST", "/v2/droplets", {"names": ["web-1", "web-2"], "tags": ["web"], **WEB})[0] == 202
    assert account.request("POST", "/v2/domains", {"name": "mx.example.com"})[0] == 201
    assert account.request("POST", "/v2/certificates", {"name": "shop", "dns_names": ["mx.example.com"]})[0] == 201
    account.control("PUT", "settings", {"settle_seconds": 0.05})
    return account


@pytest.mark.parametrize(("module", "found", "first", "changes"), MATRIX, ids=[f"{number}-{row[0]}" for number, row in enumerate(MATRIX)])
def test_matrix(furnished: Account, tmp_path: Path, module: str, found: Arguments, first: Arguments, changes: list[Arguments]) -> None:
    found = {key: str(tmp_path / "secret") if value == "FILE" else value for key, value in found.items()}
    state = {**found, **first}
    assert furnished.both(module, state)["changed"]
    assert not furnished.both(module, state)["changed"]
    for change in changes:
        state = {**state, **change}
        assert furnished.both(module, state)["changed"], change
        assert not furnished.both(module, state)["changed"], change
    gone = {**found, "state": "absent", **({"name": state["name"]} if "name" in state else {})}
    assert furnished.both(module, gone)["changed"]
    assert not furnished.both(module, gone)["changed"]


def made(account: Account, path: str, body: Any) -> Any:
    """What the API answers to the creation of an object."""
    status, answer = account.request("POST", path, body)
    assert status < 300, answer
    return next(value for key, value in answer.items() if key != "links")


def droplets(account: Account) -> list[int]:
    return [one["id"] for one in account.request("GET", "/v2/droplets")[1]["droplets"]]


def balancer_of(account: Account, name: str = "lb") -> Any:
    return next(one for one in account.request("GET", "/v2/load_balancers")[1]["load_balancers"] if one["name"] == name)


# module, the request that makes one of many, arguments of the module for it, the field by which the information module finds it
MANY: list[tuple[str, str, Callable[[int], Any], Callable[[int], Arguments], str]] = [
    ("do_ssh_key", "/v2/account/keys", lambda n: {"name": f"mx-{n}", "public_key": KEYS[n]}, lambda n: {"name": f"mx-{n}", "public_key": KEYS[n]}, "name"),
    ("do_vpc", "/v2/vpcs", lambda n: {"name": f"mx-{n}", "region": "fra1"}, lambda n: {"name": f"mx-{n}", "region": "fra1"}, "name"),
    (
        "do_firewall",
        "/v2/firewalls",
        lambda n: {"name": f"mx-{n}", "inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": ANY}]},
        lambda n: {"name": f"mx-{n}"},
        "name",
    ),
    (
        "do_load_balancer",
        "/v2/load_balancers",
        lambda n: {"name": f"mx-{n}", "region": "fra1", "forwarding_rules": [HTTP], "droplet_ids": []},
        lambda n: {"name": f"mx-{n}", **BALANCER},
        "name",
    ),
    ("do_domain", "/v2/domains", lambda n: {"name": f"mx-{n}.example.org"}, lambda n: {"name": f"mx-{n}.example.org"}, "name"),
    (
        "do_volume",
        "/v2/volumes",
        lambda n: {"name": f"mx-{n}", "region": "fra1", "size_gigabytes": 1},
        lambda n: {"name": f"mx-{n}", "region": "fra1", "size_gigabytes": 1},
        "name",
    ),
    (
        "do_certificate",
        "/v2/certificates",
        lambda n: {"name": f"mx-{n}", "type": "custom", **OWN},
        lambda n: {"name": f"mx-{n}", **OWN},
        "name",
    ),
    ("do_project", "/v2/projects", lambda n: {"name": f"mx-{n}", "purpose": "IoT"}, lambda n: {"name": f"mx-{n}", "purpose": "IoT"}, "name"),
    ("do_spaces_key", "/v2/spaces/keys", lambda n: {"name": f"mx-{n}", "grants": []}, lambda n: {"name": f"mx-{n}"}, "name"),
    ("do_reserved_ip", "/v2/reserved_ips", lambda _n: {"region": "fra1"}, lambda n: {"ip": f"198.18.0.{n + 1}"}, "ip"),
]


@pytest.mark.parametrize(("module", "where", "order", "arguments", "field"), MANY, ids=[row[0] for row in MANY])
def test_more_objects_than_a_page_hide_none(
    account: Account, module: str, where: str, order: Callable[[int], Any], arguments: Callable[[int], Arguments], field: str
) -> None:
    """45, of which the API shows 20 unless it is asked for more."""
    for number in range(45):
        made(account, where, order(number))
    for number in (0, 44):
        assert not account.both(module, arguments(number))["changed"]
    told = account.module(f"{module}_info", {})[f"{module.removeprefix('do_')}s"]
    wanted = {arguments(number)[field] for number in range(45)}
    assert wanted <= {one[field] for one in told}
    one = account.module(f"{module}_info", {field: arguments(7)[field]})[f"{module.removeprefix('do_')}s"]
    assert [each[field] for each in one] == [arguments(7)[field]]


def test_more_records_than_a_page_hide_none(account: Account) -> None:
    made(account, "/v2/domains", {"name": "mx.example.com"})
    values = [f"192.0.2.{number}" for number in range(1, 46)]
    assert account.both("do_domain_record", {"domain": "mx.example.com", "name": "www", "type": "A", "data": values})["changed"]
    assert not account.both("do_domain_record", {"domain": "mx.example.com", "name": "www", "type": "A", "data": values})["changed"]
    told = account.module("do_domain_record_info", {"domain": "mx.example.com", "name": "www", "type": "A"})["domain_records"]
    assert [sorted(one["data"]) for one in told] == [sorted(values)]
    assert len(account.module("do_domain_record_info", {"domain": "mx.example.com"})["domain_records"]) == 2


@pytest.mark.parametrize(
    ("module", "kind", "where", "order", "arguments"),
    [
        ("do_vpc", "vpc", "/v2/vpcs", {"name": "twin", "region": "fra1"}, {}),
        ("do_firewall", "firewall", "/v2/firewalls", {"name": "twin", "inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": ANY}]}, {}),
        ("do_load_balancer", "load_balancer", "/v2/load_balancers", {"name": "twin", **BALANCER, "droplet_ids": []}, BALANCER),
        ("do_load_balancer_member", "load_balancer", "/v2/load_balancers", {"name": "twin", **BALANCER, "droplet_ids": []}, {"droplet": "web-1"}),
        ("do_volume", "volume", "/v2/volumes", {"name": "twin", "region": "fra1", "size_gigabytes": 1}, {"region": "fra1", "size_gigabytes": 1}),
        ("do_project", "project", "/v2/projects", {"name": "twin", "purpose": "IoT"}, {"purpose": "IoT"}),
        ("do_certificate", "certificate", "/v2/certificates", {"name": "twin", "type": "custom", **OWN}, {}),
        ("do_spaces_key", "spaces_key", "/v2/spaces/keys", {"name": "twin", "grants": []}, {}),
    ],
)
def test_two_of_one_name_are_an_error_not_a_guess(furnished: Account, module: str, kind: str, where: str, order: Arguments, arguments: Arguments) -> None:
    first = made(furnished, where, order)
    id_ = first.get("id", first.get("access_key"))
    second = {**furnished.world.store.get(kind, id_), "id": str(uuid.uuid4())}  # type: ignore[dict-item]
    furnished.world.store.put(kind, second["id"], second)
    name = "load_balancer" if module.endswith("_member") else "name"
    result = furnished.module(module, {name: "twin", **arguments, "state": "absent"})
    assert result["failed"] and "which is meant cannot be told" in result["msg"]


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be seen in ten seconds is seen in two tenths of one, in which the cloud settles: that takes its time here."""
    monkeypatch.setattr(creation, "SETTLE", 0.2)
    monkeypatch.setattr(creation, "LOOK_EVERY", 0.05)


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 1}], ids=["answer lost", "503", "429"])
@pytest.mark.parametrize(
    ("module", "where", "key", "arguments"),
    [
        ("do_load_balancer", "/v2/load_balancers", "load_balancers", {"name": "lb", **BALANCER}),
        ("do_domain_record", "/v2/domains/mx.example.com/records", "domain_records", {"domain": "mx.example.com", "type": "TXT", "data": ["x"]}),
        ("do_reserved_ip", "/v2/reserved_ips", "reserved_ips", {"droplet": "web-1"}),
        ("do_volume", "/v2/volumes", "volumes", {"name": "disk", "region": "fra1", "size_gigabytes": 1}),
        ("do_certificate", "/v2/certificates", "certificates", {"name": "own", **OWN}),
        ("do_project", "/v2/projects", "projects", {"name": "p", "purpose": "IoT"}),
    ],
)
def test_a_fault_at_the_creation_makes_neither_two_nor_none(
    furnished: Account, shortly: None, module: str, where: str, key: str, arguments: Arguments, fault: Arguments
) -> None:
    before = len(furnished.request("GET", where)[1][key])
    furnished.control("POST", "faults", {"method": "POST", "path": where, **fault})
    result = furnished.module(module, arguments)
    assert not result.get("failed"), result
    assert len(furnished.request("GET", where)[1][key]) == before + 1


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}], ids=["answer lost", "503"])
@pytest.mark.parametrize(
    ("path", "change"),
    [("/v2/volumes/*/actions", {"size_gigabytes": 2}), ("/v2/volumes/*/actions", {"droplet": "web-2"}), ("/v2/tags/mx/resources", {"tags": ["mx"]})],
)
def test_a_fault_at_a_change_is_looked_up(furnished: Account, shortly: None, path: str, change: Arguments, fault: Arguments) -> None:
    disk = {"name": "disk", "region": "fra1", "size_gigabytes": 1, "droplet": "web-1"}
    furnished.both("do_volume", disk)
    furnished.control("POST", "faults", {"method": "POST", "path": path, **fault})
    result = furnished.module("do_volume", {**disk, **change})
    assert not result.get("failed"), result
    assert not furnished.both("do_volume", {**disk, **change})["changed"]


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("do_load_balancer", {"name": "lb", **BALANCER, "vpc": "nowhere"}, "no VPC named nowhere"),
        ("do_load_balancer", {"name": "lb", **BALANCER, "droplets": ["nobody", "web-1"]}, "no droplet named nobody"),
        ("do_load_balancer", {"name": "lb", **BALANCER, "forwarding_rules": [{**HTTPS, "certificate": "none"}]}, "no TLS certificate named none"),
        ("do_load_balancer_member", {"load_balancer": "none", "droplet": "web-1"}, "no load balancer named none"),
        ("do_domain_record", {"domain": "none.example.com", "type": "A", "data": ["192.0.2.1"]}, "no domain none.example.com"),
        ("do_reserved_ip", {"droplet": "nobody"}, "no droplet named nobody"),
        ("do_volume", {"name": "disk", "region": "fra1", "size_gigabytes": 1, "droplet": "nobody"}, "no droplet named nobody"),
    ],
)
def test_what_belongs_to_something_still_to_come_can_be_planned_but_not_made(furnished: Account, module: str, arguments: Arguments, said: str) -> None:
    before = furnished.writes()
    assert furnished.module(module, arguments, check=True)["changed"]
    assert said in furnished.module(module, arguments)["msg"]
    assert furnished.writes() == before


@pytest.mark.parametrize(
    ("module", "first", "change", "said"),
    [
        ("do_load_balancer", {"name": "lb", **BALANCER}, {"region": "ams3"}, "region fra1, not ams3"),
        ("do_volume", {"name": "disk", "size_gigabytes": 9, "region": "fra1"}, {"size_gigabytes": 8}, "cannot shrink to 8"),
        ("do_volume", {"name": "disk", "size_gigabytes": 9, "region": "fra1"}, {"filesystem_type": "xfs"}, "filesystem_type , not xfs"),
        ("do_spaces_key", {"name": "key", "return_secret": True}, {"grants": [{"permission": "fullaccess"}]}, "grants [], not"),
    ],
)
def test_what_is_fixed_is_refused(furnished: Account, module: str, first: Arguments, change: Arguments, said: str) -> None:
    assert furnished.both(module, first)["changed"]
    assert said in furnished.module(module, {**first, **change}, check=True)["msg"]


def test_a_refusal_says_which_field_and_why(furnished: Account) -> None:
    result = furnished.module("do_load_balancer", {"name": "lb", **BALANCER, "forwarding_rules": [HTTP, {**HTTP, "target_port": 81}]})
    assert "422" in result["msg"] and "two rules have the same entry_port" in result["msg"] and result["fields"] == ["forwarding_rules"]


def test_the_rate_limit_is_waited_for_so_that_nothing_is_asked_only_to_be_refused(account: Account) -> None:
    vpc = {"name": "patient", "region": "fra1"}
    account.module("do_vpc", vpc)
    needed = account.calls()
    account.module("do_vpc", {**vpc, "state": "absent"})
    account.control("PUT", "settings", {"rate_limit": 2, "rate_window_seconds": 1})
    account.control("DELETE", "calls")
    time.sleep(1.1)  # what was asked so far counts no more
    result = account.module("do_vpc", vpc)
    assert not result.get("failed"), result
    assert account.calls() == needed


def test_a_firewall_holds_exactly_what_is_declared(account: Account) -> None:
    rule = {"protocol": "tcp", "ports": "22", "sources": ANY}
    wall = {"name": "wall", "inbound_rules": [rule], "outbound_rules": [{"protocol": "udp", "ports": "53", "destinations": ANY}]}
    account.both("do_firewall", wall)
    account.both("do_firewall", {"name": "wall", "inbound_rules": [{**rule, "ports": "443"}]})
    held = account.request("GET", "/v2/firewalls")[1]["firewalls"][0]
    assert [one["ports"] for one in held["inbound_rules"]] == ["443"]
    assert [one["ports"] for one in held["outbound_rules"]] == ["53"]


def test_a_change_of_a_load_balancer_keeps_what_no_option_names(furnished: Account) -> None:
    furnished.control("PUT", "settings", {"settle_seconds": 0})
    made(
        furnished,
        "/v2/load_balancers",
        {"name": "lb", "region": "fra1", "forwarding_rules": [HTTP], "tag": "web", "firewall": {"deny": ["ip:192.0.2.1"], "allow": []}, "size_unit": 3},
    )
    assert furnished.both("do_load_balancer", {"name": "lb", **BALANCER, "forwarding_rules": [{**HTTP, "target_port": 81}]})["changed"]
    held = balancer_of(furnished)
    assert (held["firewall"]["deny"], held["size_unit"], held["tag"]) == (["ip:192.0.2.1"], 3, "web")
    assert held["droplet_ids"] == droplets(furnished)
    result = furnished.both("do_load_balancer", {"name": "lb", **BALANCER, "droplets": ["web-2"]})
    assert (result["load_balancer"]["tag"], result["load_balancer"]["droplet_ids"]) == ("", droplets(furnished)[1:])


@pytest.mark.parametrize("membership", [{"droplets": ["web-1", "web-2"]}, {"tag": "web"}], ids=["by id", "by tag"])
def test_a_droplet_is_taken_out_and_put_in_again(furnished: Account, membership: Arguments) -> None:
    furnished.both("do_load_balancer", {"name": "lb", **BALANCER, **membership})
    first, second = droplets(furnished)
    place = {"load_balancer": "lb", "droplet": "web-1", "drain_seconds": 0}
    assert not furnished.both("do_load_balancer_member", place)["changed"]
    out = furnished.both("do_load_balancer_member", {**place, "state": "absent"})
    assert out["changed"] and not out["load_balancer_member"]["member"]
    assert balancer_of(furnished)["droplet_ids"] == [second]
    assert not furnished.both("do_load_balancer_member", {**place, "state": "absent"})["changed"]
    refused = furnished.module("do_load_balancer_member", {**place, "droplet": "web-2", "state": "absent"})
    assert refused["failed"] and "0 other droplets would be left" in refused["msg"]
    assert furnished.both("do_load_balancer_member", place)["load_balancer_member"]["member"]
    assert balancer_of(furnished)["droplet_ids"] == [first, second]
    assert furnished.both("do_load_balancer_member", {**place, "droplet": str(second), "state": "absent", "remaining": 0})["changed"]


def test_the_tasks_of_the_example_take_a_droplet_out_and_put_it_in(furnished: Account) -> None:
    furnished.both("do_load_balancer", {"name": "lb", **BALANCER, "tag": "web"})
    first, second = droplets(furnished)
    names = {"{{ patch_load_balancer }}": "lb", "{{ inventory_hostname }}": "web-1"}
    for file, left in (("out-of", [second]), ("into", [first, second])):
        [task] = yaml.safe_load((TASKS / f"{file}-load-balancer.yml").read_text())
        arguments = {key: names.get(value, value) for key, value in task["groundcrew.ops.do_load_balancer_member"].items()}
        assert furnished.module("do_load_balancer_member", {**arguments, "drain_seconds": 0})["changed"]
        assert balancer_of(furnished)["droplet_ids"] == left


@pytest.mark.parametrize("wrong", [{"load_balancer": "lbb"}, {"droplet": "web-11"}])
def test_a_wrong_name_is_never_taken_for_a_droplet_that_is_out(furnished: Account, wrong: Arguments) -> None:
    furnished.both("do_load_balancer", {"name": "lb", **BALANCER, "tag": "web"})
    result = furnished.module("do_load_balancer_member", {"load_balancer": "lb", "droplet": "web-1", **wrong, "state": "absent"})
    assert result["failed"] and "There is no" in result["msg"]


def test_requests_under_way_get_their_time(furnished: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    furnished.both("do_load_balancer", {"name": "lb", **BALANCER, "tag": "web"})
    monkeypatch.setattr("ansible_collections.groundcrew.ops.plugins.module_utils._core.wait.Clock.sleep", lambda _clock, seconds: slept.append(seconds))
    furnished.module("do_load_balancer_member", {"load_balancer": "lb", "droplet": "web-1", "state": "absent", "drain_seconds": 33})
    assert slept[-1] == 33


def test_a_record_set_leaves_every_other_alone_and_never_answers_with_nothing(furnished: Account) -> None:
    for type_, data in (("A", "192.0.2.1"), ("A", "192.0.2.2"), ("TXT", "kept")):
        made(furnished, "/v2/domains/mx.example.com/records", {"type": type_, "name": "www", "data": data, "flags": None, "tag": None})
    before = furnished.request("GET", "/v2/domains/mx.example.com/records?per_page=100")[1]["domain_records"]
    furnished.control("DELETE", "calls")
    furnished.both("do_domain_record", {"domain": "mx.example.com", "name": "www", "type": "A", "data": ["192.0.2.8"]})
    after = furnished.request("GET", "/v2/domains/mx.example.com/records?per_page=100")[1]["domain_records"]
    assert [one for one in after if one["type"] != "A"] == [one for one in before if one["type"] != "A"]
    assert sorted(call.split()[0] for call in furnished.writes()) == ["DELETE", "PUT"]


def test_an_address_moves_between_droplets_and_is_kept(furnished: Account) -> None:
    first, second = droplets(furnished)
    ip = furnished.both("do_reserved_ip", {"droplet": "web-1"})["reserved_ip"]["ip"]
    assert furnished.both("do_reserved_ip", {"ip": ip, "droplet": "web-2"})["reserved_ip"]["droplet_id"] == second
    assert furnished.both("do_reserved_ip", {"ip": ip, "droplet": ""})["reserved_ip"]["droplet_id"] == 0
    assert not furnished.both("do_reserved_ip", {"ip": ip})["changed"]
    assert furnished.both("do_reserved_ip", {"ip": ip, "droplet": str(first)})["changed"]
    assert furnished.both("do_reserved_ip", {"ip": ip, "state": "absent"})["changed"]
    assert "cannot be ordered by its address" in furnished.module("do_reserved_ip", {"ip": ip, "droplet": "web-1"}, check=True)["msg"]


def test_a_project_takes_resources_and_is_not_removed_with_them(furnished: Account) -> None:
    first, second = (f"do:droplet:{number}" for number in droplets(furnished))
    one = {"name": "one", "purpose": "IoT", "resources": [first]}
    assert furnished.both("do_project", one)["project"]["resources"] == [first]
    assert furnished.both("do_project", {**one, "resources": [second]})["project"]["resources"] == [first, second]
    assert not furnished.both("do_project", one)["changed"]
    assert "still holds 2 resources" in furnished.module("do_project", {"name": "one", "state": "absent"}, check=True)["msg"]
    assert furnished.both("do_project", {"name": "two", "purpose": "IoT", "resources": [first, second]})["changed"]
    assert furnished.both("do_project", {"name": "one", "state": "absent"})["changed"]
    wrong = furnished.module("do_project", {"name": "two", "purpose": "IoT", "resources": ["do:droplet:5"]})
    assert wrong["failed"] and "do:droplet:5" in wrong["msg"]


def test_the_secret_of_a_key_goes_into_its_file_alone(account: Account, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    key = {"name": "backups", "grants": [{"bucket": "b", "permission": "readwrite"}], "secret_file": str(file)}
    result = account.both("do_spaces_key", key)
    content = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o400
    assert content["access_key"] == result["spaces_key"]["access_key"]
    assert content["secret_key"] and content["secret_key"] not in json.dumps(result)
    file.unlink()
    assert "does not hold its secret" in account.module("do_spaces_key", key)["msg"]
    assert account.both("do_spaces_key", {**key, "state": "absent"})["changed"]
    assert account.both("do_spaces_key", key)["changed"] and file.exists()
    account.both("do_spaces_key", {**key, "state": "absent"})
    assert not file.exists()


def test_a_file_is_not_taken_from_another_key(account: Account, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    account.both("do_spaces_key", {"name": "one", "secret_file": str(file)})
    kept = file.read_text()
    assert "is for the secret of Spaces key one" in account.module("do_spaces_key", {"name": "two", "secret_file": str(file)})["msg"]
    assert file.read_text() == kept
    assert account.request("POST", "/v2/spaces/keys", {"name": "two", "grants": []})[0] == 201
    assert account.both("do_spaces_key", {"name": "two", "secret_file": str(file), "state": "absent"})["changed"]
    assert file.read_text() == kept
    file.chmod(0o600)
    file.write_text("words")
    assert "no file of a Spaces key" in account.module("do_spaces_key", {"name": "two", "secret_file": str(file)})["msg"]


def test_a_secret_is_told_only_where_nobody_sees_it(account: Account) -> None:
    key = {"name": "told", "return_secret": True}
    assert "no_log" in account.module("do_spaces_key", {**key, "_ansible_no_log": False})["msg"]
    assert "would be lost" in account.module("do_spaces_key", {"name": "told"}, check=True)["msg"]
    assert account.module("do_spaces_key", key)["secret_key"]
    assert account.module("do_spaces_key", key)["secret_key"] is None


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}], ids=["answer lost", "503"])
@pytest.mark.usefixtures("hurried")
def test_a_key_whose_answer_got_lost_is_made_anew_and_leaves_no_orphan(account: Account, tmp_path: Path, fault: Arguments) -> None:
    account.control("POST", "faults", {"method": "POST", "path": "/v2/spaces/keys", **fault})
    result = account.module("do_spaces_key", {"name": "k", "secret_file": str(tmp_path / "k")})
    assert not result.get("failed"), result
    [held] = account.request("GET", "/v2/spaces/keys")[1]["keys"]
    assert held["access_key"] == json.loads((tmp_path / "k").read_text())["access_key"]


def test_a_key_of_a_run_that_was_cut_off_is_made_anew(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"name": "k", "secret_file": str(tmp_path / "k")}
    with monkeypatch.context() as cut:
        keep = "ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.spaces.SpacesKey._keep_secret"
        cut.setattr(keep, Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            account.module("do_spaces_key", key)
    [orphan] = account.request("GET", "/v2/spaces/keys")[1]["keys"]
    assert account.both("do_spaces_key", key)["changed"]
    [held] = account.request("GET", "/v2/spaces/keys")[1]["keys"]
    assert held["access_key"] == json.loads((tmp_path / "k").read_text())["access_key"] != orphan["access_key"]
    assert not account.both("do_spaces_key", key)["changed"]
