# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of an app: waited for, and explained when they fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.app_spec import HIDDEN, secret_variables
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

LOOK_EVERY = 5.0  # seconds
OVER = frozenset({"ACTIVE", "SUPERSEDED", "ERROR", "CANCELED"})
LINES = 20
# What to read when a step fails: a release that does not start says why when it runs.
LOGS = {"build": ("BUILD",), "deploy": ("DEPLOY", "RUN")}

Read = Callable[[str], str]


def deployments(client: Client, app_id: str) -> list[dict[str, Any]]:
    """All of them, the newest first."""
    found = client.list(path("apps", app_id, "deployments"), "deployments")
    return sorted(found, key=lambda each: str(each.get("created_at")), reverse=True)


def summary(deployment: Object) -> dict[str, Any]:
    """What a result says about a deployment."""
    return {key: deployment.get(key) for key in ("id", "phase", "cause", "created_at", "cloned_from")}


class Deployments:
    """The deployments of one app.

    read: the text behind a link. secrets: values that no message repeats.
    """

    def __init__(self, client: Client, read: Read, *, name: str, secrets: Iterable[str], timeout: float, clock: Clock) -> None:
        self._client = client
        self._read = read
        self._name = name
        # The longest first, so that none leaves a part of another behind.
        self._secrets = sorted((each for each in secrets if each), key=len, reverse=True)
        self._timeout = timeout
        self._clock = clock

    def follow(self, app_id: str, deployment_id: str) -> None:
        """Wait for the end of a deployment. Raises OpsError with the tail of its log when that is not success."""
        where = path("apps", app_id, "deployments", deployment_id)
        done = wait_for(
            f"deployment {deployment_id} of app {self._name}",
            lambda: self._client.get(where)["deployment"],
            lambda seen: seen["phase"] in OVER,
            timeout=self._timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda seen: seen["phase"],
        )
        if done["phase"] == "ACTIVE":
            return
        if done["phase"] != "ERROR":
            raise OpsError(
                f"Deployment {deployment_id} of app {self._name} ended as {done['phase']}: another one took its place, or somebody canceled it. Run again.",
                deployment=summary(done),
            )
        failed = [step for step in (done.get("progress") or {}).get("steps") or [] if step.get("status") == "ERROR"]
        step = str(failed[0]["name"]) if failed else "deploy"
        reasons = "; ".join(dict.fromkeys(_reasons(failed)))
        tail = self._tail(where, LOGS.get(step, ("BUILD", "DEPLOY", "RUN")))
        message = (
            f"Deployment {deployment_id} of app {self._name} failed: {step}{f': {reasons}' if reasons else '.'} What served before still serves."
            f" Correct the spec or the source and run again.\n{tail}"
        )
        raise OpsError(self._without_secrets(message, secret_variables(done.get("spec"))), deployment=summary(done))

    def _tail(self, where: str, kinds: Iterable[str]) -> str:
        shown = []
        for kind in kinds:
            try:
                links = self._client.get(f"{where}/logs?type={kind}").get("historic_urls") or []
                lines = [line for link in links for line in self._read(str(link)).splitlines()]
            except OpsError as error:
                # The failure is what matters; that its log cannot be had must not hide it.
                shown.append(f"The {kind} log could not be read: {error.message}")
                continue
            if lines:
                shown.append(f"The end of the {kind} log:\n" + "\n".join(lines[-LINES:]))
        return "\n".join(shown) or "There is no log of it."

    def _without_secrets(self, text: str, variables: Iterable[str]) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        # Secrets that this run does not know, where a log tells a variable.
        for variable in variables:
            text = re.sub(rf"({re.escape(variable)}[\"']?\s*[=:]\s*)\S.*", rf"\g<1>{HIDDEN}", text)
        return text


def _reasons(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        message = (step.get("reason") or {}).get("message")
        if message and step.get("status") == "ERROR":
            yield f"{step['component_name']}: {message}" if step.get("component_name") else str(message)
        yield from _reasons(step.get("steps") or [])
