# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clear an engine of what nobody needs any more, through its command line."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release.leavings import Cache, Container, Engine, Rules, Volume, leavings
from ansible_collections.groundcrew.ops.plugins.module_utils._release.prune import engine_images, needed, remove, stores
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

SPEC: dict[str, dict[str, Any]] = {
    "roots": {"type": "list", "elements": "path", "default": ["/opt/groundcrew"]},
    "hours": {"type": "float", "default": 168.0},
    "containers": {"type": "bool", "default": True},
    "images": {"type": "str", "choices": ["none", "unnamed", "unused"], "default": "unnamed"},
    "volumes": {"type": "bool", "default": False},
    "build_cache": {"type": "bool", "default": True},
}
OURS = ("groundcrew.application", "groundcrew.data")
# As the engine says it, and as its command line does.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)? ?(?:(Z)|([+-]\d\d):?(\d\d))")


class Clearing:
    """An operation on an engine. It holds the lease of each application, so that no release begins meanwhile."""

    def __init__(self, params: Mapping[str, Any], runner: Runner | None = None, clock: Clock | None = None) -> None:
        given = {name: params.get(name, option["default"]) for name, option in SPEC.items()}
        self._rules = Rules(given["hours"], given["containers"], given["images"], given["volumes"], given["build_cache"])
        self._roots = [Path(root) for root in given["roots"]]
        self._runner = runner or Runner()
        self._clock = clock or Clock()
        self._going = Engine()

    def plan(self) -> Plan:
        said = self._inspected("container", self._ids("ps", "--all"))
        applications = self._applications(said)
        engine = self._engine(said)
        # While a release is in progress nothing goes: it may be about to start what it pulled.
        busy = [store.root.name for store in applications if store.read().pending]
        self._going = Engine() if busy else leavings(engine, needed(applications), self._rules)
        steps = (
            *(f"remove container {each.name}, not running for {each.hours / 24:.0f} days" for each in self._going.containers),
            *(f"remove image {', '.join(each.references) or each.id} ({each.size // 2**20} MiB)" for each in self._going.images),
            *(f"remove volume {each.name}" for each in self._going.volumes),
            *((f"remove {len(self._going.cache)} records of the build cache, not used for {self._rules.hours:g} hours",) if self._going.cache else ()),
        )
        nothing = {"containers": [], "images": [], "volumes": [], "build_cache": 0}
        before = self._listed() if steps else nothing
        return Plan("prune" if steps else "none", before, nothing, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        with ExitStack() as held:
            for store in self._applications([]):
                held.enter_context(store.open(uuid.uuid4().hex[:12]))
                if store.read().pending:
                    raise OpsError(f"A release of {store.root.name} began in the meantime; nothing was removed. Run again when it is over.")
            # Neither is forced: the engine itself refuses what runs, and what is used.
            for container in self._going.containers:
                self._docker("rm", container.id)
            for image in self._going.images:
                remove(image, self._runner)
            for volume in self._going.volumes:
                self._docker("volume", "rm", volume.name)
            if self._going.cache:
                self._docker("builder", "prune", "--all", "--force", "--filter", f"until={self._rules.hours:g}h")
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"removed": self._listed(), "freed_mib": sum(each.size for each in self._going.images) // 2**20}

    def _listed(self) -> dict[str, Any]:
        return {
            "containers": [each.name for each in self._going.containers],
            "images": [each.references[0] if each.references else each.id for each in self._going.images],
            "volumes": [each.name for each in self._going.volumes],
            "build_cache": len(self._going.cache),
        }

    def _applications(self, containers: Sequence[Mapping[str, Any]]) -> list[Store]:
        """Where the releases are. One whose containers are here and whose releases are not cannot be asked what it needs."""
        found = [store for root in self._roots for store in stores(root)]
        named = {labels[label] for labels in map(_labels, containers) for label in OURS if label in labels}
        unknown = sorted(named - {store.root.name for store in found})
        if unknown:
            raise OpsError(
                f"Containers of {', '.join(unknown)} are here, whose releases are not below {', '.join(map(str, self._roots))}: what they need is not known, "
                "so nothing was removed. Name the folder that holds theirs as well (roots)."
            )
        return found

    def _engine(self, containers: Sequence[Mapping[str, Any]]) -> Engine:
        images, said = engine_images(self._runner)
        ages = {each["Id"]: min(self._hours(each["Created"]), self._hours((each.get("Metadata") or {}).get("LastTagTime") or each["Created"])) for each in said}
        volumes = [Volume(each["Name"], self._hours(each["CreatedAt"])) for each in self._inspected("volume", self._ids("volume", "ls")) if "CreatedAt" in each]
        return Engine([self._container(each) for each in containers], images, ages, volumes, self._cache())

    def _container(self, said: Mapping[str, Any]) -> Container:
        state = said["State"]
        comes_back = said["HostConfig"]["RestartPolicy"]["Name"] in ("always", "unless-stopped")
        return Container(
            said["Id"],
            said["Name"].lstrip("/"),
            said["Image"],
            frozenset(mount["Name"] for mount in said["Mounts"] if mount["Type"] == "volume"),
            state["Status"] not in ("exited", "created", "dead") or comes_back or any(label in _labels(said) for label in OURS),
            min(self._hours(said["Created"]), self._hours(state["FinishedAt"])),
        )

    def _cache(self) -> list[Cache]:
        if not self._rules.build_cache:
            return []
        said = json.loads(self._docker("system", "df", "--verbose", "--format", "{{json .BuildCache}}") or "null") or []
        return [
            Cache(
                each["ID"], frozenset(filter(None, each["Parent"].split(", "))), each["InUse"] == "true", self._hours(each["LastUsedAt"] or each["CreatedAt"])
            )
            for each in said
        ]

    def _hours(self, said: str) -> float:
        found = _TIME.match(said)
        if not found:
            raise OpsError(f"The engine gives a time that cannot be read: {said!r}.")
        day, time, utc, hours, minutes = found.groups()
        at = dt.datetime.fromisoformat(f"{day}T{time}{'+00:00' if utc else f'{hours}:{minutes}'}")
        return (self._clock.now() - at.timestamp()) / 3600

    def _inspected(self, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        # One that goes in this moment is told on standard error, and is no error.
        return list(json.loads(self._runner.run(["docker", kind, "inspect", *ids], check=False).stdout)) if ids else []

    def _ids(self, *command: str) -> list[str]:
        return self._docker(*command, "--quiet", *(["--no-trunc"] if command[0] == "ps" else [])).split()

    def _docker(self, *arguments: str) -> str:
        return self._runner.run(["docker", *arguments], timeout=600).stdout


def _labels(said: Mapping[str, Any]) -> Mapping[str, str]:
    return said["Config"]["Labels"] or {}
