# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of droplets, measured against its declaration. Pure: what the API said in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import normal_rules
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import normal_tags
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet import audit as fleets
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import WORLD, Fleet, Opening
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import belongs

Rules = Sequence[Mapping[str, Any]]

FIREWALL = Check(
    "droplet.firewall", "critical", "Every droplet is behind a firewall", "Declare droplet_firewall_inbound_rules and run playbooks/provision.yml."
)
RULES = Check(
    "droplet.firewall_rules", "high", "The firewall has the declared rules, and no others", "Run playbooks/provision.yml with --check --diff, then without."
)
BACKUPS = Check("droplet.backups", "medium", "The vendor's backups are on", "Declare droplet_backups: true, or waive it where the disk holds nothing of value.")


@dataclass(frozen=True)
class Declared:
    """What the fleet should be. inbound, outbound: None when no firewall is declared."""

    fleet: Fleet
    tags: tuple[str, ...]
    inbound: Rules | None
    outbound: Rules


def openings(rules: Rules) -> frozenset[Opening]:
    """What these rules open to everybody. A ping is no port."""
    found = set()
    for rule in rules:
        if rule["protocol"] in ("tcp", "udp") and set(WORLD) & set((rule.get("sources") or {}).get("addresses") or []):
            ports = str(rule.get("ports") or "0")
            first, _dash, last = ("0-65535" if ports in ("0", "all") else ports).partition("-")
            found.add(Opening(rule["protocol"], int(first), int(last or first)))
    return frozenset(found)


def covering(droplet: Object, firewalls: Iterable[Object]) -> list[Object]:
    """The firewalls that stand before a droplet."""
    tags = set(normal_tags(droplet.get("tags")))
    return [each for each in firewalls if droplet["id"] in (each.get("droplet_ids") or []) or tags & set(normal_tags(each.get("tags")))]


def examine(declared: Declared, droplets: Sequence[Object], firewalls: Sequence[Object]) -> Iterator[Finding]:
    """droplets: everything with the fleet's tag. firewalls: all that the account has."""
    fleet = declared.fleet
    names = [str(each["name"]) for each in droplets]
    yield from fleets.of_members(fleet, names)
    yield _rules(declared, firewalls)
    for droplet in droplets:
        if belongs(fleet.membership, str(droplet["name"])):
            name = fleets.subject(str(droplet["name"]), droplet["id"], names)
            yield from _member(declared, name, droplet, covering(droplet, firewalls))


def _rules(declared: Declared, firewalls: Sequence[Object]) -> Finding:
    tag = declared.fleet.tag
    found = [each for each in firewalls if each["name"] == tag]
    if declared.inbound is None:
        return RULES.unjudged(tag, "No rules are declared (droplet_firewall_inbound_rules).")
    if len(found) != 1:
        return RULES.judge(tag, False, f"There are {len(found)} firewalls named {tag}.")
    said = []
    for way, peers, wanted in (("in", "sources", declared.inbound), ("out", "destinations", declared.outbound)):
        has, should = normal_rules(found[0].get(f"{way}bound_rules"), peers), normal_rules(wanted, peers)
        for word, rules in (("missing", [each for each in should if each not in has]), ("not declared", [each for each in has if each not in should])):
            said += [f"{word}: {_say(rule, peers)}" for rule in rules]
    if found[0].get("status") == "failed":
        said.append("the vendor could not apply it")
    return RULES.judge(tag, not said, "; ".join(said) + "." if said else "Exactly the declared rules.")


def _say(rule: Mapping[str, Any], peers: str) -> str:
    ports = "" if rule["protocol"] == "icmp" else " every port" if rule["ports"] == "0" else f" {rule['ports']}"
    return f"{rule['protocol']}{ports} {'from' if peers == 'sources' else 'to'} {', '.join(str(one) for values in rule[peers].values() for one in values)}"


def _member(declared: Declared, name: str, droplet: Object, firewalls: Sequence[Object]) -> Iterator[Finding]:
    fleet, features = declared.fleet, droplet.get("features") or []
    image = droplet.get("image") or {}
    yield fleets.of_power(fleet, name, str(droplet.get("status")), "active")
    yield FIREWALL.judge(name, bool(firewalls), f"Behind {', '.join(sorted(each['name'] for each in firewalls)) or 'none'}.")
    opened = {opening for each in firewalls for opening in openings(each.get("inbound_rules") or [])}
    yield from fleets.of_openings(fleet, name, sorted(opened) if firewalls else None)
    yield BACKUPS.judge(name, "backups" in features, f"They are {'on' if 'backups' in features else 'off'}.")
    yield fleets.of_monitoring(fleet, name, "monitoring" in features)
    yield fleets.of_tags(fleet, name, normal_tags(droplet.get("tags")), normal_tags([fleet.tag, *declared.tags]))
    yield fleets.of_age(fleet, name, str(image.get("slug") or image.get("id")), image.get("created_at"))
