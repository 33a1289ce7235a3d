# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of EC2 instances is asked to be, in our words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import PROTECT, Membership

Object = Mapping[str, Any]

# On every member, and on nothing that is not one. A key of our own: "never touches what it did not create" hangs on it.
FLEET_KEY = "groundcrew:fleet"
# On an instance that was made to take the place of the member of the same name, as long as it has not.
REPLACEMENT_KEY = "groundcrew:replacement"
# Options that a declaration has as they are given.
PLAIN = ("size", "image", "vpc", "subnet", "monitoring", "public_address", "resize", "replace", "replace_batch")
# Instances on their way out are not members any more.
ALIVE = ("pending", "running", "stopping", "stopped")


@dataclass(frozen=True)
class VmSpec:
    """A fleet as declared. None: not asked for, left as it is.

    key_name, public_key: the key pair for new members; with a public key it is registered when it is missing.
    firewall: whether the fleet has a security group of its own, with exactly the rules.
    replace: whether a member may be replaced by a new one, replace_batch at a time.
    """

    tag: str
    fleet: Membership
    size: str | None = None
    image: str | None = None
    vpc: str | None = None
    subnet: str | None = None
    key_name: str | None = None
    public_key: str | None = None
    tags: tuple[str, ...] = ()
    monitoring: bool | None = None
    public_address: bool | None = None
    resize: bool = False
    replace: bool = False
    replace_batch: int = 1
    inbound: tuple[Object, ...] = ()
    outbound: tuple[Object, ...] = ()
    firewall: bool = False

    def tags_of(self, name: str) -> dict[str, str]:
        """The tags of a member, exactly."""
        return tags_of(self.tag, name, self.tags)


def vm_spec(params: Mapping[str, Any]) -> VmSpec:
    """The declaration in a module's parameters; an audit asks for a part of it only."""
    if params.get("replace_batch", 1) < 1:
        raise OpsError("replace_batch has to be at least 1.", field="replace_batch")
    return VmSpec(
        tag=params["fleet_tag"],
        fleet=Membership(
            noun="instance",
            names=tuple(params["names"] or ()),
            prefix=params["name_prefix"],
            count=params["count"],
            present=params.get("state", "present") == "present",
            max_delete=params.get("max_delete", 1),
        ),
        **{
            key: params[key]
            for key in ("size", "image", "vpc", "subnet", "monitoring", "public_address", "resize", "replace", "replace_batch")
            if key in params
        },
        key_name=params.get("ssh_key_name"),
        public_key=params.get("ssh_public_key"),
        tags=tuple(params["tags"]),
        inbound=tuple(params["inbound_rules"] or ()),
        outbound=tuple(params["outbound_rules"]),
        firewall=params["inbound_rules"] is not None,
    )


def tags_of(fleet: str, name: str, said: Iterable[str]) -> dict[str, str]:
    """The tags of a member. ``said``: a label is a key without a value; "key=value" has one."""
    return {**{key: value for key, _equals, value in (tag.partition("=") for tag in said)}, "Name": name, FLEET_KEY: fleet}


def labels(tags: Mapping[str, str]) -> list[str]:
    """Tags as they are declared."""
    return sorted(f"{key}={value}" if value else key for key, value in tags.items() if key not in ("Name", FLEET_KEY, REPLACEMENT_KEY))


def protected(instance: Object) -> bool:
    return PROTECT in (instance.get("tags") or {})


def coming(instance: Object) -> bool:
    """Whether it was made to take a member's place."""
    return REPLACEMENT_KEY in (instance.get("tags") or {})


def name_of(instance: Object) -> str:
    return str((instance.get("tags") or {}).get("Name", ""))
