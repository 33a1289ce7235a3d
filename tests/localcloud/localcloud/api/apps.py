# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App Platform, as records: apps, their deployments' phases, logs and rollbacks. Nothing is built and nothing serves."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, request

from localcloud.api import app_deployments
from localcloud.api.answers import ApiError, body, found, link, page, required, unprocessable
from localcloud.api.app_specs import checked, stored
from localcloud.api.projects import default_project
from localcloud.store import Document
from localcloud.world import World, now


def view(world: World, app: Document) -> Document:
    deployments = app_deployments.of(world, app["id"])
    shown = {key: app[key] for key in ("id", "spec", "created_at", "updated_at", "project_id")}
    for key, phases in (("active_deployment", ("ACTIVE",)), ("in_progress_deployment", app_deployments.UNDER_WAY), ("pending_deployment", ("PENDING_BUILD",))):
        chosen = next((each for each in deployments if each["phase"] in phases), None)
        if chosen:
            shown[key] = app_deployments.view(chosen)
    if app["pinned"]:
        shown["pinned_deployment"] = app_deployments.view(found(world.store.get("deployment", app["pinned"])))
    url = f"https://{app['spec']['name']}-{app['id'][:5]}.ondigitalocean.app"
    return {
        **shown,
        "owner_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, world.cloud.name)),
        "last_deployment_created_at": deployments[0]["created_at"],
        "default_ingress": url,
        "tier_slug": "basic",
        "region": {"slug": app["spec"]["region"], "label": app["spec"]["region"]},
        **({"live_url": url} if "active_deployment" in shown else {}),
    }


def register(blueprint: Blueprint, world: World) -> None:
    def one(app_id: str) -> Document:
        return found(world.store.get("app", app_id))

    def unpinned(app_id: str) -> Document:
        app = one(app_id)
        if app["pinned"]:
            raise ApiError(409, "conflict", "The app is pinned to a rollback deployment; commit or revert the rollback first.")
        return app

    def deployment(app_id: str, deployment_id: str) -> Document:
        one(app_id)
        each = found(world.store.get("deployment", deployment_id))
        return found(each if each["app_id"] == app_id else None)

    def save(app: Document, **changes: object) -> Document:
        changed = {**app, **changes, "updated_at": now()}
        world.store.put("app", app["id"], changed)
        return changed

    @blueprint.get("/v2/apps")
    def list_apps() -> Document:
        return page("apps", world.store.all("app"), lambda app: view(world, app))

    @blueprint.post("/v2/apps")
    def create_app() -> Document:
        data = body()
        (wanted,) = required(data, "spec")
        with world.store.transaction():
            checked(wanted)
            if any(app["spec"]["name"] == wanted["name"] for app in world.store.all("app")):
                raise ApiError(409, "conflict", f"an app named {wanted['name']} already exists")
            project = data.get("project_id") or default_project(world)["id"]
            app = {"id": str(uuid.uuid4()), "created_at": now(), "pinned": None, "project_id": project}
            app = save(app, spec=stored(world, wanted))
            app_deployments.start(world, app["id"], app["spec"], "initial deployment")
        return {"app": view(world, app)}

    @blueprint.get("/v2/apps/<app_id>")
    def get_app(app_id: str) -> Document:
        return {"app": view(world, one(app_id))}

    @blueprint.put("/v2/apps/<app_id>")
    def update_app(app_id: str) -> Document:
        (wanted,) = required(body(), "spec")
        with world.store.transaction():
            app = unpinned(app_id)
            checked(wanted)
            app = save(app, spec=stored(world, wanted))
            app_deployments.start(world, app_id, app["spec"], "app spec updated")
        return {"app": view(world, app)}

    @blueprint.delete("/v2/apps/<app_id>")
    def delete_app(app_id: str) -> Document:
        with world.store.transaction():
            world.store.delete("app", one(app_id)["id"])
            for each in app_deployments.of(world, app_id):
                world.store.delete("deployment", each["id"])
        return {"id": app_id}

    @blueprint.get("/v2/apps/<app_id>/deployments")
    def list_deployments(app_id: str) -> Document:
        one(app_id)
        return page("deployments", app_deployments.of(world, app_id), app_deployments.view)

    @blueprint.post("/v2/apps/<app_id>/deployments")
    def create_deployment(app_id: str) -> Document:
        return {"deployment": app_deployments.view(app_deployments.start(world, app_id, unpinned(app_id)["spec"], "manual"))}

    @blueprint.get("/v2/apps/<app_id>/deployments/<deployment_id>")
    def get_deployment(app_id: str, deployment_id: str) -> Document:
        return {"deployment": app_deployments.view(deployment(app_id, deployment_id))}

    @blueprint.get("/v2/apps/<app_id>/deployments/<deployment_id>/logs")
    def get_logs(app_id: str, deployment_id: str) -> Document:
        deployment(app_id, deployment_id)
        kind = request.args.get("type", "")
        if kind not in app_deployments.LOGS:
            raise unprocessable(f"invalid type {kind}")
        return {"historic_urls": [link(f"/_localcloud/logs/{deployment_id}/{kind}")]}

    # Like the signed links of the real one, this asks for no token.
    @blueprint.get("/_localcloud/logs/<deployment_id>/<kind>")
    def read_log(deployment_id: str, kind: str) -> Response:
        return Response(app_deployments.log(world, found(world.store.get("deployment", deployment_id)), kind), content_type="text/plain")

    @blueprint.post("/v2/apps/<app_id>/rollback/validate")
    def validate_rollback(app_id: str) -> Document:
        return _validity(one(app_id), deployment(app_id, *required(body(), "deployment_id")))

    @blueprint.post("/v2/apps/<app_id>/rollback")
    def roll_back(app_id: str) -> Document:
        data = body()
        with world.store.transaction():
            app, target = one(app_id), deployment(app_id, *required(data, "deployment_id"))
            validity = _validity(app, target)
            if not validity["valid"]:
                raise unprocessable(validity["error"]["message"])
            begun = app_deployments.start(world, app_id, target["spec"], "manual rollback", cloned_from=target["id"])
            save(app, **({"spec": target["spec"]} if data.get("skip_pin") else {"pinned": begun["id"]}))
        return {"deployment": app_deployments.view(begun)}

    @blueprint.post("/v2/apps/<app_id>/rollback/commit")
    def commit_rollback(app_id: str) -> tuple[str, int]:
        with world.store.transaction():
            app = _pinned(one(app_id))
            save(app, spec=found(world.store.get("deployment", app["pinned"]))["spec"], pinned=None)
        return "", 200

    @blueprint.post("/v2/apps/<app_id>/rollback/revert")
    def revert_rollback(app_id: str) -> Document:
        with world.store.transaction():
            app = save(_pinned(one(app_id)), pinned=None)
            begun = app_deployments.start(world, app_id, app["spec"], "rollback reverted")
        return {"deployment": app_deployments.view(begun)}


def _validity(app: Document, target: Document) -> Document:
    if app["pinned"]:
        return {"valid": False, "error": {"code": "app_pinned", "message": "the app is pinned to a rollback deployment"}}
    if target["phase"] not in ("ACTIVE", "SUPERSEDED"):
        message = f'deployment result "{target["phase"].lower()}" is unsuitable for rollback'
        return {"valid": False, "error": {"code": "incompatible_result", "message": message}}
    return {"valid": True}


def _pinned(app: Document) -> Document:
    if not app["pinned"]:
        raise ApiError(409, "conflict", "The app is not pinned to a rollback deployment.")
    return app
