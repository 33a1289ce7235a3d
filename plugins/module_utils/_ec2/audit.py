# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of EC2 instances, measured against its declaration. Pure: what amazon.aws read in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import rules
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import ALIVE, FLEET_KEY, Object, VmSpec, labels, name_of
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet import audit as fleets
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import WORLD, Fleet, Opening
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import belongs

PROVISION = "Run the role's main with --check --diff, then without."
GROUP = Check("vm.firewall", "critical", "Every instance is in the fleet's security group, and in no other", PROVISION)
RULES = Check("vm.firewall_rules", "high", "The security group has the declared rules, and no others", PROVISION)
IMDS = Check("vm.imds", "high", "The metadata service answers to requests with a token only (IMDSv2)", PROVISION)
ENCRYPTED = Check("vm.encrypted", "high", "Every volume is encrypted", "Copy the volume's snapshot with encryption and replace it, or replace the instance.")
ADDRESS = Check("vm.public_address", "medium", "Who has a public address was declared to", "Declare vm_public_address, or a subnet that gives what is meant.")


@dataclass(frozen=True)
class Read:
    """What was read: everything with the fleet's tag, its volumes, images and the security groups that it or a rule names."""

    instances: Sequence[Object]
    volumes: Sequence[Object]
    images: Sequence[Object]
    security_groups: Sequence[Object]


def openings(found: Iterable[rules.Rule]) -> frozenset[Opening]:
    """What these rules open to everybody. A ping is no port."""
    public = set()
    for rule in found:
        if rule.peer in WORLD:
            if rule.protocol in rules.PORTS:
                public.add(Opening(rule.protocol, rule.first, rule.last))
            elif rule.protocol == "-1":
                public.update(Opening(protocol, *ports) for protocol, ports in rules.PORTS.items())
    return frozenset(public)


def examine(fleet: Fleet, spec: VmSpec, read: Read) -> Iterator[Finding]:
    tagged = [each for each in read.instances if (each.get("tags") or {}).get(FLEET_KEY) == fleet.tag and each["state"]["name"] in ALIVE]
    names = [name_of(each) for each in tagged]
    yield from fleets.of_members(fleet, names)
    yield _rules(fleet, spec, read)
    for instance in tagged:
        if belongs(fleet.membership, name_of(instance)):
            yield from _member(fleet, spec, read, instance, fleets.subject(name_of(instance), instance["instance_id"], names))


def _rules(fleet: Fleet, spec: VmSpec, read: Read) -> Finding:
    if not spec.firewall:
        return RULES.unjudged(fleet.tag, "No rules are declared (vm_firewall_inbound_rules).")
    own = [each for each in read.security_groups if each["group_name"] == fleet.tag and (each.get("tags") or {}).get(FLEET_KEY) == fleet.tag]
    if len(own) != 1:
        return RULES.judge(fleet.tag, False, f"There are {len(own)} security groups of the fleet.")
    names = {each["group_id"]: each["group_name"] for each in read.security_groups}
    said = []
    for way, permissions, wanted in (
        ("in", own[0].get("ip_permissions"), rules.declared(spec.inbound, "sources")),
        ("out", own[0].get("ip_permissions_egress"), rules.declared(spec.outbound, "destinations")),
    ):
        has = rules.seen(permissions or [], names)
        said += [f"{word} ({way}): {rules.say(which)}" for word, which in (("missing", wanted - has), ("not declared", has - wanted)) if which]
    return RULES.judge(fleet.tag, not said, "; ".join(said) + "." if said else "Exactly the declared rules.")


def _member(fleet: Fleet, spec: VmSpec, read: Read, instance: Object, name: str) -> Iterator[Finding]:
    image = instance["image_id"]
    groups = instance.get("security_groups") or []
    named = sorted(each["group_name"] for each in groups)
    yield fleets.of_power(fleet, name, instance["state"]["name"], "running")
    told = f"In {', '.join(named) or 'none'}."
    yield GROUP.judge(name, named == [fleet.tag], told) if spec.firewall else GROUP.unjudged(name, told)
    held = {each["group_id"] for each in groups}
    permissions = [one for each in read.security_groups if each["group_id"] in held for one in each.get("ip_permissions") or []]
    yield from fleets.of_openings(fleet, name, sorted(openings(rules.seen(permissions, {}))))
    tokens = (instance.get("metadata_options") or {}).get("http_tokens")
    yield IMDS.judge(name, tokens == "required", f"A token is {tokens}.")
    attached = {(each.get("ebs") or {}).get("volume_id") for each in instance.get("block_device_mappings") or []} - {None}
    seen = {each["id"]: bool(each.get("encrypted")) for each in read.volumes if each["id"] in attached}
    plain = sorted(volume for volume, encrypted in seen.items() if not encrypted)
    yield ENCRYPTED.judge(
        name, None if set(seen) != attached else not plain, f"Not encrypted: {', '.join(plain)}." if plain else f"{len(seen)} of {len(attached)} volumes are."
    )
    address = instance.get("public_ip_address") or None
    declared = spec.public_address
    told = f"It has {address or 'none'}."
    yield ADDRESS.unjudged(name, told) if declared is None else ADDRESS.judge(name, bool(address) == declared, told)
    yield fleets.of_monitoring(fleet, name, (instance.get("monitoring") or {}).get("state") in ("enabled", "pending"))
    yield fleets.of_tags(
        fleet,
        name,
        [tag for tag in labels(instance.get("tags") or {}) if not tag.startswith("aws:")],
        labels(spec.tags_of(name_of(instance))),
    )
    made = next((each.get("creation_date") for each in read.images if each["image_id"] == image), None)
    yield fleets.of_age(fleet, name, image, made)
