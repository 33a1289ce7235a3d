# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of ``audit`` need to know about an application on this host. Reads only."""

from __future__ import annotations

import datetime as dt
import json
import re
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Unread, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import audit, environment, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

DAY = 86400.0
MINUTE = 60.0
# Docker writes nanoseconds, which no parser of ours takes.
_FRACTION = re.compile(r"\.\d+")


def audit_application(params: Mapping[str, Any], runner: Runner | None = None, clock: Clock | None = None) -> dict[str, Any]:
    """The question that the module compose_audit answers."""
    reader = Reader(params, runner or Runner(), clock or Clock())
    return {"findings": [each.as_dict() for each in reader.findings()]}


class Reader:
    """An application on this host: its folder and its containers."""

    def __init__(self, params: Mapping[str, Any], runner: Runner, clock: Clock) -> None:
        self._params = params
        self._runner = runner
        self._clock = clock
        self._name = params["name"]
        self._store = Store(place(params))

    def findings(self) -> list[Finding]:
        subject = self._params["subject"]
        containers = gather({"containers": self._containers})["containers"]
        facts = {
            **gather({"broken": self._broken, "rollback_releases": self._earlier, "pending_minutes": self._pending, "open_secrets": self._open_secrets}),
            "running": containers if isinstance(containers, Unread) else gather({"running": lambda: self._running(containers)})["running"],
            "switched_off": {rule["id"]: rule["disabled"] for rule in self._params["environment_rules"] if rule.get("disabled")},
            "max_pending_minutes": self._params["max_pending_minutes"],
        }
        found = audit.APPLICATION.examine(f"{subject}/{self._name}", facts)
        if isinstance(containers, Unread):
            return [*found, *audit.CONTAINERS.examine(f"{subject}/{self._name}", dict.fromkeys(("config", "secret_names", "image_days"), containers))]
        return [*found, *(each for one in containers for each in self._container(subject, one))]

    def _container(self, subject: str, config: Mapping[str, Any]) -> list[Finding]:
        image = gather({"image": lambda: self._image(config["Image"])})["image"]
        unread = isinstance(image, Unread)
        facts = {
            "config": config,
            "secret_names": image if unread else _secret_names(config, image),
            "image_days": image if unread else gather({"days": lambda: self._age(image["Created"])})["days"],
            "max_image_days": self._params["image_max_age_days"],
        }
        return audit.CONTAINERS.examine(f"{subject}/{config['Name'].lstrip('/')}", facts)

    def _containers(self) -> list[dict[str, Any]]:
        """Those that run: what was stopped is the slot that a rollback starts, and is judged when it runs."""
        ids = [
            each
            for label in ("application", "data")
            for each in self._say("docker", "ps", "--quiet", "--no-trunc", "--filter", f"label=groundcrew.{label}={self._name}").split()
        ]
        return list(json.loads(self._say("docker", "inspect", *ids))) if ids else []

    def _image(self, identity: str) -> dict[str, Any]:
        return dict(json.loads(self._say("docker", "image", "inspect", identity))[0])

    def _age(self, made: str) -> float:
        at = dt.datetime.fromisoformat(_FRACTION.sub("", made).replace("Z", "+00:00"))
        return (self._clock.now() - at.timestamp()) / DAY

    def _running(self, containers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        active = self._store.read().active
        missing = []
        for service, wanted in active.replicas.items() if active else ():
            labels = [each["Config"]["Labels"] for each in containers]
            right = [each for each in labels if active and (each.get("groundcrew.service"), each.get("groundcrew.release")) == (service, active.release)]
            if len(right) != wanted:
                missing.append(f"{len(right)} of {wanted} containers of {service} run")
        return {"release": active.release if active else None, "missing": missing}

    def _broken(self) -> dict[str, list[str]]:
        """What the active release's variables and secrets break, by rule. No message holds a value that may be secret."""
        active = self._store.read().active
        if active is None:
            raise OpsError("no release is active")
        release = self._store.load(active.release)
        form = environment.violations(release.environment, release.secrets, ())
        rules = environment.make_rules(self._params["environment_rules"], ())
        return {rule.id: [each for each in environment.violations(release.environment, release.secrets, (rule,)) if each not in form] for rule in rules}

    def _earlier(self) -> list[str]:
        state = self._store.read()
        return [each for each in state.committed if self._store.has(each) and not (state.active and each == state.active.release)]

    def _pending(self) -> float | None:
        pending = self._store.read().pending
        return (self._clock.now() - pending.since) / MINUTE if pending else None

    def _open_secrets(self) -> list[str]:
        paths = [*self._store.root.glob("releases/*/secrets/*"), *self._store.root.glob("releases/*/.env")]
        seen = ((path, path.lstat()) for path in sorted(paths))
        return [f"{path} has mode {stat.S_IMODE(each.st_mode):04o}" for path, each in seen if stat.S_ISREG(each.st_mode) and each.st_mode & 0o077]

    def _say(self, *argv: str) -> str:
        return self._runner.run(argv, timeout=30).stdout


def _secret_names(config: Mapping[str, Any], image: Mapping[str, Any]) -> list[str]:
    """Variables that look like secrets. What the image brings is public anyway."""
    brought = set((image.get("Config") or {}).get("Env") or [])
    variables = (each.partition("=")[::2] for each in config["Config"].get("Env") or [] if each not in brought)
    return sorted(name for name, value in variables if value and policy.looks_secret(name, value))
