# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of apps: phases that pass with time, and logs."""

from __future__ import annotations

import uuid

from localcloud.api.app_specs import components, environment
from localcloud.store import Document
from localcloud.world import World, now

UNDER_WAY = ("PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING")
LOGS = ("UNSPECIFIED", "BUILD", "DEPLOY", "RUN", "RUN_RESTARTED", "AUTOSCALE_EVENT")


def of(world: World, app_id: str) -> list[Document]:
    """The deployments of an app, the newest first."""
    return [each for each in reversed(world.store.all("deployment")) if each["app_id"] == app_id]


def start(world: World, app_id: str, spec: Document, cause: str, *, cloned_from: str = "") -> Document:
    """Begin a deployment; it takes the place of one that is under way."""
    with world.store.transaction():
        for each in of(world, app_id):
            if each["phase"] in UNDER_WAY:
                _enter(world, each, "CANCELED")
        deployment = {
            "id": str(uuid.uuid4()),
            "app_id": app_id,
            "spec": spec,
            "cause": cause,
            "cloned_from": cloned_from,
            "created_at": now(),
            "phase": UNDER_WAY[0],
            "fails": world.settings()["deployment_fails"],
        }
        _enter(world, deployment, UNDER_WAY[0])
    _later(world, deployment["id"])
    return deployment


def resume(world: World) -> None:
    for deployment in world.store.all("deployment"):
        if deployment["phase"] in UNDER_WAY:
            _later(world, deployment["id"])


def advance(world: World, deployment_id: str) -> None:
    """Enter the next phase."""
    with world.store.transaction():
        deployment = world.store.get("deployment", deployment_id)
        if deployment is None or deployment["phase"] not in UNDER_WAY:
            return
        at = UNDER_WAY.index(deployment["phase"])
        if (deployment["phase"], deployment["fails"]) in (("BUILDING", "BUILD"), ("DEPLOYING", "DEPLOY")):
            _enter(world, deployment, "ERROR")
        elif at + 1 < len(UNDER_WAY):
            _enter(world, deployment, UNDER_WAY[at + 1])
            _later(world, deployment_id)
        else:
            for each in of(world, deployment["app_id"]):
                if each["phase"] == "ACTIVE":
                    _enter(world, each, "SUPERSEDED")
            _enter(world, deployment, "ACTIVE")


def view(deployment: Document) -> Document:
    shown = {key: deployment[key] for key in ("id", "spec", "cause", "created_at", "phase", "phase_last_updated_at")}
    parts = {
        kind: [{"name": component["name"]} for found, component in components(deployment["spec"]) if found == kind]
        for kind in ("services", "static_sites", "jobs", "workers", "functions")
    }
    steps = [_step(deployment, "build", "BUILD", "BUILDING"), _step(deployment, "deploy", "DEPLOY", "DEPLOYING")]
    progress = {"total_steps": len(steps), "steps": steps, **{f"{status}_steps": _count(steps, status.upper()) for status in ("pending", "error", "success")}}
    clone = {"cloned_from": deployment["cloned_from"]} if deployment["cloned_from"] else {}
    return {**shown, **clone, **{kind: named for kind, named in parts.items() if named}, "updated_at": now(), "progress": progress, "tier_slug": "basic"}


def log(world: World, deployment: Document, kind: str) -> str:
    """What a log of the deployment says. Like many a real one it gives the environment away."""
    name = next((component["name"] for _kind, component in components(deployment["spec"])), "app")
    lines = [f"step {number} of {kind.lower()}" for number in range(1, 61)] + environment(world, deployment["spec"])
    if deployment["phase"] == "ERROR" and kind in (deployment["fails"], "RUN"):
        lines.append(f"the {kind.lower()} of {name} failed: exit status 1")
    return "".join(f"{name} {deployment['created_at']} {line}\n" for line in lines)


def _enter(world: World, deployment: Document, phase: str) -> None:
    world.store.put("deployment", deployment["id"], deployment | {"phase": phase, "phase_last_updated_at": now()})
    deployment |= {"phase": phase, "phase_last_updated_at": now()}


def _later(world: World, deployment_id: str) -> None:
    world.later(advance, world, deployment_id, seconds=world.settings()["boot_seconds"] / len(UNDER_WAY))


def _step(deployment: Document, name: str, failing: str, running: str) -> Document:
    phase = deployment["phase"]
    if phase == "ERROR" and deployment["fails"] == failing:
        status = "ERROR"
    elif phase in UNDER_WAY:
        status = "RUNNING" if phase == running else "SUCCESS" if UNDER_WAY.index(phase) > UNDER_WAY.index(running) else "PENDING"
    else:
        status = "PENDING" if phase == "ERROR" and failing == "DEPLOY" else "SUCCESS"
    parts = [
        {
            "name": component["name"],
            "component_name": component["name"],
            "status": status,
            "message_base": f"{name.title()}ing component",
            **({"reason": {"code": f"{name.title()}Failed", "message": f"Your {name} job failed."}} if status == "ERROR" else {}),
        }
        for _kind, component in components(deployment["spec"])
    ]
    return {"name": name, "status": status, "steps": [{"name": "components", "status": status, "steps": parts}]}


def _count(steps: list[Document], status: str) -> int:
    return sum(step["status"] == status for step in steps)
