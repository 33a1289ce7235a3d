# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet of droplets is asked to be, and what a droplet is, in our words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

# On a droplet as long as something that was begun with it is not done, so that the next run can finish it.
REPLACEMENT = "groundcrew:replacement"  # stands beside the droplet of the same name, or in its place
RESIZE = "groundcrew:resize"  # was running, and has to run again
MARKS = frozenset({REPLACEMENT, RESIZE})


@dataclass(frozen=True)
class Health:
    """When a new droplet may take the place of an old one: its port answers, or with a path HTTP does.

    address: "public" or "private". timeout: seconds.
    """

    port: int = 22
    path: str | None = None
    address: str = "public"
    timeout: float = 300.0


@dataclass(frozen=True)
class FleetSpec:
    """A fleet as declared. None: not asked for, left as it is.

    names: exact members; empty when the fleet is counted.
    prefix, count: members are <prefix>-<number>, exactly ``count`` of them.
    backup_policy: plan, weekday and hour, as far as they matter.
    reserved_ips: one for each member, in the order of their names.
    volumes: names of the volumes of each member, in which {name} stands for its own.
    tag: on every member, and on nothing that is not one.
    """

    tag: str
    names: tuple[str, ...] = ()
    prefix: str | None = None
    count: int | None = None
    present: bool = True
    size: str | None = None
    image: str | None = None
    region: str | None = None
    vpc: str | None = None
    ssh_keys: tuple[str, ...] = ()
    user_data: str | None = None
    tags: tuple[str, ...] | None = None
    monitoring: bool | None = None
    backups: bool | None = None
    backup_policy: Mapping[str, Any] | None = None
    ipv6: bool | None = None
    project: str | None = None
    reserved_ips: tuple[str, ...] | None = None
    volumes: tuple[str, ...] | None = None
    resize: bool = False
    resize_disk: bool = False
    replace: bool = False
    replace_batch: int = 1
    replace_health: Health = Health()
    max_delete: int = 1
    wait: bool = True
    wait_timeout: float = 600.0

    @property
    def all_tags(self) -> list[str]:
        return normal_tags([self.tag, *(self.tags or ())])


def fleet_spec(params: Mapping[str, Any]) -> FleetSpec:
    """The declaration in a module's parameters."""
    if params["state"] == "present" and params["name_prefix"] and params["count"] is None:
        raise OpsError("count is missing: with name_prefix, say how many droplets there are. To remove all of them, set state to absent.", field="count")
    if params["replace_batch"] < 1:
        raise OpsError("replace_batch has to be at least 1.", field="replace_batch")
    return FleetSpec(
        tag=params["fleet_tag"].lower(),
        names=tuple(params["names"] or ()),
        prefix=params["name_prefix"],
        count=params["count"],
        present=params["state"] == "present",
        size=params["size"],
        image=params["image"],
        region=params["region"],
        vpc=params["vpc"],
        ssh_keys=tuple(params["ssh_keys"] or ()),
        user_data=params["user_data"],
        tags=None if params["tags"] is None else tuple(params["tags"]),
        monitoring=params["monitoring"],
        backups=params["backups"],
        backup_policy=_given(params["backup_policy"]),
        ipv6=params["ipv6"],
        project=params["project"],
        reserved_ips=None if params["reserved_ips"] is None else tuple(params["reserved_ips"]),
        volumes=None if params["volumes"] is None else tuple(params["volumes"]),
        resize=params["resize"],
        resize_disk=params["resize_disk"],
        replace=params["replace"],
        replace_batch=params["replace_batch"],
        replace_health=Health(**_given(params["replace_health"]) or {}),
        max_delete=params["max_delete"],
        wait=params["wait"],
        wait_timeout=float(params["wait_timeout"]),
    )


def _given(options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The suboptions that have a value."""
    return {key: value for key, value in options.items() if value is not None} if options else None


def normal_tags(tags: Any) -> list[str]:
    """Tags as a set to compare; the API keeps the case of the first use and ignores it afterwards."""
    return sorted({str(tag).lower() for tag in tags or ()})


def fingerprint(text: str) -> str:
    """Names a text that must not be shown."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def address(droplet: Object, kind: str, version: str = "v4") -> str | None:
    """The first IPv4 (or "v6") address of a droplet that is "public" or "private"."""
    for network in (droplet.get("networks") or {}).get(version) or []:
        if network.get("type") == kind:
            return str(network["ip_address"])
    return None


def marked(droplet: Object, mark: str) -> bool:
    return mark in normal_tags(droplet.get("tags"))


def comparable(droplet: Object) -> dict[str, Any]:
    """The part of a droplet that a fleet declares."""
    features = droplet.get("features") or []
    image = droplet.get("image") or {}
    return {
        "size": droplet.get("size_slug"),
        "image": image.get("slug") or str(image.get("id", "")),
        "region": (droplet.get("region") or {}).get("slug"),
        "vpc": droplet.get("vpc_uuid"),
        "tags": [tag for tag in normal_tags(droplet.get("tags")) if tag not in MARKS],
        "monitoring": "monitoring" in features,
        "backups": "backups" in features,
        "ipv6": "ipv6" in features,
        "ready": droplet.get("status") != "new",
    }


def summary(name: str, droplet: Object | None, state: Mapping[str, Any]) -> dict[str, Any]:
    """What a task returns for one droplet; what does not exist yet has no id and no address."""
    seen = droplet or {}
    return {
        "name": name,
        "id": seen.get("id"),
        "status": seen.get("status"),
        "public_address": address(seen, "public"),
        "private_address": address(seen, "private"),
        "ipv6_address": address(seen, "public", "v6"),
        "created_at": seen.get("created_at"),
        "vpc": seen.get("vpc_uuid") or state.get("vpc"),
        **{key: state.get(key) for key in ("size", "image", "region", "tags", "monitoring", "backups", "ipv6")},
    }


def certificate_mark(certificate: Object) -> str:
    """Tells the content of a certificate: the names of one that is renewed by itself, the fingerprint of any other. From an answer or from a declaration."""
    if certificate["type"] == "lets_encrypt":
        return hashlib.sha1("\n".join(sorted(certificate["dns_names"])).encode(), usedforsecurity=False).hexdigest()[:12]
    return str(certificate.get("fingerprint") or certificate["sha1_fingerprint"])[:12]


def certificate_name(found: Object) -> str:
    """The name that people use, which is the object's without the mark."""
    return str(found["name"]).removesuffix(f"-{certificate_mark(found)}")
