# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host before it is patched, and why the host is not well afterwards.

A container is known by its name and by its service, which survives a release: one that is not there any more has been replaced when another of its
service runs well.
"""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import open_once_secured

INTERVAL = 2.0
ANSWER_TIMEOUT = 5.0
ENGINE_TIMEOUT = 30.0
# The labels that say which service a container is of; the slot of a release is part of the project's name, so ours come first.
SERVICE_LABELS = (("groundcrew.application", "groundcrew.service"), ("com.docker.compose.project", "com.docker.compose.service"))
ONE_OFF = "com.docker.compose.oneoff"


@dataclass(frozen=True)
class Container:
    """health: healthy, unhealthy or starting; empty without a check. service: empty where no label names one."""

    name: str
    service: str
    status: str
    health: str
    exit_code: int

    @property
    def well(self) -> bool:
        return self.status == "running" and self.health in ("", "healthy")

    @property
    def state(self) -> str:
        """What is wrong, for people."""
        if self.status == "running":
            return "its health check has not passed yet" if self.health == "starting" else self.health
        return f"{self.status}, exit code {self.exit_code}"


class Machine:
    """The host as its systemd, its engine and its addresses tell it."""

    def __init__(self, runner: Runner | None = None, which: Callable[[str], str | None] = shutil.which, opener: Any = open_once_secured) -> None:
        self._runner = runner or Runner()
        self._which = which
        self._open = opener

    def state(self) -> str:
        """The state of systemd as a whole."""
        return self._runner.run(["systemctl", "is-system-running"], check=False).stdout.strip()

    def failed_units(self) -> list[str]:
        said = self._runner.run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"]).stdout
        return sorted(line.split()[0] for line in said.splitlines() if line.strip())

    def containers(self) -> list[Container]:
        """All that the engine has, but those that run a single command of a Compose file. None where Docker is not installed."""
        if self._which("docker") is None:
            return []
        listed = self._docker("ps", "--all", "--quiet", "--no-trunc")
        if listed.rc != 0:
            raise failed(listed, "docker ps")
        names = listed.stdout.split()
        if not names:
            return []
        inspected = self._docker("container", "inspect", *names)
        # One that goes in between is an error of the command, which tells of all others nevertheless.
        if inspected.rc != 0 and "no such container" not in inspected.stderr.lower():
            raise failed(inspected, "docker container inspect")
        return [_container(each) for each in json.loads(inspected.stdout) if (each["Config"]["Labels"] or {}).get(ONE_OFF) != "True"]

    def _docker(self, *arguments: str) -> Completed:
        return self._runner.run(["docker", *arguments], timeout=ENGINE_TIMEOUT, check=False)

    def answer(self, url: str, validate_certs: bool) -> str:
        """What is wrong with what the address answers; empty when nothing is."""
        try:
            with self._open(url, method="GET", timeout=ANSWER_TIMEOUT, validate_certs=validate_certs) as response:
                status = response.status
        except HTTPError as error:
            status = error.code
        except (URLError, OSError, http.client.HTTPException, ValueError) as error:
            return f"did not answer: {getattr(error, 'reason', None) or error or type(error).__name__}"
        return "" if status == 200 else f"answered {status}, not 200"


def _container(inspected: Mapping[str, Any]) -> Container:
    labels, state = inspected["Config"]["Labels"] or {}, inspected["State"]
    service = next((f"{labels[of]}/{labels[name]}" for of, name in SERVICE_LABELS if of in labels and name in labels), "")
    return Container(
        inspected["Name"].lstrip("/"), service, state["Status"], (state.get("Health") or {}).get("Status", "").replace("none", ""), state["ExitCode"]
    )


def look(machine: Machine) -> dict[str, Any]:
    """What is now, to compare with later."""
    try:
        containers = machine.containers()
    except OpsError as error:
        raise OpsError(
            "Docker is installed here, and does not say which containers run, so nobody could tell later whether all of them came back. Start it"
            f" (systemctl start docker), or remove it where nothing needs it. {error.message}"
        ) from error
    running = [{"name": each.name, "service": each.service, "well": each.health != "unhealthy"} for each in containers if each.status == "running"]
    return {"failed_units": machine.failed_units(), "containers": sorted(running, key=lambda each: str(each["name"]))}


def ill(before: Mapping[str, Any], now: Sequence[Container]) -> list[str]:
    """Which containers are not as well as they were, each with the reason."""
    known = {each["name"] for each in before["containers"]}
    here = {each.name: each for each in now}
    # Of a service that was released anew since, what the release before had may be gone or stopped.
    anew = {each.name: {"service": each.service, "well": True} for each in now if each.service and each.name not in known and each.status == "running"}
    released = {each["service"] for each in anew.values()}
    kept = {each["name"]: each for each in before["containers"] if each["service"] not in released}
    found = []
    for name, was in sorted({**kept, **anew}.items()):
        container = here.get(name)
        if container is None:
            # One of several, as when a service was scaled in.
            if not (was["service"] and any(each.service == was["service"] and each.well for each in now)):
                found.append(f"{name} (there is none of this name any more)")
        elif not container.well and not (container.status == "running" and not was["well"]):
            found.append(f"{name} ({container.state})")
    return found


def reasons(machine: Machine, params: Mapping[str, Any]) -> list[str]:
    """Why the host is not well; none when it is."""
    before = params["before"]
    found = []
    state = machine.state()
    if state not in ("running", "degraded"):
        found.append(f"systemd is {state or 'not to be asked'}")
    units = [name for name in machine.failed_units() if name not in before["failed_units"]]
    if units:
        found.append(f"failed since then: {', '.join(units)} (journalctl --unit=UNIT says why)")
    try:
        containers = ill(before, machine.containers())
    except OpsError as error:
        containers = [f"Docker does not tell them: {error.message}"]
    if containers:
        found.append(f"containers that ran before and are not well: {', '.join(containers)}")
    for url in params["urls"]:
        wrong = machine.answer(url, params["validate_certs"])
        found += [f"{url} {wrong}"] if wrong else []
    return found


def prove(params: Mapping[str, Any], machine: Machine | None = None, clock: Clock | None = None) -> dict[str, Any]:
    """The question that the module host_health answers."""
    machine, clock = machine or Machine(), clock or Clock()
    if params["before"] is not None:
        deadline = clock.monotonic() + params["timeout"]
        while why := reasons(machine, params):
            left = deadline - clock.monotonic()
            if left <= 0:
                raise OpsError(f"Not well within {params['timeout']} s: {'; '.join(why)}.", reasons=why)
            clock.sleep(min(INTERVAL, left))
    return {"health": look(machine)}
