# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that show some time after they were answered, as those of load balancers, volumes and reserved IPs do."""

from __future__ import annotations

import time
from typing import Any

from localcloud.api.catalog import REGIONS
from localcloud.store import Document
from localcloud.world import World, now


def change(world: World, document: Document, **changes: Any) -> Document:
    """The document with changes that show once they have settled. Time alone brings them about, so nothing is lost by a restart."""
    return {**settled(document), "pending": {"at": time.time() + world.settings()["settle_seconds"], "changes": changes}}


def settled(document: Document) -> Document:
    """The document as it shows now."""
    pending = document.get("pending")
    if not pending or time.time() < pending["at"]:
        return document
    return {**{key: value for key, value in document.items() if key != "pending"}, **pending["changes"]}


def is_pending(document: Document) -> bool:
    return "pending" in settled(document)


def noted_action(world: World, type_: str, resource_type: str, region: str) -> Document:
    """The action that an answer tells of. It is kept as done, because nobody has to be waited for."""
    action: Document = {
        "id": world.store.number("action", 2_000_000_001),
        "status": "completed",
        "type": type_,
        "started_at": now(),
        "completed_at": now(),
        "resource_id": None,
        "resource_type": resource_type,
        "region_slug": region,
        "details": {},
    }
    world.store.put("action", action["id"], action)
    shown = {key: value for key, value in action.items() if key != "details"}
    return {**shown, "status": "in-progress", "completed_at": None, "region": REGIONS[region]}
