# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to an earlier deployment of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import read_text
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import app_spec
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.app import find, shown
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.deployment import Deployments, deployments, summary
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object


def target(active: Object | None, made: Sequence[Object], wanted: str | None) -> str | None:
    """The deployment to go back to; None when its content already serves.

    active: what serves. made: all deployments, the newest first. Without a wanted one it is the one that served before and was something else,
    unless what serves is itself a rollback: going back twice would bring back what was left.
    """
    if active is None:
        raise OpsError("The app has no deployment that serves, so there is nothing to go back from. Deploy it with do_app.")
    if wanted is None:
        if active.get("cloned_from"):
            return None
        served = [each for each in made if each["phase"] == "SUPERSEDED" and str(each["created_at"]) <= str(active["created_at"])]
        older = [each for each in served if _content(each) != _content(active)]
        if not older:
            raise OpsError("There is no earlier deployment that served, so there is nothing to go back to.")
        return str(older[0]["id"])
    if wanted not in [each["id"] for each in made]:
        raise OpsError(f"The app has no deployment {wanted}. do_app_info lists them.", deployment=wanted)
    return None if wanted in (active["id"], active.get("cloned_from")) else wanted


def _content(deployment: Object) -> tuple[Any, ...]:
    """What is known of what a deployment deployed."""
    spec = deployment.get("spec") or {}
    sources = [deployment.get(kind) or [] for kind in ("services", "static_sites", "jobs", "workers", "functions")]
    # Each submission encrypts the same secret in another way; the mark tells whether it is the same.
    return app_spec.hidden(spec), app_spec.mark_of(spec), sources


class Rollback:
    """Pinned while it is deployed, so that nothing comes in between; then committed. A run that is killed is taken up by the next one."""

    def __init__(self, client: Client, name: str, deployment: str | None, *, timeout: float, clock: Clock) -> None:
        self._client = client
        self._name = name
        self._wanted = deployment
        self._clock = clock
        self._deployments = Deployments(client, read_text, name=name, secrets=(), timeout=timeout, clock=clock)
        self._where = ""
        self._target: str | None = None

    def plan(self) -> Plan:
        found = self._app()
        self._where = path("apps", found["id"])
        active = found.get("active_deployment")
        before = {"name": self._name, "serves": summary(active) if active else None}
        pinned = found.get("pinned_deployment")
        if pinned:
            self._target = str(pinned.get("cloned_from"))
            if self._wanted not in (None, self._target):
                raise OpsError(
                    f"App {self._name} is in the middle of a rollback to {self._target}. Finish that one first: run again without a deployment.",
                    app=self._name,
                )
        else:
            self._target = target(active, deployments(self._client, found["id"]), self._wanted)
            if self._target is None:
                return Plan("none", before, before)
            # A question, although it is a POST.
            validity = self._client.post(f"{self._where}/rollback/validate", {"deployment_id": self._target})
            if not validity.get("valid"):
                reason = (validity.get("error") or {}).get("message", "without a reason")
                raise OpsError(f"App {self._name} cannot go back to deployment {self._target}: {reason}. Name another one; do_app_info lists them.")
        return Plan("rollback", before, {"name": self._name, "serves": f"what deployment {self._target} is"})

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        pinned = self._app().get("pinned_deployment")
        if not pinned:
            body = {"deployment_id": self._target, "skip_pin": False}
            self._once("/rollback", body, pinned=True)
            pinned = self._app().get("pinned_deployment")
        if not pinned:
            raise OpsError(f"The rollback of app {self._name} was accepted, but the app is not pinned to it. Look at its deployments and run again.")
        app_id = self._where.rpartition("/")[2]
        try:
            self._deployments.follow(app_id, str(pinned["id"]))
        except OpsError as error:
            if (error.details.get("deployment") or {}).get("phase") != "ERROR":
                raise
            self._once("/rollback/revert", None, pinned=False)
            raise OpsError(f"{error.message}\nThe rollback was reverted.", **error.details) from error
        self._once("/rollback/commit", None, pinned=False)
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        found = self._app()
        active = found.get("active_deployment")
        return {"app": {**shown(found), "deployment": summary(active) if active else None}}

    def _app(self) -> Object:
        found = find(self._client, self._name)
        if found is None:
            raise OpsError(f"There is no app named {self._name}. Create it with do_app, or name one that exists.", app=self._name)
        return found

    def _once(self, below: str, body: Any, *, pinned: bool) -> None:
        """Ask for a step of the rollback; after an answer that got lost, look whether it was taken."""

        def left(names: Sequence[str]) -> list[str]:
            return [] if bool(self._app().get("pinned_deployment")) == pinned else list(names)

        create_once([self._name], lambda _names: self._client.post(f"{self._where}{below}", body), left, self._clock, doing="Rolling back")


def rollback(params: Mapping[str, Any]) -> Rollback:
    return Rollback(connect(params), params["name"], params["deployment"], timeout=float(params["wait_timeout"]), clock=Clock())
