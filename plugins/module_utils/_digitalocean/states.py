# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a droplet of a fleet is, and what it should be: new, kept or replaced. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import MARKS, FleetSpec, comparable, fingerprint
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import State, natural
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import PROTECT

# Known at creation only: the API does not tell them afterwards.
GIVEN = ("ssh_keys", "user_data")
# Set at creation only, so another value takes another droplet. IPv6 can be added, not taken away.
FIXED = ("image", "region", "vpc", "monitoring")


def present(spec: FleetSpec, droplet: Object) -> State:
    """A droplet that exists, as far as the fleet declares it."""
    state = comparable(droplet)
    if spec.image and _same_image(spec.image, droplet):
        state["image"] = spec.image
    if spec.vpc is None:
        del state["vpc"]
    if not spec.wait:
        del state["ready"]
    return state


def _same_image(wanted: str, droplet: Object) -> bool:
    image = droplet.get("image") or {}
    slug = image.get("slug")
    # A base image loses its slug when the vendor publishes a newer one under it, so a slug cannot be compared any more.
    return wanted in (slug, str(image.get("id"))) or (slug is None and not wanted.isdigit())


def joining(spec: FleetSpec, vpc: str | None) -> State:
    """A droplet that will be created."""
    missing = [option for option in ("size", "image", "region") if getattr(spec, option) is None]
    if missing:
        raise OpsError(f"A droplet has to be created, but {', '.join(missing)} is not given. Give size, image and region.", missing=missing)
    state: State = {
        "size": spec.size,
        "image": spec.image,
        "region": spec.region,
        "tags": spec.all_tags,
        "monitoring": bool(spec.monitoring),
        "backups": bool(spec.backups or spec.backup_policy),
        "ipv6": bool(spec.ipv6),
        "ssh_keys": sorted(spec.ssh_keys),
        "ready": True,
    }
    if vpc:
        state["vpc"] = vpc
    if spec.user_data:
        state["user_data"] = fingerprint(spec.user_data)
    if not spec.wait:
        del state["ready"]
    return state


def staying(spec: FleetSpec, name: str, now: State, vpc: str | None) -> State:
    """A droplet that exists, as it should be: changed in place or, if that is allowed, replaced. Raises OpsError for any other change."""
    asked = {"image": spec.image, "region": spec.region, "vpc": vpc, "monitoring": spec.monitoring}
    fixed = {field: value for field, value in asked.items() if value is not None and value != now[field]}
    if spec.ipv6 is False and now["ipv6"]:
        fixed["ipv6"] = False
    want = _replaced(spec, name, now, fixed, vpc) if fixed else {**now, **_resized(spec, name, now)}
    if spec.ipv6:
        want["ipv6"] = True
    if spec.backups is not None or spec.backup_policy:
        want["backups"] = bool(spec.backups or spec.backup_policy)
    if spec.tags is not None:
        kept = [PROTECT] if PROTECT in now["tags"] else []
        want["tags"] = sorted({*spec.all_tags, *kept})
    if spec.wait:
        want["ready"] = True
    return want


def _resized(spec: FleetSpec, name: str, now: State) -> State:
    if not spec.size or spec.size == now["size"]:
        return {}
    if not spec.resize:
        raise OpsError(
            f"{name} has size {now['size']}, not {spec.size}."
            " A resize switches the droplet off for about a minute: set resize=true to allow it (one droplet at a time).",
            droplet=name,
            field="size",
        )
    return {"size": spec.size}


def _replaced(spec: FleetSpec, name: str, now: State, fixed: Mapping[str, Any], vpc: str | None) -> State:
    """The droplet that takes the place of one: as declared, and in what is not declared like it."""
    listed = ", ".join(f"{field} {now[field]}, not {value}" for field, value in fixed.items())
    if not spec.replace:
        raise OpsError(
            f"{name} has {listed}, and that cannot be changed on a droplet that exists. Keep the value it has, or set replace=true:"
            " a new droplet is created, checked, and takes the place of the old one, whose disk is lost.",
            droplet=name,
            field=next(iter(fixed)),
        )
    if PROTECT in now["tags"]:
        raise OpsError(f"{name} has {listed}, so it would be replaced, but has the tag {PROTECT!r}. Take the tag off first if that is meant.", protected=[name])
    want: State = {**now, **fixed, "size": spec.size or now["size"], "ssh_keys": sorted(spec.ssh_keys)}
    if vpc:
        want["vpc"] = vpc
    if spec.user_data:
        want["user_data"] = fingerprint(spec.user_data)
    return want


def is_replaced(now: State, want: State) -> bool:
    """Whether a planned change takes another droplet."""
    return any(now.get(field) != want.get(field) for field in FIXED) or (now["ipv6"] and not want["ipv6"])


def fits(spec: FleetSpec, droplet: Object, want: State) -> bool:
    """Whether a replacement that an earlier run made is the one that is wanted now."""
    state = present(spec, droplet)
    return state["size"] == want["size"] and not is_replaced(state, want)


def belongings(spec: FleetSpec, wanted: list[str]) -> dict[str, State]:
    """What each member should have from elsewhere, as far as the fleet declares it."""
    shared = [volume for volume in spec.volumes or () if "{name}" not in volume]
    if shared and len(wanted) > 1:
        raise OpsError(
            f"A volume can be attached to one droplet only, so with {len(wanted)} members {', '.join(shared)} has to have {{name}} in it.", field="volumes"
        )
    addresses = dict(zip(sorted(wanted, key=natural), spec.reserved_ips or (), strict=False))
    return {
        name: {
            **({"project": spec.project} if spec.project else {}),
            **({"reserved_ip": addresses.get(name)} if spec.reserved_ips is not None else {}),
            **({"volumes": sorted(volume.replace("{name}", name) for volume in spec.volumes)} if spec.volumes is not None else {}),
            **({"backup_policy": dict(spec.backup_policy)} if spec.backup_policy else {}),
        }
        for name in wanted
    }


def unfinished(droplet: Object) -> list[str]:
    """What was begun with a droplet and is not done."""
    return sorted(mark.partition(":")[2] for mark in MARKS & {str(tag).lower() for tag in droplet.get("tags") or ()})
