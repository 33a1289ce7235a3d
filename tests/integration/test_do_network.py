# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, load balancers, names, addresses, disks, projects and keys of an account: each kind through its whole life, and through what goes wrong."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import balancer, resource
from tests.integration.do_inprocess import Account

Arguments = dict[str, Any]
ANY = {"addresses": ["0.0.0.0/0"]}
HTTP = {"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 8080}
HTTPS = {**HTTP, "entry_protocol": "https", "entry_port": 443, "certificate": "shop"}
BALANCER = {"region": "fra1", "forwarding_rules": [HTTP]}
WEB = {"region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}


def public_key() -> str:
    return "ssh-ed25519 " + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + os.urandom(32)).decode()


KEY = public_key()


def urn(kind: str) -> str:
    return f"do:{kind}:mx.example.com"


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
        {"values": ["192.0.2.2", "192.0.2.1"]},
        [{"values": ["192.0.2.2", "192.0.2.3", "192.0.2.4"]}, {"ttl": 60}, {"values": ["192.0.2.9"], "ttl": 90}],
    ),
    ("do_domain_record", {"domain": "mx.example.com", "type": "AAAA"}, {"values": ["2001:DB8:0::1"]}, [{"values": ["2001:db8::2"]}]),
    ("do_domain_record", {"domain": "mx.example.com", "name": "alias", "type": "CNAME"}, {"values": ["www.example.com"]}, [{"values": ["@"]}]),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "type": "MX"},
        {"values": ["10 mx1.example.net.", "20 mx2.example.net"]},
        [{"values": ["10 mx2.example.net"]}],
    ),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "name": "_sip._tcp", "type": "SRV"},
        {"values": ["10 60 5060 sip.example.com."]},
        [{"values": ["10 50 5061 sip.example.com."]}],
    ),
    (
        "do_domain_record",
        {"domain": "mx.example.com", "type": "CAA"},
        {"values": ['0 issue "letsencrypt.org"']},
        [{"values": ['0 iodef "mailto:a@example.com"']}],
    ),
    ("do_domain_record", {"domain": "mx.example.com", "type": "TXT"}, {"values": ["v=spf1 -all", "other words"]}, [{"values": ["v=spf1 mx -all"]}]),
    ("do_domain_record", {"domain": "mx.example.com", "name": "sub", "type": "NS"}, {"values": ["ns1.example.net."]}, []),
    ("do_volume", {"name": "mx-disk", "region": "fra1"}, {"size_gigabytes": 10, "tags": ["mx-a"]}, [{"size_gigabytes": 20}, {"tags": ["mx-b"]}, {"tags": []}]),
    (
        "do_volume",
        {"name": "mx-attached", "region": "fra1"},
        {"size_gigabytes": 10, "droplet": "web-1", "filesystem_type": "ext4", "filesystem_label": "mx", "description": "d"},
        [{"droplet": "web-2"}, {"droplet": ""}, {"droplet": "web-1"}],
    ),
    ("do_project", {"name": "mx-project"}, {"purpose": "Web Application"}, [{"purpose": "my own"}, {"description": "d"}, {"environment": "Production"}]),
    ("do_spaces_key", {"name": "mx-key", "secret_file": "FILE"}, {"grants": [{"bucket": "b", "permission": "read"}]}, []),
    ("do_reserved_ip", {"droplet": "web-1"}, {}, []),
]


@pytest.fixture
def furnished(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with two droplets, a certificate and a domain, in which changes take a moment."""
    monkeypatch.setattr(resource, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(balancer, "LOOK_EVERY", 0.02)
    assert account.request("POST", "/v2/droplets", {"names": ["web-1", "web-2"], "tags": ["web"], **WEB})[0] == 202
    assert account.request("POST", "/v2/certificates", {"name": "shop", "dns_names": ["mx.example.com"]})[0] == 201
    assert account.request("POST", "/v2/domains", {"name": "mx.example.com"})[0] == 201
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
