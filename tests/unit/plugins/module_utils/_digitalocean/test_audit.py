# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of droplets and databases: a state that passes it, and states that fail it."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import ID, SEVERITIES, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import audit_database, audit_droplet
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import Fleet
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import Membership

TODAY = dt.date(2026, 11, 21)
WORLD = {"addresses": ["0.0.0.0/0", "::/0"]}
INBOUND = [{"protocol": "tcp", "ports": "443", "sources": WORLD}, {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["192.0.2.0/24"]}}]
OUTBOUND = [{"protocol": "tcp", "ports": "0", "destinations": WORLD}]
State = dict[str, Any]
Break = Callable[[State], Any]


def droplet(number: int) -> State:
    return {
        "id": number,
        "name": f"web-{number}",
        "status": "active",
        "tags": ["web", "app", "protect"],
        "features": ["backups", "monitoring"],
        "image": {"slug": "debian-13-x64", "created_at": "2026-08-11T00:00:00Z"},
    }


def account() -> State:
    """An account in which nothing is wrong."""
    firewall: State = {"id": "f", "name": "web", "status": "succeeded", "tags": ["web"], "droplet_ids": []}
    firewall |= {"inbound_rules": copy.deepcopy(INBOUND), "outbound_rules": OUTBOUND}
    return copy.deepcopy({"count": 2, "inbound": INBOUND, "tags": ("app",), "droplets": [droplet(1), droplet(2)], "firewalls": [firewall]})


def examined(state: State, break_it: Break = bool) -> dict[tuple[str, str], Finding]:
    break_it(state)
    membership = Membership("droplet", tuple(state.get("names", ())), None if "names" in state else "web", state["count"])
    public = audit_droplet.openings(state["inbound"] or [])
    fleet = Fleet("droplet", "web", membership, public, ssh_port=22, max_age_days=365, today=TODAY)
    declared = audit_droplet.Declared(fleet, state["tags"], state["inbound"], OUTBOUND)
    found = list(audit_droplet.examine(declared, state["droplets"], state["firewalls"]))
    assert len({(each.id, each.subject) for each in found}) == len(found)
    assert all(ID.fullmatch(each.id) and each.severity in SEVERITIES and each.evidence and each.remedy for each in found)
    return {(each.id, each.subject): each for each in found}


def failed(found: dict[tuple[str, str], Finding]) -> set[str]:
    return {f"{name} {subject}" for (name, subject), each in found.items() if each.verdict == "fail"}


def rule(state: State, **given: Any) -> None:
    state["firewalls"][0]["inbound_rules"].append({"protocol": "tcp", "ports": "22", "sources": WORLD, **given})


