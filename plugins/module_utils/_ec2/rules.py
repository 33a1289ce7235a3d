# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall rules in the words of the fleets, as rules of a security group, and back. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import Object

WORLD = ("0.0.0.0/0", "::/0")
PORTS = {"tcp": (0, 65535), "udp": (0, 65535)}


class Rule(NamedTuple):
    """One permission: a protocol, a range of ports, one peer.

    kind: what the peer is to EC2, cidr_ip, cidr_ipv6, group (by name) or prefix_list.
    """

    protocol: str
    first: int
    last: int
    kind: str
    peer: str


def declared(rules: Iterable[Object], peers: str) -> set[Rule]:
    """The rules of a declaration, one for each peer.

    peers: "sources" or "destinations".
    """
    found: set[Rule] = set()
    for rule in rules:
        said = rule.get(peers) or {}
        unknown = sorted(key for key, value in said.items() if value and key not in ("addresses", "tags"))
        if unknown or not (said.get("addresses") or said.get("tags")):
            raise OpsError(f"The firewall rule {dict(rule)!r} needs {peers} with addresses or tags{f', not {unknown[0]}' if unknown else ''}.", field=peers)
        for address in said.get("addresses") or []:
            kind, network = _network(address)
            protocol = "icmpv6" if rule["protocol"] == "icmp" and kind == "cidr_ipv6" else rule["protocol"]
            found.add(Rule(protocol, *_ports(rule), kind, network))
        for tag in said.get("tags") or []:
            found.add(Rule(rule["protocol"], *_ports(rule), "group", tag))
    return found


def _network(address: str) -> tuple[str, str]:
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise OpsError(f"{address!r} in a firewall rule is no address and no network. Write it as 192.0.2.0/24 or 2001:db8::/32.", field="addresses") from error
    return ("cidr_ip" if network.version == 4 else "cidr_ipv6"), str(network)


def _ports(rule: Object) -> tuple[int, int]:
    ports = str(rule.get("ports") or "0")
    if rule["protocol"] not in PORTS:
        return (-1, -1)
    if ports in ("0", "all"):
        return PORTS[rule["protocol"]]
    first, _dash, last = ports.partition("-")
    try:
        return (int(first), int(last or first))
    except ValueError as error:
        raise OpsError(f"The ports {ports!r} of a firewall rule are none. Write a port (443), a range (8000-9000), or 0 for all.", field="ports") from error


def permissions(rules: Iterable[Rule], own: str, groups: Mapping[str, str]) -> list[dict[str, object]]:
    """Rules as amazon.aws.ec2_security_group takes them.

    own: the name of the group that they are for, which may not exist yet. groups: the ids of the others, by name.
    """
    made = []
    for rule in sorted(rules):
        peer = {rule.kind: rule.peer}
        if rule.kind == "group":
            if rule.peer != own and rule.peer not in groups:
                raise OpsError(
                    f"A firewall rule names the tag {rule.peer}, and the VPC has no security group of that name. Make that fleet first, or give addresses.",
                    field="tags",
                )
            peer = {"group_name": own} if rule.peer == own else {"group_id": groups[rule.peer]}
        made.append({"proto": rule.protocol, "from_port": rule.first, "to_port": rule.last, **peer})
    return made


def seen(permissions: Iterable[Object], groups: Mapping[str, str]) -> set[Rule]:
    """The rules that a security group has.

    groups: names by id; a group that is not among them is shown by its id.
    """
    found: set[Rule] = set()
    for each in permissions:
        protocol = str(each["ip_protocol"])
        ports = (int(each.get("from_port") or 0), int(each.get("to_port") or 0)) if protocol in PORTS else (-1, -1)
        peers = [("cidr_ip", one["cidr_ip"]) for one in each.get("ip_ranges") or []]
        peers += [("cidr_ipv6", one["cidr_ipv6"]) for one in each.get("ipv6_ranges") or []]
        peers += [("group", groups.get(one["group_id"], one["group_id"])) for one in each.get("user_id_group_pairs") or []]
        peers += [("prefix_list", one["prefix_list_id"]) for one in each.get("prefix_list_ids") or []]
        found.update(Rule(protocol, *ports, kind, peer) for kind, peer in peers)
    return found


def say(rules: Iterable[Rule]) -> str:
    """Rules for an operator."""
    return ", ".join(f"{'everything' if rule.protocol == '-1' else rule.protocol}{_range(rule)} {rule.peer}" for rule in sorted(rules))


def _range(rule: Rule) -> str:
    if rule.first < 0 or (rule.first, rule.last) == PORTS.get(rule.protocol):
        return ""
    return f" {rule.first}" if rule.first == rule.last else f" {rule.first}-{rule.last}"
