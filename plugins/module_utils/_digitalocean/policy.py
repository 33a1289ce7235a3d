# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to a fleet, who joins and who leaves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import PROTECT, FleetSpec
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


def batches(names: list[str], size: int = BATCH) -> list[list[str]]:
    """Names in groups; without a size, of what one call takes."""
    return [names[start : start + size] for start in range(0, len(names), size)]


def natural(name: str) -> tuple[str, int]:
    """Sorts web-2 before web-10."""
    head, _dash, tail = name.rpartition("-")
    return (head, int(tail)) if tail.isdigit() else (name, 0)
