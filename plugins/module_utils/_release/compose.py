# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine and Compose v2, through their command line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Container, Release, Slot
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaler import Member
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

PULL_TIMEOUT = 1800.0
STOP_MARGIN = 60.0


class Compose:
    """The engine port. A slot is two projects, ``<app>-<slot>`` and ``<app>-<slot>-worker``, so that each stops alone.

    Data services are in a project of their own, ``<app>-data``: started where they are missing, and left alone by every release.
    """

    def __init__(self, app: str, store: Store, slots: dict[str, Slot], runner: Runner) -> None:
        self._app = app
        self._store = store
        self._slots = slots
        self._runner = runner

    def pull(self, image: str) -> None:
        if self._docker("image", "inspect", "--format", "{{.Id}}", image, check=False).rc != 0:
            pulled = self._docker("pull", "--quiet", image, check=False, timeout=PULL_TIMEOUT)
            if pulled.rc != 0:
                raise failed(pulled, f"Pulling {image}")

    def check(self, release: Release, slot: str) -> None:
        self._store.write_override(self._app, release, self._slots[slot])
        checked = self._compose(release, slot, "web", "config", "--quiet")
        if checked.rc != 0:
            raise failed(checked, f"Compose's own check of release {release.id}")

    def migrate(self, release: Release, slot: str) -> None:
        migration = release.migration
        if migration is None:
            return
        self._start_data(release)
        named = f"The migration of release {release.id} ({' '.join(migration.command)})"
        command = ("run", "--rm", "--no-deps", "-T", migration.service, *migration.command)
        try:
            ran = self._compose(release, slot, "web", *command, timeout=migration.timeout)
        except OpsError as error:
            # The client is gone; what it started still runs.
            self.stop(slot, "web")
            raise OpsError(f"{named} was stopped: {error.message}", **error.details) from error
        if ran.rc != 0:
            raise failed(ran, named)

    def start(self, release: Release, slot: str, kind: str) -> None:
        services = [service for service in release.services if service.kind == kind]
        if not services:
            return
        self._start_data(release)
        scale = [argument for service in services for argument in ("--scale", f"{service.name}={service.replicas}")]
        started = self._compose(
            release,
            slot,
            kind,
            "up",
            "--detach",
            "--no-deps",
            "--no-build",
            "--pull",
            "never",
            "--remove-orphans",
            *scale,
            *(service.name for service in services),
        )
        if started.rc != 0:
            raise failed(started, f"Starting the {kind} services of release {release.id} in slot {slot}")

    def grow(self, release: Release, slot: str, kind: str) -> None:
        """Start what is missing, and touch nothing that runs."""
        services = [service for service in release.services if service.kind == kind]
        scale = [argument for service in services for argument in ("--scale", f"{service.name}={service.replicas}")]
        arguments = ["up", "--detach", "--no-deps", "--no-build", "--no-recreate", "--pull", "never", *scale, *(service.name for service in services)]
        grown = self._compose(release, slot, kind, *arguments)
        if grown.rc != 0:
            raise failed(grown, f"Starting more {kind} services of release {release.id} in slot {slot}")

    def members(self, slot: str) -> list[Member]:
        """The containers of a slot, each with its number and, of a web service, its port on loopback."""
        found = []
        for row in self._rows():
            labels = _labels(row)
            if labels["groundcrew.slot"] == slot:
                port = re.search(r"127\.0\.0\.1:(\d+)->", row["Ports"])
                number = int(labels["com.docker.compose.container-number"])
                running = row["State"] == "running"
                found.append(
                    Member(row["ID"], labels["groundcrew.service"], labels["groundcrew.release"], number, int(port.group(1)) if port else None, running)
                )
        return found

    def end(self, containers: Sequence[str]) -> None:
        """Tell containers to end, wait as long as their grace allows, and remove them."""
        if containers:
            self._stop(containers)
            self._docker("rm", *containers)

    def _start_data(self, release: Release) -> None:
        if not release.data:
            return
        files = [*self._files(release), str(self._store.write_data_override(self._app, release))]
        arguments = ["up", "--detach", "--no-deps", "--no-recreate", "--wait", "--wait-timeout", "300", *(service.name for service in release.data)]
        started = self._run_compose(f"{self._app}-data", release, files, arguments, PULL_TIMEOUT)
        if started.rc != 0:
            raise failed(started, f"Starting the data services of {self._app}")

    def containers(self) -> list[Container]:
        return [
            Container(labels["groundcrew.slot"], labels["groundcrew.service"], labels["groundcrew.release"], row["State"] == "running")
            for row in self._rows()
            for labels in [_labels(row)]
        ]

    def _rows(self) -> list[dict[str, str]]:
        """The application's containers, without those that ran a single command."""
        listed = self._docker("ps", "--all", "--no-trunc", "--filter", f"label=groundcrew.application={self._app}", "--format", "{{json .}}").stdout
        rows: list[dict[str, str]] = [json.loads(line) for line in listed.splitlines()]
        return [row for row in rows if _labels(row).get("com.docker.compose.oneoff") != "True"]

    def stop(self, slot: str, kind: str, services: Sequence[str] = ()) -> None:
        """Each container has its own grace from ``stop_grace_period``; the engine kills only after it."""
        if services:
            running = [each.id for each in self.members(slot) if each.service in services and each.running]
        else:
            running = self._ids(slot, kind, only_running=True)
        if running:
            self._stop(running)

    def _stop(self, containers: Sequence[str]) -> None:
        graces = self._docker("inspect", "--format", "{{.Config.StopTimeout}}", *containers).stdout.split()
        longest = max((int(grace) for grace in graces if grace.isdigit()), default=10)
        self._docker("stop", *containers, timeout=longest + STOP_MARGIN)

    def keep_logs(self, slot: str) -> str:
        path = self._store.log_path(f"{slot}.log")
        said = []
        for kind in ("web", "worker"):
            for container in self._ids(slot, kind):
                logs = self._docker("logs", "--timestamps", "--tail", "500", container, check=False)
                said.append(f"== {kind} {container[:12]}\n{logs.stdout}{logs.stderr}")
        write_atomic(path, "\n".join(said) or "no container was started\n", mode=0o600)
        return str(path)

    def remove(self) -> None:
        for slot in self._slots:
            for kind in ("web", "worker"):
                self._docker("compose", "--project-name", self._project(slot, kind), "down", "--remove-orphans", timeout=600)
        self._docker("compose", "--project-name", f"{self._app}-data", "down", "--remove-orphans", timeout=600)

    def _project(self, slot: str, kind: str) -> str:
        return f"{self._app}-{slot}" if kind == "web" else f"{self._app}-{slot}-{kind}"

    def _ids(self, slot: str, kind: str, *, only_running: bool = False) -> list[str]:
        everything = () if only_running else ("--all",)
        return self._docker(
            "ps", *everything, "--no-trunc", "--quiet", "--filter", f"label=com.docker.compose.project={self._project(slot, kind)}"
        ).stdout.split()

    def _compose(self, release: Release, slot: str, kind: str, *arguments: str, timeout: float = 600.0) -> Completed:
        return self._run_compose(self._project(slot, kind), release, [*self._files(release), str(self._store.override_path(slot))], arguments, timeout)

    def _files(self, release: Release) -> list[str]:
        return [str(self._store.folder(release.id) / file.name) for file in release.files if not file.part]

    def _run_compose(self, project: str, release: Release, files: Sequence[str], arguments: Sequence[str], timeout: float) -> Completed:
        folder = self._store.folder(release.id)
        return self._docker(
            "compose",
            "--project-name",
            project,
            "--project-directory",
            str(folder),
            "--env-file",
            str(folder / ".env"),
            *(argument for file in files for argument in ("--file", file)),
            *arguments,
            check=False,
            timeout=timeout,
        )

    def _docker(self, *arguments: str, check: bool = True, timeout: float = 60.0) -> Completed:
        try:
            return self._runner.run(["docker", *arguments], check=check, timeout=timeout)
        except OpsError as error:
            raise OpsError(f"docker {arguments[0]} for {self._app}: {error.message}", **error.details) from error


def _labels(row: dict[str, str]) -> dict[str, str]:
    return dict(label.partition("=")[::2] for label in row["Labels"].split(","))
