# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects: the default one, which holds what no other does, and those that are made."""

from __future__ import annotations

import uuid

from flask import Blueprint

from localcloud.api.answers import ApiError, body, found, link, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World, now

PURPOSES = (
    "Just trying out DigitalOcean",
    "Class project / Educational purposes",
    "Website or blog",
    "Web Application",
    "Service or API",
    "Mobile Application",
    "Machine learning / AI / Data processing",
    "IoT",
    "Operational / Developer tooling",
)
ENVIRONMENTS = ("Development", "Staging", "Production")
# The type in a resource's name: what the state calls it, and its path.
RESOURCES = {
    "droplet": ("droplet", "droplets"),
    "dbaas": ("database", "databases"),
    "domain": ("domain", "domains"),
    "floatingip": ("reserved_ip", "reserved_ips"),
    "loadbalancer": ("load_balancer", "load_balancers"),
    "volume": ("volume", "volumes"),
}


def default_project(world: World) -> Document:
    with world.store.transaction():
        project = world.store.get("project", "default")
        if project is None:
            project = _project(world, "local", "Operational / Developer tooling", "What no other project holds", "Development", default=True)
            world.store.put("project", "default", project)
    return project


def register(app: Blueprint, world: World) -> None:
    def key(project_id: str) -> str:
        return "default" if project_id in ("default", default_project(world)["id"]) else project_id

    def stored(project_id: str) -> Document:
        return found(world.store.get("project", key(project_id)))

    def held(project: Document) -> list[Document]:
        assigned = {one["urn"]: one for one in world.store.all("assignment") if _exists(world, one["urn"])}
        if not project["is_default"]:
            return [one for one in assigned.values() if one["project_id"] == project["id"]]
        return [{"urn": urn, "assigned_at": project["created_at"]} for urn in _everything(world) if urn not in assigned]

    @app.get("/v2/projects")
    def list_projects() -> Document:
        default_project(world)
        return page("projects", world.store.all("project"))

    @app.post("/v2/projects")
    def create_project() -> tuple[Document, int]:
        data = body()
        name, purpose = required(data, "name", "purpose")
        with world.store.transaction():
            if any(one["name"] == name for one in [default_project(world), *world.store.all("project")]):
                raise ApiError(409, "conflict", "name is already in use")
            project = _project(world, name, purpose, data.get("description") or "", data.get("environment") or "")
            world.store.put("project", project["id"], project)
        return {"project": project}, 201

    @app.get("/v2/projects/<project_id>")
    def get_project(project_id: str) -> Document:
        return {"project": stored(project_id)}

    @app.route("/v2/projects/<project_id>", methods=["PUT", "PATCH"])
    def change_project(project_id: str) -> Document:
        data = body()
        project = stored(project_id)
        changes: Document = {field: data[field] for field in ("name", "description", "environment") if field in data}
        if "purpose" in data:
            changes["purpose"] = _purpose(data["purpose"])
        _check_environment(changes.get("environment", ""))
        project |= {**changes, "updated_at": now()}
        world.store.put("project", key(project_id), project)
        return {"project": project}

    @app.delete("/v2/projects/<project_id>")
    def delete_project(project_id: str) -> tuple[str, int]:
        project = stored(project_id)
        if project["is_default"]:
            raise unprocessable("the default project cannot be deleted")
        if held(project):
            raise ApiError(412, "precondition_failed", "cannot delete a project with resources")
        world.store.delete("project", project_id)
        return "", 204

    @app.get("/v2/projects/<project_id>/resources")
    def list_resources(project_id: str) -> Document:
        return page("resources", held(stored(project_id)), lambda one: _view(one["urn"], one["assigned_at"], "ok"))

    @app.post("/v2/projects/<project_id>/resources")
    def assign(project_id: str) -> Document:
        project = stored(project_id)
        answers = []
        with world.store.transaction():
            before = {one["urn"] for one in held(project)}
            for urn in body().get("resources") or []:
                status = "already_assigned" if urn in before else "assigned" if _exists(world, urn) else "not_found"
                if status == "assigned" and project["is_default"]:
                    world.store.delete("assignment", urn)
                elif status == "assigned":
                    world.store.put("assignment", urn, {"urn": urn, "project_id": project["id"], "assigned_at": now()})
                answers.append(_view(urn, now(), status))
        return {"resources": answers}


def _project(world: World, name: str, purpose: str, description: str, environment: str, *, default: bool = False) -> Document:
    _check_environment(environment)
    return {
        "id": str(uuid.uuid4()),
        "owner_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, world.cloud.name)),
        "owner_id": 1,
        "name": name,
        "description": description,
        "purpose": _purpose(purpose),
        **({"environment": environment} if environment else {}),
        "is_default": default,
        "created_at": now(),
        "updated_at": now(),
    }


def _purpose(purpose: str) -> str:
    return purpose if purpose in PURPOSES or purpose.startswith("Other: ") else f"Other: {purpose}"


def _check_environment(environment: str) -> None:
    if environment and environment not in ENVIRONMENTS:
        raise unprocessable(f"environment must be one of {', '.join(ENVIRONMENTS)}")


def _view(urn: str, assigned_at: str, status: str) -> Document:
    _do, kind, id_ = urn.split(":", 2)
    path = RESOURCES[kind][1] if kind in RESOURCES else kind
    return {"urn": urn, "assigned_at": assigned_at, "links": {"self": link(f"/v2/{path}/{id_}")}, "status": status}


def _exists(world: World, urn: str) -> bool:
    _do, kind, id_ = urn.split(":", 2)
    # Buckets are another server's, which is not asked.
    return kind == "space" or (kind in RESOURCES and world.store.get(RESOURCES[kind][0], id_) is not None)


def _everything(world: World) -> list[str]:
    return [f"do:{kind}:{one.get('id') or one.get('ip') or one['name']}" for kind, (stored, _path) in RESOURCES.items() for one in world.store.all(stored)]
