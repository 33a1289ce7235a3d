# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to a fleet of EC2 instances: read before, decided here, done by amazon.aws. Pure.

Everything that is refused is refused here, before anything is done.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2 import rules
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.model import (
    ALIVE,
    FLEET_KEY,
    REPLACEMENT_KEY,
    Object,
    VmSpec,
    coming,
    labels,
    name_of,
    protected,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet import policy as fleets
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import PROTECT


@dataclass(frozen=True)
class Seen:
    """What amazon.aws reads, as its info modules return it."""

    instances: Sequence[Object]
    images: Sequence[Object] = ()
    key_pairs: Sequence[Object] = ()
    vpcs: Sequence[Object] = ()
    subnets: Sequence[Object] = ()
    security_groups: Sequence[Object] = ()


@dataclass(frozen=True)
class Members:
    """The instances of a fleet by name. Of a name being replaced there are two: ``current``, and ``coming``, which has the mark."""

    current: Mapping[str, Object]
    coming: Mapping[str, Object]

    @property
    def standing(self) -> dict[str, Object]:
        """The instance that a name stands for: a replacement whose predecessor is gone has taken its place."""
        return {**self.coming, **self.current}


def fleet_of(spec: VmSpec, instances: Iterable[Object]) -> Members:
    """The members that exist: with the fleet's tag, a member's name, and alive."""
    tagged = [each for each in instances if (each.get("tags") or {}).get(FLEET_KEY) == spec.tag and each["state"]["name"] in ALIVE]
    named = [{**each, "name": name_of(each), "id": each["instance_id"]} for each in tagged]
    own = [each for each in named if fleets.belongs(spec.fleet, each["name"])]
    return Members(
        fleets.unique("instance", (each for each in own if not coming(each))),
        fleets.unique("replacement", (each for each in own if coming(each))),
    )


def decide(spec: VmSpec, seen: Seen) -> dict[str, Any]:
    """What to create, change, replace and terminate, with everything that doing it needs. Raises OpsError for what is not done."""
    found = fleet_of(spec, seen.instances)
    now = found.standing
    safe = {name: protected(each) for name, each in now.items()}
    wanted = fleets.members(spec.fleet, safe)
    gone = fleets.leaving(spec.fleet, safe, wanted)
    terminate = [_named(name, each[name]) for name in gone for each in (found.current, found.coming) if name in each]
    if not spec.fleet.present:
        return {"create": [], "change": [], "terminate": terminate, "group": _own_group(spec, seen, None), "instances": []}
    subnet = _subnet(spec, seen)
    group = _own_group(spec, seen, subnet)
    joining = [name for name in wanted if name not in now]
    staying = [name for name in wanted if name in now]
    replaced = [name for name in staying if _is_replaced(spec, now[name], subnet)]
    change = [each for each in (_change(spec, now[name], group) for name in staying if name not in replaced) if each]
    return {
        "create": [{"name": name} for name in joining],
        "change": change,
        "terminate": terminate,
        **_replacements(spec, found, wanted, replaced),
        "group": group,
        "subnet": {"id": subnet["subnet_id"], "vpc_id": subnet["vpc_id"]},
        "inbound": _permissions(spec, seen, subnet, "sources"),
        "outbound": _permissions(spec, seen, subnet, "destinations"),
        "register_key": _register_key(spec, seen),
        "image": _image(spec, seen) if joining or replaced else None,
        "instances": [told(name, now.get(name), spec) for name in wanted],
    }


def _named(name: str, instance: Object) -> dict[str, str]:
    return {"name": name, "id": instance["instance_id"]}


def _replacements(spec: VmSpec, found: Members, wanted: Sequence[str], replaced: Sequence[str]) -> dict[str, Any]:
    """New members beside old ones, and what an earlier run left of this.

    discard: new ones that are not wanted any more, or not as they should be. settle: those that have taken their place already.
    replace: batches; ``id`` is what is replaced.
    """
    beside = [name for name in found.coming if name in found.current and name in wanted]
    kept = {name for name in beside if name in replaced and not _fixed_differences(spec, found.coming[name])}
    steps = [_named(name, found.standing[name]) for name in replaced]
    return {
        "discard": [_named(name, found.coming[name]) for name in beside if name not in kept],
        "settle": [_named(name, found.coming[name]) for name in found.coming if name in wanted and name not in found.current],
        "replace": [steps[start : start + spec.replace_batch] for start in range(0, len(steps), spec.replace_batch)],
    }


def _fixed_differences(spec: VmSpec, instance: Object) -> dict[str, tuple[Any, Any]]:
    """What only another instance can have: the value that is, and the one that should be."""
    watched = (instance.get("monitoring") or {}).get("state") in ("enabled", "pending")
    said = {
        "image": (instance["image_id"], spec.image if (spec.image or "").startswith("ami-") else None),
        "monitoring": (watched, spec.monitoring),
    }
    return {field: (is_, should) for field, (is_, should) in said.items() if should is not None and is_ != should}


def _is_replaced(spec: VmSpec, instance: Object, subnet: Object) -> bool:
    """Whether another instance has to take the place of this one. Raises OpsError where that is not allowed, or not done at all."""
    name = instance["name"]
    if (spec.vpc or spec.subnet) and instance["vpc_id"] != subnet["vpc_id"]:
        raise OpsError(
            f"{name} has VPC {instance['vpc_id']}, not {subnet['vpc_id']}, and that is not changed on an instance that exists."
            f" Declare VPC {instance['vpc_id']} or a subnet of it, or remove the fleet and let it be created anew.",
            instance=name,
            field="VPC",
        )
    differs = _fixed_differences(spec, instance)
    if not differs:
        return False
    listed = ", ".join(f"{field} {is_}, not {should}" for field, (is_, should) in differs.items())
    if not spec.replace:
        raise OpsError(
            f"{name} has {listed}, and that is not changed on an instance that exists. Declare what it has, or set replace=true: a new instance is created,"
            " has to answer, and takes the place of the old one, whose root volume is lost.",
            instance=name,
            field=next(iter(differs)),
        )
    if protected(instance):
        raise OpsError(f"{name} has {listed}, so it would be replaced, but has the tag {PROTECT!r}. Take the tag off first if that is meant.", protected=[name])
    return True


def told(name: str, instance: Object | None, spec: VmSpec) -> dict[str, Any]:
    """What the role returns for one member; what does not exist yet has no id and no address."""
    seen = instance or {}
    return {
        "name": name,
        "id": seen.get("instance_id"),
        "status": (seen.get("state") or {}).get("name"),
        "public_address": seen.get("public_ip_address") or None,
        "private_address": seen.get("private_ip_address") or None,
        "size": seen.get("instance_type", spec.size),
        "image": seen.get("image_id", spec.image),
        "subnet": seen.get("subnet_id", spec.subnet),
        "tags": labels(seen.get("tags") or spec.tags_of(name)),
    }


def _change(spec: VmSpec, instance: Object, group: Object | None) -> dict[str, Any] | None:
    """How an instance that exists differs, None when it does not. Raises OpsError for a change that is not allowed."""
    name = instance["name"]
    why = []
    if spec.size and spec.size != instance["instance_type"]:
        if not spec.resize:
            raise OpsError(
                f"{name} has size {instance['instance_type']}, not {spec.size}."
                " A resize switches the instance off for about a minute: set resize=true to allow it (one instance at a time).",
                instance=name,
                field="size",
            )
        why.append(f"size {instance['instance_type']} to {spec.size}")
    tags = instance.get("tags") or {}
    # AWS keeps tags of its own; the protection is an operator's.
    kept = {key: value for key, value in tags.items() if key in (PROTECT, REPLACEMENT_KEY) or key.startswith("aws:")}
    if {**spec.tags_of(name), **kept} != tags:
        why.append("tags")
    if group is not None and [each["group_id"] for each in instance.get("security_groups") or []] != [group["id"]]:
        why.append("security group")
    if (instance.get("metadata_options") or {}).get("http_tokens") != "required":
        why.append("metadata service")
    if not why:
        return None
    return {
        "name": name,
        "id": instance["instance_id"],
        "why": ", ".join(why),
        "size": spec.size or instance["instance_type"],
        "tags": {**spec.tags_of(name), **kept},
        # A member that an operator switched off stays off.
        "state": "stopped" if instance["state"]["name"] in ("stopping", "stopped") else "present",
    }


def _vpc(spec: VmSpec, seen: Seen) -> str | None:
    """The id of the VPC that is declared."""
    ids = sorted(each["vpc_id"] for each in seen.vpcs)
    if spec.vpc and not ids:
        raise OpsError(f"There is no VPC {spec.vpc}. Name one that exists, by its id or its Name tag, with vpc.", field="vpc")
    if spec.vpc and len(ids) > 1:
        raise OpsError(f"There are {len(ids)} VPCs named {spec.vpc} ({', '.join(ids)}), so which is meant cannot be told. Give an id.", ids=ids)
    return ids[0] if spec.vpc else None


def _subnet(spec: VmSpec, seen: Seen) -> Object:
    vpc = _vpc(spec, seen)
    subnets = [each for each in seen.subnets if vpc in (None, each["vpc_id"])]
    if not subnets:
        inside = f" in VPC {spec.vpc}" if spec.vpc else ""
        where = f"There is no subnet {spec.subnet}{inside}" if spec.subnet else f"There is no subnet{inside}" if inside else "The region has no default subnet"
        raise OpsError(f"{where}. Name one that exists, by its id or its Name tag, with subnet.", field="subnet")
    if spec.subnet and len(subnets) > 1:
        ids = sorted(each["subnet_id"] for each in subnets)
        raise OpsError(
            f"There are {len(ids)} subnets named {spec.subnet} ({', '.join(ids)}), so which is meant cannot be told. Give an id, or the VPC with vpc.", ids=ids
        )
    subnet = min(subnets, key=lambda each: (str(each.get("availability_zone")), each["subnet_id"]))
    if spec.public_address is False and subnet.get("map_public_ip_on_launch"):
        raise OpsError(
            f"public_address is false, but the subnet {subnet['subnet_id']} gives every instance a public address."
            " Switch that off in the subnet, or name a private one.",
            field="public_address",
        )
    return subnet


def _own_group(spec: VmSpec, seen: Seen, subnet: Object | None) -> dict[str, Any] | None:
    """The fleet's security group; its id is None as long as it does not exist. None: the fleet has none."""
    found = [each for each in seen.security_groups if each["group_name"] == spec.tag and (subnet is None or each["vpc_id"] == subnet["vpc_id"])]
    strange = [each for each in found if (each.get("tags") or {}).get(FLEET_KEY) != spec.tag]
    own = [each for each in found if each not in strange]
    if spec.fleet.present:
        if not spec.firewall:
            return None
        if strange:
            raise OpsError(
                f"The security group {strange[0]['group_id']} is named {spec.tag}, but was not made for this fleet (it lacks the tag {FLEET_KEY}={spec.tag})."
                " Rename the fleet's tag, or remove that group.",
                group=strange[0]["group_id"],
            )
        return {"name": spec.tag, "id": own[0]["group_id"] if own else None}
    if len(own) > 1:
        ids = sorted(each["group_id"] for each in own)
        raise OpsError(f"There are {len(ids)} security groups of the fleet {spec.tag} ({', '.join(ids)}). Remove those that are not meant.", ids=ids)
    return {"name": spec.tag, "id": own[0]["group_id"]} if own else None


def _permissions(spec: VmSpec, seen: Seen, subnet: Object, peers: str) -> list[dict[str, object]]:
    groups = {each["group_name"]: each["group_id"] for each in seen.security_groups if each["vpc_id"] == subnet["vpc_id"]}
    said = spec.inbound if peers == "sources" else spec.outbound
    return rules.permissions(rules.declared(said, peers), spec.tag, groups) if spec.firewall else []


def _register_key(spec: VmSpec, seen: Seen) -> bool:
    """Whether the key pair has to be registered. One with another key is never replaced: instances were made with it."""
    if not spec.key_name:
        return False
    wanted = bare_key(spec.public_key) if spec.public_key else None
    found = next((each for each in seen.key_pairs if each["key_name"] == spec.key_name), None)
    if found is None:
        if wanted is None:
            raise OpsError(f"There is no key pair {spec.key_name}. Give ssh_public_key to have it registered, or name one that exists.", field="ssh_key_name")
        return True
    if wanted and found.get("public_key") and bare_key(found["public_key"]) != wanted:
        raise OpsError(f"The key pair {spec.key_name} holds another key than ssh_public_key. Give the new key another name.", field="ssh_public_key")
    return False


def bare_key(public_key: str) -> str:
    """A public key without its comment."""
    parts = public_key.split()
    try:
        if len(parts) < 2:
            raise ValueError(public_key)
        base64.b64decode(parts[1], validate=True)
    except (ValueError, binascii.Error) as error:
        raise OpsError(
            "ssh_public_key is not an SSH public key. Give the one line of a .pub file, such as 'ssh-ed25519 AAAA... you@example.com'.",
            field="ssh_public_key",
        ) from error
    return " ".join(parts[:2])


def _image(spec: VmSpec, seen: Seen) -> dict[str, Any]:
    """The newest image that matches, and the device of its root."""
    missing = [option for option in ("size", "image") if getattr(spec, option) is None]
    if missing:
        raise OpsError(f"An instance has to be created, but {', '.join(missing)} is not given.", missing=missing)
    usable = [each for each in seen.images if each.get("state", "available") == "available"]
    if not usable:
        raise OpsError(
            f"No image is {spec.image}. Give the id of an AMI in this region, or a pattern of names such as debian-13-amd64-* with its owner in image_owners.",
            field="image",
        )
    newest: Mapping[str, Any] = max(usable, key=lambda each: (str(each.get("creation_date")), each["image_id"]))
    return {"id": newest["image_id"], "root": newest.get("root_device_name") or "/dev/xvda"}
