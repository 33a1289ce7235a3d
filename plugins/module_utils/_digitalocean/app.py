# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app of App Platform: its spec, deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import read_text
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import app_spec
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.deployment import LOOK_EVERY, OVER, Deployments, deployments, summary
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import unique
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

SAME, ANOTHER = "this one", "another one"


def find(client: Client, name: str) -> Object | None:
    """An app by name."""
    apps = ({**each, "name": each["spec"]["name"]} for each in client.list("/v2/apps", "apps"))
    return unique("app", (each for each in apps if each["name"] == name)).get(name)


def shown(found: Object) -> dict[str, Any]:
    """What results say about an app."""
    return {
        "id": found["id"],
        "name": found["spec"]["name"],
        "region": (found.get("region") or {}).get("slug"),
        "live_url": found.get("live_url"),
        "default_ingress": found.get("default_ingress"),
        "pinned": bool(found.get("pinned_deployment")),
    }


class App:
    """An app whose newest deployment is of the declared spec and serves."""

    def __init__(
        self, client: Client, name: str, spec: Mapping[str, Any], secrets: Mapping[str, str], *, present: bool, wait: bool, timeout: float, clock: Clock
    ) -> None:
        self._client = client
        self._name = name
        self._present = present
        self._wait = wait
        self._timeout = timeout
        self._clock = clock
        self._declared = app_spec.declared(name, spec)
        self._full = app_spec.filled(self._declared, secrets)
        self._deployments = Deployments(client, read_text, name=name, secrets=secrets.values(), timeout=timeout, clock=clock)
        self._app: Object | None = None
        self._newest: Object = {}
        self._begun: Object = {}

    def read(self) -> State | None:
        self._app = find(self._client, self._name)
        if self._app is None:
            return None
        made = deployments(self._client, self._app["id"])
        self._newest = made[0] if made else {}
        return {
            **shown(self._app),
            "spec": app_spec.comparable(self._app["spec"], self._declared),
            "declaration": SAME if app_spec.bears(self._app["spec"], self._full) else ANOTHER,
            "deployed": self._newest.get("phase") == "ACTIVE",
        }

    def desired(self, current: State | None) -> State | None:
        if not self._present:
            return None
        wanted = {"name": self._name, "spec": self._declared, "declaration": SAME}
        if current and current["pinned"] and any(current[field] != wanted[field] for field in wanted):
            raise OpsError(
                f"App {self._name} is pinned to a rollback that was neither committed nor reverted, so nothing else can be deployed."
                " Finish it with do_app_rollback, then run again.",
                app=self._name,
            )
        return {**wanted, **({"deployed": True} if self._wait else {})}

    def apply(self, planned: Plan) -> None:
        before, after = planned.before, planned.after
        if after is None:
            self._remove()
            return
        if before is None:
            create_once([self._name], lambda _names: self._begin("POST", "/v2/apps"), self._missing, self._clock)
            self.read()
        elif any(before[field] != after[field] for field in ("spec", "declaration")):
            self._begin("PUT", path("apps", before["id"]))
            self.read()
        elif self._newest.get("phase") in (OVER - {"ACTIVE"}):
            self._deploy_again()
        following = self._begun or self._newest
        if self._wait and self._app and following:
            self._deployments.follow(self._app["id"], following["id"])

    def result(self, state: State | None) -> Mapping[str, Any]:
        if state is None:
            return {"app": None}
        told = shown(self._app) if self._app else {**dict.fromkeys(("id", "region", "live_url", "default_ingress")), "name": self._name, "pinned": False}
        return {"app": {**told, "spec": app_spec.hidden(state["spec"]), "deployment": summary(self._newest) if self._newest else None}}

    def _begin(self, method: str, where: str) -> None:
        """Hand in the spec. The answer names the deployment before any list does."""
        answer = self._client.send(method, where, {"spec": app_spec.marked(self._full, app_spec.make_mark(self._full))})["app"]
        self._begun = answer.get("pending_deployment") or answer.get("in_progress_deployment") or {}

    def _missing(self, names: Any) -> list[str]:
        return [] if find(self._client, self._name) else list(names)

    def _deploy_again(self) -> None:
        """The spec is right, but its deployment failed."""
        app_id, failed = str(self._app["id"]) if self._app else "", self._newest["id"]

        def still_to_come(names: Any) -> list[str]:
            self.read()
            return list(names) if self._newest["id"] == failed else []

        create_once([self._name], lambda _names: self._client.post(path("apps", app_id, "deployments"), {}), still_to_come, self._clock, doing="Deploying")
        self.read()

    def _remove(self) -> None:
        try:
            self._client.delete(path("apps", self._app["id"] if self._app else self._name))
        except NotFoundError:
            return  # somebody was faster
        wait_for(
            f"app {self._name} to be gone",
            lambda: find(self._client, self._name),
            lambda found: found is None,
            timeout=self._timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda found: "still listed" if found else "gone",
        )


def app(params: Mapping[str, Any]) -> App:
    return App(
        connect(params),
        params["name"],
        params["spec"] or {},
        params["secrets"] or {},
        present=params["state"] == "present",
        wait=params["wait"],
        timeout=float(params["wait_timeout"]),
        clock=Clock(),
    )


def apps(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apps by name, each with its deployments."""
    client = connect(params)
    found = sorted(
        (each for each in client.list("/v2/apps", "apps") if params["name"] in (None, each["spec"]["name"])), key=lambda each: str(each["spec"]["name"])
    )
    return {
        "apps": [
            {**shown(each), "spec": app_spec.hidden(each["spec"]), "deployments": [summary(one) for one in deployments(client, each["id"])]} for each in found
        ]
    }
