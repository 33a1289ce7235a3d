# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to a fleet, who joins and who leaves, whoever sells the machines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

PROTECT = "protect"


@dataclass(frozen=True)
class Membership:
    """A fleet as declared.

    noun: what a member is called in errors.
    names: exact members; empty when the fleet is counted.
    prefix, count: members are <prefix>-<number>, exactly ``count`` of them.
    """

    noun: str
    names: tuple[str, ...] = ()
    prefix: str | None = None
    count: int | None = None
    present: bool = True
    max_delete: int = 1


def number(name: str, prefix: str) -> int | None:
    """The number of a counted member, None for any other name."""
    match = re.fullmatch(re.escape(prefix) + r"-([1-9][0-9]*)", name)
    return int(match.group(1)) if match else None


def natural(name: str) -> tuple[str, int]:
    """Sorts shop-2 before shop-10."""
    head, _dash, tail = name.rpartition("-")
    return (head, int(tail)) if tail.isdigit() else (name, 0)


def belongs(fleet: Membership, name: str) -> bool:
    """Whether something with the fleet's tag is a member."""
    return name in fleet.names if fleet.prefix is None else number(name, fleet.prefix) is not None


def unique(what: str, objects: Iterable[Mapping[str, Any]], key: str = "name") -> dict[str, Mapping[str, Any]]:
    """Objects by name. Two of the same name are an error, never a guess."""
    found: dict[str, Mapping[str, Any]] = {}
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


def members(fleet: Membership, current: Mapping[str, bool]) -> list[str]:
    """The names that the fleet should have. Numbered ones stay as they are; gaps are filled from below, the highest leave first.

    current: the names of those that exist, and whether each is protected.
    """
    if not fleet.present:
        return []
    if fleet.prefix is None:
        return list(fleet.names)
    if fleet.count is None:
        raise OpsError(f"count is not given, so how many {fleet.noun}s {fleet.prefix}-1, {fleet.prefix}-2 ... there should be is not known.", missing=["count"])
    prefix, count = fleet.prefix, fleet.count
    protected = [name for name, safe in current.items() if safe]
    if len(protected) > count:
        raise OpsError(
            f"count is {count}, but {len(protected)} {fleet.noun}s have the tag {PROTECT!r} ({', '.join(sorted(protected))})."
            f" Take the tag off one of them, or raise count.",
            protected=sorted(protected),
        )
    # A protected member counts first, so the highest number among the others is the one that goes.
    others = sorted((name for name in current if name not in protected), key=lambda name: number(name, prefix) or 0)
    chosen = [*protected, *others][:count]
    candidate = 1
    while len(chosen) < count:
        name = f"{prefix}-{candidate}"
        if name not in current:
            chosen.append(name)
        candidate += 1
    return sorted(chosen, key=lambda name: number(name, prefix) or 0)


def leaving(fleet: Membership, current: Mapping[str, bool], wanted: Iterable[str]) -> list[str]:
    """Who is removed, after every limit was asked."""
    gone = sorted((name for name in current if name not in set(wanted)), key=natural)
    protected = [name for name in gone if current[name]]
    if protected:
        raise OpsError(f"{', '.join(protected)} would be removed but has the tag {PROTECT!r}. Take the tag off first if that is meant.", protected=protected)
    if fleet.present and len(gone) > fleet.max_delete:
        raise OpsError(
            f"{len(gone)} {fleet.noun}s would be removed ({', '.join(gone)}), more than max_delete={fleet.max_delete} allows in one run."
            f" Set max_delete to {len(gone)} if that is meant.",
            would_delete=gone,
            max_delete=fleet.max_delete,
        )
    return gone
