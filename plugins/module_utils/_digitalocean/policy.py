# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to a fleet, who joins and who leaves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import FleetSpec
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet import policy as fleets
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import PROTECT, Membership, natural, unique

__all__ = ["BATCH", "State", "batches", "belongs", "leaving", "members", "natural", "unique"]
State = dict[str, Any]
BATCH = 10  # names that the API takes in one call


def _membership(spec: FleetSpec) -> Membership:
    return Membership("droplet", spec.names, spec.prefix, spec.count, spec.present, spec.max_delete)


def _protected(current: Mapping[str, State]) -> dict[str, bool]:
    return {name: PROTECT in state["tags"] for name, state in current.items()}


def belongs(spec: FleetSpec, name: str) -> bool:
    """Whether a droplet with the fleet's tag is a member."""
    return fleets.belongs(_membership(spec), name)


def members(spec: FleetSpec, current: Mapping[str, State]) -> list[str]:
    """The names that the fleet should have."""
    return fleets.members(_membership(spec), _protected(current))


def leaving(spec: FleetSpec, current: Mapping[str, State], wanted: Iterable[str]) -> list[str]:
    """Who is removed, after every limit was asked."""
    return fleets.leaving(_membership(spec), _protected(current), wanted)


def batches(names: list[str], size: int = BATCH) -> list[list[str]]:
    """Names in groups; without a size, of what one call takes."""
    return [names[start : start + size] for start in range(0, len(names), size)]
