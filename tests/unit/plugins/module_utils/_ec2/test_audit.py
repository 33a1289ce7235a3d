# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of EC2 instances: a state that passes it, and states that fail it."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import ID, SEVERITIES, Finding, finding
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.info import findings
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import FLEET_KEY

SSH = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["192.0.2.0/24"]}}
WEB = {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0"]}}
OUT = {"protocol": "udp", "ports": "0", "destinations": {"addresses": ["0.0.0.0/0"]}}
State = dict[str, Any]
Break = Callable[[State], Any]


class Then(Clock):
    def now(self) -> float:
        return dt.datetime(2026, 11, 21, 12, tzinfo=dt.timezone.utc).timestamp()


def instance(number: int) -> State:
    return {
        "instance_id": f"i-{number}",
        "image_id": "ami-1",
        "state": {"name": "running"},
        "monitoring": {"state": "enabled"},
        "metadata_options": {"http_tokens": "required"},
        "security_groups": [{"group_id": "sg-1", "group_name": "web"}],
        "block_device_mappings": [{"ebs": {"volume_id": f"vol-{number}"}}],
        "tags": {"Name": f"web-{number}", FLEET_KEY: "web", "team": "a", "protect": "", "aws:cloudformation:stack-id": "x"},
    }


def account() -> State:
    """An account in which nothing is wrong, as the module's options."""
    permissions = [
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "ip_ranges": [{"cidr_ip": "192.0.2.0/24"}]},
        {"ip_protocol": "tcp", "from_port": 443, "to_port": 443, "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}]},
    ]
    out = [{"ip_protocol": "udp", "from_port": 0, "to_port": 65535, "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}]}]
    groups = [
        {"group_id": "sg-1", "group_name": "web", "tags": {FLEET_KEY: "web"}, "ip_permissions": permissions, "ip_permissions_egress": out},
        {"group_id": "sg-2", "group_name": "default", "tags": {}, "ip_permissions": [{"ip_protocol": "-1", "ip_ranges": [{"cidr_ip": "0.0.0.0/0"}]}]},
    ]
    declared = {"fleet_tag": "web", "names": None, "name_prefix": "web", "count": 2, "tags": ["team=a"], "monitoring": True, "public_address": False}
    limits = {"inbound_rules": [SSH, WEB], "outbound_rules": [OUT], "ssh_port": 22, "image_max_age_days": 365}
    read = {
        "instances": [instance(1), instance(2)],
        "volumes": [{"id": "vol-1", "encrypted": True}, {"id": "vol-2", "encrypted": True}],
        "images": [{"image_id": "ami-1", "creation_date": "2026-08-01T00:00:00.000Z"}],
        "security_groups": groups,
    }
    return copy.deepcopy({**declared, **limits, **read})


def examined(state: State, break_it: Break = bool) -> dict[tuple[str, str], Finding]:
    break_it(state)
    found = [finding(each) for each in findings(state, Then())["findings"]]
    assert all(ID.fullmatch(each.id) and each.severity in SEVERITIES and each.evidence and each.remedy for each in found)
    return {(each.id, each.subject): each for each in found}


def first(**given: Any) -> Break:
    return lambda state: state["instances"][0].update(given)


def group(**given: Any) -> Break:
    return lambda state: state["security_groups"][0].update(given)


def opened(**given: Any) -> Break:
    more = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "ipv6_ranges": [{"cidr_ipv6": "::/0"}], **given}
    return lambda state: state["security_groups"][0]["ip_permissions"].append(more)


BOTH = {"public_ports web-1", "public_ports web-2"}
BROKEN: list[tuple[Break, set[str], str]] = [
    (lambda state: state["instances"].pop(), {"count web"}, "missing: web-2"),
    (lambda state: state["instances"].append({**instance(3), "tags": {FLEET_KEY: "web"}}), {"unknown web"}, "Not members: (no name)."),
    (first(state={"name": "stopped"}), {"running web-1"}, "It is stopped."),
    (
        first(security_groups=[{"group_id": "sg-1", "group_name": "web"}, {"group_id": "sg-2", "group_name": "default"}]),
        {"firewall web-1", "public_ports web-1", "ssh_public web-1"},
        "In default, web.",
    ),
    (opened(), {"firewall_rules web", "ssh_public web-1", "ssh_public web-2"} | BOTH, "not declared (in): tcp 22 ::/0."),
    (opened(from_port=9000, to_port=9010), {"firewall_rules web"} | BOTH, "not declared: tcp 9000-9010."),
    (group(ip_permissions_egress=[]), {"firewall_rules web"}, "missing (out): udp 0.0.0.0/0."),
    (group(tags={}), {"firewall_rules web"}, "There are 0 security groups of the fleet."),
    (first(metadata_options={"http_tokens": "optional"}), {"imds web-1"}, "A token is optional."),
    (lambda state: state["volumes"][1].update(encrypted=False), {"encrypted web-2"}, "Not encrypted: vol-2."),
    (first(public_ip_address="203.0.113.7"), {"public_address web-1"}, "It has 203.0.113.7."),
    (first(monitoring={"state": "disabled"}), {"monitoring web-1"}, "It is off."),
    (lambda state: state["instances"][0]["tags"].update(team="b"), {"tags web-1"}, "missing team=a; not declared team=b."),
    (lambda state: state["images"][0].update(creation_date="2025-01-01"), {"image_age web-1", "image_age web-2"}, "is 689 days old"),
]


def test_nothing_is_wrong_with_what_is_as_declared() -> None:
    found = examined(account())
    assert {each.verdict for each in found.values()} == {"pass"}
    assert {f"vm.{name.split()[0]}" for _break, ids, _evidence in BROKEN for name in ids} == {name for name, _subject in found}


@pytest.mark.parametrize(("break_it", "ids", "evidence"), BROKEN, ids=[f"{number}-{min(row[1])}" for number, row in enumerate(BROKEN)])
def test_each_fault_is_found(break_it: Break, ids: set[str], evidence: str) -> None:
    found = examined(account(), break_it)
    assert {f"{name} {subject}" for (name, subject), each in found.items() if each.verdict == "fail"} == {f"vm.{name}" for name in ids}
    assert any(evidence in each.evidence for each in found.values() if each.verdict == "fail")


@pytest.mark.parametrize(
    ("break_it", "name", "verdict"),
    [
        (lambda state: state.update(inbound_rules=None), "vm.firewall", "unjudged"),
        (lambda state: state.update(inbound_rules=None), "vm.firewall_rules", "unjudged"),
        (lambda state: state.update(public_address=None), "vm.public_address", "unjudged"),
        (lambda state: state["volumes"].clear(), "vm.encrypted", "unknown"),
        (lambda state: state["images"].clear(), "vm.image_age", "unknown"),
    ],
)
def test_what_was_not_declared_is_unjudged_and_what_cannot_be_told_unknown(break_it: Break, name: str, verdict: str) -> None:
    assert {each.verdict for (check, _subject), each in examined(account(), break_it).items() if check == name} == {verdict}


def test_what_is_gone_or_of_another_fleet_is_not_judged() -> None:
    def more(state: State) -> None:
        state["instances"] += [{**instance(3), "state": {"name": "terminated"}}, {**instance(4), "tags": {"Name": "web-4", FLEET_KEY: "other"}}]

    assert {each.verdict for each in examined(account(), more).values()} == {"pass"}
