# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to a fleet, who joins, who leaves, and what may change on a droplet that exists. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import PROTECT, FleetSpec, comparable, fingerprint
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

State = dict[str, Any]
BATCH = 10  # names that the API takes in one call


def number(name: str, prefix: str) -> int | None:
    """The number of a counted member, None for any other name."""
    match = re.fullmatch(re.escape(prefix) + r"-([1-9][0-9]*)", name)
    return int(match.group(1)) if match else None


def belongs(spec: FleetSpec, name: str) -> bool:
    """Whether a droplet with the fleet's tag is a member."""
    return name in spec.names if spec.prefix is None else number(name, spec.prefix) is not None


def unique(what: str, objects: Iterable[Object], key: str = "name") -> dict[str, Object]:
    """Objects by name. Two of the same name are an error, never a guess."""
    found: dict[str, Object] = {}
    for each in objects:
        name = str(each[key])
        if name in found:
            raise OpsError(
                f"There are two {what}s named {name} (ids {found[name].get('id')} and {each.get('id')}),"
                " so which is meant cannot be told. Rename or remove one of them.",
                name=name,
                ids=[found[name].get("id"), each.get("id")],
            )
        found[name] = each
    return found


def members(spec: FleetSpec, current: Mapping[str, State]) -> list[str]:
    """The names that the fleet should have. Numbered ones stay as they are; gaps are filled from below, the highest leave first."""
    if spec.prefix is None:
        return list(spec.names)
    prefix, count = spec.prefix, spec.count or 0
    protected = [name for name in current if PROTECT in current[name]["tags"]]
    if len(protected) > count:
        raise OpsError(
            f"count is {count}, but {len(protected)} droplets have the tag {PROTECT!r} ({', '.join(sorted(protected))})."
            " Take the tag off a droplet, or raise count.",
            protected=sorted(protected),
        )
    # A protected droplet counts first, so the highest number among the others is the one that goes.
    others = sorted((name for name in current if name not in protected), key=lambda name: number(name, prefix) or 0)
    chosen = [*protected, *others][:count]
    candidate = 1
    while len(chosen) < count:
        name = f"{prefix}-{candidate}"
        if name not in current:
            chosen.append(name)
        candidate += 1
    return sorted(chosen, key=lambda name: number(name, prefix) or 0)


def leaving(spec: FleetSpec, current: Mapping[str, State], wanted: Iterable[str]) -> list[str]:
    """Who is removed, after every limit was asked."""
    gone = [name for name in current if name not in set(wanted)]
    protected = sorted(name for name in gone if PROTECT in current[name]["tags"])
    if protected:
        raise OpsError(f"{', '.join(protected)} would be removed but has the tag {PROTECT!r}. Take the tag off first if that is meant.", protected=protected)
    if spec.present and len(gone) > spec.max_delete:
        raise OpsError(
            f"{len(gone)} droplets would be removed ({', '.join(gone)}), more than max_delete={spec.max_delete} allows in one run."
            f" Set max_delete to {len(gone)} if that is meant.",
            would_delete=gone,
            max_delete=spec.max_delete,
        )
    return gone


def present_state(spec: FleetSpec, droplet: Object) -> State:
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


def joining_state(spec: FleetSpec, vpc: str | None) -> State:
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
        "backups": bool(spec.backups),
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


def staying_state(spec: FleetSpec, name: str, now: State, vpc: str | None) -> State:
    """A droplet that exists, as it should be. Raises OpsError for a change that is not made in place."""
    want = dict(now)
    if spec.region and spec.region != now["region"]:
        raise _fixed(name, "region", now["region"], spec.region)
    if vpc and vpc != now["vpc"]:
        raise _fixed(name, "vpc", now["vpc"], vpc)
    if spec.image and spec.image != now["image"]:
        raise _fixed(name, "image", now["image"], spec.image)
    if spec.size and spec.size != now["size"]:
        if not spec.resize:
            raise OpsError(
                f"{name} has size {now['size']}, not {spec.size}."
                " A resize switches the droplet off for about a minute: set resize=true to allow it (one droplet at a time).",
                droplet=name,
                field="size",
            )
        want["size"] = spec.size
    if spec.monitoring is not None and spec.monitoring != now["monitoring"]:
        # The API has no action for it after creation.
        raise OpsError(
            f"monitoring of {name} is {now['monitoring']}, not {spec.monitoring}. The API sets it at creation only:"
            " install or remove the do-agent package on the host, and leave the option out.",
            droplet=name,
            field="monitoring",
        )
    if spec.ipv6 is not None and spec.ipv6 != now["ipv6"]:
        if not spec.ipv6:
            raise _fixed(name, "ipv6", now["ipv6"], spec.ipv6)
        want["ipv6"] = True
    if spec.backups is not None:
        want["backups"] = spec.backups
    if spec.tags is not None:
        kept = [PROTECT] if PROTECT in now["tags"] else []
        want["tags"] = sorted({*spec.all_tags, *kept})
    if spec.wait:
        want["ready"] = True
    return want


def _fixed(name: str, field: str, is_: Any, should: Any) -> OpsError:
    return OpsError(
        f"{name} has {field} {is_}, not {should}, and that cannot be changed on a droplet that exists."
        f" Set {field} to {is_}, or remove the droplet and let it be created anew.",
        droplet=name,
        field=field,
    )


def batches(names: list[str]) -> list[list[str]]:
    """Names in groups of what one call takes."""
    return [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