BROKEN: list[tuple[Break, set[str], str]] = [
    (lambda state: state["droplets"].pop(), {"droplet.count web"}, "1 of 2; missing: web-2."),
    (lambda state: state["droplets"].append(droplet(3)), {"droplet.count web"}, "3 of 2; too many: web-3."),
    (lambda state: state["droplets"][1].update(name="web-1"), {"droplet.count web"}, "missing: web-2; there twice: web-1."),
    (lambda state: state.update(names=["web-1"], count=None), {"droplet.unknown web"}, "Not members: web-2."),
    (lambda state: state["droplets"].append({**droplet(9), "name": "stray"}), {"droplet.unknown web"}, "Not members: stray."),
    (lambda state: state["droplets"][0].update(status="off"), {"droplet.running web-1"}, "It is off."),
    (
        lambda state: state["firewalls"][0].update(tags=[], droplet_ids=[1]),
        {"droplet.firewall web-2", "droplet.public_ports web-2", "droplet.ssh_public web-2"},
        "Behind none.",
    ),
    (
        lambda state: state["firewalls"].clear(),
        {f"droplet.{name} web-{number}" for name in ("firewall", "public_ports", "ssh_public") for number in (1, 2)} | {"droplet.firewall_rules web"},
        "There are 0 firewalls named web.",
    ),
    (
        rule,
        {"droplet.firewall_rules web"} | {f"droplet.{name} web-{number}" for name in ("public_ports", "ssh_public") for number in (1, 2)},
        "not declared: tcp 22 from 0.0.0.0/0, ::/0.",
    ),
    (
        lambda state: rule(state, ports="9000-9010"),
        {"droplet.firewall_rules web", "droplet.public_ports web-1", "droplet.public_ports web-2"},
        "Open to everybody, and not declared: tcp 9000-9010.",
    ),
    (lambda state: rule(state, ports="8080", sources={"tags": ["lb"]}), {"droplet.firewall_rules web"}, "not declared: tcp 8080 from lb."),
    (lambda state: state["firewalls"][0]["outbound_rules"].clear(), {"droplet.firewall_rules web"}, "missing: tcp every port to 0.0.0.0/0, ::/0."),
    (lambda state: state["firewalls"][0].update(status="failed"), {"droplet.firewall_rules web"}, "the vendor could not apply it."),
    (
        lambda state: state["firewalls"].append(
            {**state["firewalls"][0], "name": "old", "inbound_rules": [{"protocol": "udp", "ports": "all", "sources": WORLD}]}
        ),
        {"droplet.public_ports web-1", "droplet.public_ports web-2"},
        "not declared: udp 0-65535.",
    ),
    (lambda state: state["droplets"][0].update(features=["monitoring"]), {"droplet.backups web-1"}, "They are off."),
    (lambda state: state["droplets"][0].update(features=["backups"]), {"droplet.monitoring web-1"}, "It is off."),
    (lambda state: state["droplets"][0].update(tags=["web", "old"]), {"droplet.tags web-1"}, "missing app; not declared old."),
    (lambda state: state["droplets"][0]["image"].update(created_at="2025-11-20T00:00:00Z"), {"droplet.image_age web-1"}, "is 366 days old"),
]


def test_nothing_is_wrong_with_what_is_as_declared() -> None:
    found = examined(account())
    assert {each.verdict for each in found.values()} == {"pass"}
    assert len(found) == 3 + 2 * 8


@pytest.mark.parametrize(("break_it", "ids", "evidence"), BROKEN, ids=[f"{number}-{min(row[1])}" for number, row in enumerate(BROKEN)])
def test_each_fault_of_a_fleet_is_found(break_it: Break, ids: set[str], evidence: str) -> None:
    found = examined(account(), break_it)
    assert failed(found) == ids
    assert any(evidence in each.evidence for each in found.values() if each.verdict == "fail")


def test_every_check_of_a_fleet_fails_for_something() -> None:
    assert {name.split()[0] for _break, ids, _evidence in BROKEN for name in ids} == {name for name, _subject in examined(account())}


@pytest.mark.parametrize(
    ("break_it", "name", "verdict"),
    [
        (lambda state: state.update(count=None), "droplet.count", "unjudged"),
        (lambda state: state.update(inbound=None), "droplet.firewall_rules", "unjudged"),
        (lambda state: state["droplets"][0].update(image={"id": 7}), "droplet.image_age", "unknown"),
    ],
)
def test_what_was_not_declared_is_unjudged_and_what_cannot_be_told_of_a_fleet_unknown(break_it: Break, name: str, verdict: str) -> None:
    assert verdict in {each.verdict for (check, _subject), each in examined(account(), break_it).items() if check == name}


def test_ssh_may_be_declared_to_be_public() -> None:
    def public(state: State) -> None:
        rule(state)
        state["inbound"].append({"protocol": "tcp", "ports": "22", "sources": WORLD})

    assert failed(examined(account(), public)) == set()


def cluster() -> State:
    """A cluster with which nothing is wrong."""
    return {
        "declared": {"name": "pg", "sources": ("tag:app",), "window": {"day": "sunday", "hour": "03:00"}, "vpc": "vpc-1"},
        "rules": [{"type": "tag", "value": "app"}],
        "versions": [{"version": "17", "end_of_life": "2029-11-08T00:00:00Z"}],
        "clusters": [
            {
                "name": "pg",
                "engine": "pg",
                "version": "17",
                "status": "online",
                "num_nodes": 2,
                "private_network_uuid": "vpc-1",
                "connection": {"ssl": True},
                "private_connection": {"ssl": True},
                "maintenance_window": {"day": "sunday", "hour": "03:00:00", "pending": False},
            }
        ],
    }


