# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects: the default one, which holds everything."""

from __future__ import annotations

import uuid

from flask import Blueprint

from localcloud.api.answers import found, page
from localcloud.store import Document
from localcloud.world import World, now


def default_project(world: World) -> Document:
    with world.store.transaction():
        project = world.store.get("project", "default")
        if project is None:
            project = {
                "id": str(uuid.uuid4()),
                "owner_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, world.cloud.name)),
                "owner_id": 1,
                "name": "local",
                "description": "The local cloud's only project",
                "purpose": "Operational / Developer tooling",
                "environment": "Development",
                "is_default": True,
                "created_at": now(),
                "updated_at": now(),
            }
            world.store.put("project", "default", project)
    return project


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/projects")
    def list_projects() -> Document:
        return page("projects", [default_project(world)])

    @app.get("/v2/projects/<project_id>")
    def get_project(project_id: str) -> Document:
        project = default_project(world)
        return {"project": found(project if project_id in ("default", project["id"]) else None)}
