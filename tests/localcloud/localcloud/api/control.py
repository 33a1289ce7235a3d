# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only this cloud has: faults, settings, counts of calls, violations of the specification. No token asked.

* ``GET|PUT /_localcloud/settings``: latency_seconds, boot_seconds (a droplet stays ``new`` at least as long),
  settle_seconds (so much later a change of a load balancer, volume or reserved IP shows), rate_limit
  per rate_window_seconds, droplet_limit, deployment_fails (an app's deployments that begin now end in the error ``BUILD`` or ``DEPLOY``).
* ``GET|POST|DELETE /_localcloud/faults``: ``{"method": "POST", "path": "/v2/droplets", "status": 500}`` for the next call (``"times": N``
  for N), ``path`` a pattern as of a shell. Either ``status`` (nothing is done; 429 takes ``retry_after``) or ``"drop": true`` (done, but the
  connection ends without an answer).
* ``GET|DELETE /_localcloud/calls``: how often each method and path was called.
* ``GET|DELETE /_localcloud/violations``: where requests or answers broke the specification, when the
  specification lies beside the repository (LOCALCLOUD_VALIDATE=1 insists on it, =0 switches it off).
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

from flask import Flask

from localcloud.api.answers import ApiError, body
from localcloud.api.validation import Validator
from localcloud.store import Document
from localcloud.world import SETTINGS, World

ERROR_IDS = {429: "too_many_requests", 500: "server_error", 502: "bad_gateway", 503: "service_unavailable", 504: "gateway_timeout"}
FAULT_FIELDS = {"method", "path", "times", "status", "retry_after", "message", "drop"}


def next_fault(world: World, method: str, path: str) -> Document | None:
    """The fault meant for this call, used up by one."""
    with world.store.transaction():
        for fault in world.store.all("fault"):
            if fault["method"] in (method, "*") and fnmatchcase(path, fault["path"]):
                fault["times"] -= 1
                if fault["times"]:
                    world.store.put("fault", fault["id"], fault)
                else:
                    world.store.delete("fault", fault["id"])
                return fault
    return None


def register(app: Flask, world: World, calls: Counter[str], validator: Validator | None) -> None:
    @app.get("/_localcloud/settings")
    def read_settings() -> Document:
        return world.settings()

    @app.put("/_localcloud/settings")
    def change_settings() -> Document:
        changes = body()
        unknown = sorted(set(changes) - set(SETTINGS))
        if unknown:
            raise ApiError(422, "unprocessable_entity", f"There is no setting {unknown[0]}; there are {', '.join(SETTINGS)}.")
        world.store.put("setting", "all", {**world.settings(), **changes})
        return world.settings()

    @app.get("/_localcloud/faults")
    def list_faults() -> Document:
        return {"faults": world.store.all("fault")}

    @app.post("/_localcloud/faults")
    def add_fault() -> tuple[Document, int]:
        wanted = body()
        unknown = sorted(set(wanted) - FAULT_FIELDS)
        if unknown or not {"method", "path"} <= set(wanted) or ("status" in wanted) == bool(wanted.get("drop")):
            raise ApiError(
                422,
                "unprocessable_entity",
                f"A fault has method, path, either status or drop; it may have times, retry_after, message. Not: {unknown or wanted}.",
            )
        fault = {"times": 1, **wanted, "id": world.store.number("fault", 1)}
        world.store.put("fault", fault["id"], fault)
        return {"fault": fault}, 201

    @app.delete("/_localcloud/faults")
    def clear_faults() -> tuple[str, int]:
        for fault in world.store.all("fault"):
            world.store.delete("fault", fault["id"])
        return "", 204

    @app.get("/_localcloud/calls")
    def count_calls() -> Document:
        return {"total": sum(calls.values()), "calls": dict(calls)}

    @app.delete("/_localcloud/calls")
    def clear_calls() -> tuple[str, int]:
        calls.clear()
        return "", 204

    @app.get("/_localcloud/violations")
    def list_violations() -> Document:
        return {"violations": _validator().violations}

    @app.delete("/_localcloud/violations")
    def clear_violations() -> tuple[str, int]:
        _validator().violations.clear()
        return "", 204

    def _validator() -> Any:
        if validator is None:
            raise ApiError(409, "conflict", "Nothing is validated: start the cloud with LOCALCLOUD_VALIDATE=1 and the specification in place.")
        return validator
