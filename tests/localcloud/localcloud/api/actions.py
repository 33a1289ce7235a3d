# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions: what takes its time. The record is written before the work, so a restart takes it up again."""

from __future__ import annotations

from flask import Blueprint

from localcloud.api.answers import found, page
from localcloud.api.catalog import REGIONS
from localcloud.store import Document
from localcloud.world import World, now


def start(world: World, type_: str, droplet: Document, details: Document | None = None) -> Document:
    """Note an action in progress."""
    action = {
        "id": world.store.number("action", 2_000_000_001),
        "status": "in-progress",
        "type": type_,
        "started_at": now(),
        "completed_at": None,
        "resource_id": droplet["id"],
        "resource_type": "droplet",
        "region_slug": droplet["region"],
        "details": details or {},
    }
    with world.store.transaction():
        world.store.put("action", action["id"], action)
        world.store.put("pending", droplet["id"], {"action": action["id"]})
    return action


def end(world: World, action: Document, status: str) -> None:
    with world.store.transaction():
        world.store.put("action", action["id"], {**action, "status": status, "completed_at": now()})
        world.store.delete("pending", action["resource_id"])


def view(action: Document) -> Document:
    shown = {key: value for key, value in action.items() if key != "details"}
    return {**shown, "region": REGIONS[action["region_slug"]]}


def of_droplet(world: World, droplet_id: int) -> list[Document]:
    return [action for action in reversed(world.store.all("action")) if action["resource_id"] == droplet_id]


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/actions")
    def list_actions() -> Document:
        return page("actions", [view(action) for action in reversed(world.store.all("action"))])

    @app.get("/v2/actions/<int:action_id>")
    def get_action(action_id: int) -> Document:
        return {"action": view(found(world.store.get("action", action_id)))}