def judged(state: State, break_it: Break = bool) -> dict[tuple[str, str], Finding]:
    break_it(state)
    seen = [audit_database.Seen(each, state["rules"], state["versions"]) for each in state["clusters"]]
    found = list(audit_database.examine(audit_database.Declared(**state["declared"]), seen, 90, TODAY))
    assert all(ID.fullmatch(each.id) and each.severity in SEVERITIES and each.evidence and each.remedy for each in found)
    return {(each.id, each.subject): each for each in found}


def one(**given: Any) -> Break:
    return lambda state: state["clusters"][0].update(given)


DATABASE: list[tuple[Break, set[str], str]] = [
    (lambda state: state["clusters"].clear(), {"exists"}, "There are 0 of that name."),
    (lambda state: state["clusters"].append(state["clusters"][0]), {"exists"}, "There are 2 of that name."),
    (one(status="migrating"), {"online"}, "It is migrating."),
    (lambda state: state["rules"].clear(), {"public", "trusted_sources"}, "so everybody may connect"),
    (lambda state: state["rules"].append({"type": "ip_addr", "value": "0.0.0.0/0"}), {"public", "trusted_sources"}, "not declared ip_addr:0.0.0.0/0."),
    (lambda state: state["rules"][0].update(value="web"), {"trusted_sources"}, "missing tag:app; not declared tag:web."),
    (one(private_connection={"ssl": False}), {"tls"}, "Without TLS: private_connection."),
    (lambda state: state["versions"][0].update(end_of_life="2027-01-01"), {"version"}, "pg 17 is supported until 2027-01-01."),
    (one(version="13", version_end_of_life="2025-11-13T00:00:00Z"), {"version"}, "no longer since 2025-11-13"),
    (one(version="12"), {"version"}, "pg 12 is not offered any more."),
    (one(maintenance_window={"day": "sunday", "hour": "03:00", "pending": True, "description": ["Upgrade to 17.9"]}), {"upgrade_pending"}, "Upgrade to 17.9"),
    (one(num_nodes=1), {"standby"}, "It has 1 node."),
    (one(maintenance_window={"day": "monday", "hour": "03:00", "pending": False}), {"maintenance_window"}, "It is monday 03:00, not sunday 03:00."),
    (one(private_network_uuid=None), {"private_network"}, "It is in no VPC."),
    (one(private_network_uuid="vpc-2"), {"private_network"}, "It is in the VPC vpc-2, not vpc-1."),
]


def test_nothing_is_wrong_with_a_cluster_as_declared() -> None:
    found = judged(cluster())
    assert {each.verdict for each in found.values()} == {"pass"}
    assert {f"managed_database.{name}" for _break, ids, _evidence in DATABASE for name in ids} == {name for name, _subject in found}


@pytest.mark.parametrize(("break_it", "ids", "evidence"), DATABASE, ids=[f"{number}-{min(row[1])}" for number, row in enumerate(DATABASE)])
def test_each_fault_of_a_cluster_is_found(break_it: Break, ids: set[str], evidence: str) -> None:
    found = judged(cluster(), break_it)
    assert failed(found) == {f"managed_database.{name} pg" for name in ids}
    assert any(evidence in each.evidence for each in found.values() if each.verdict == "fail")


@pytest.mark.parametrize(
    ("break_it", "name", "verdict"),
    [
        (lambda state: state["declared"].update(sources=None), "trusted_sources", "unjudged"),
        (lambda state: state["declared"].update(window=None), "maintenance_window", "unjudged"),
        (lambda state: state["versions"].clear(), "version", "unknown"),
        (lambda state: state["clusters"][0].update(connection=None, private_connection=None), "tls", "unknown"),
        (lambda state: state["clusters"][0].update(maintenance_window={"day": "sunday", "hour": "03:00"}), "upgrade_pending", "unknown"),
    ],
)
def test_what_was_not_declared_is_unjudged_and_what_cannot_be_told_of_a_cluster_unknown(break_it: Break, name: str, verdict: str) -> None:
    assert judged(cluster(), break_it)[f"managed_database.{name}", "pg"].verdict == verdict
