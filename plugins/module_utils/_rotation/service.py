# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit of systemd that uses a secret: it is given the file, told to read it, and believed only when it says, or when it can have read nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pwd import getpwuid
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State, differences
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for

STATE = Path("/var/lib/groundcrew/secret_service")
MODE = 0o400


@dataclass(frozen=True)
class Wanted:
    """What a unit is to use.

    fingerprint: of the secret that ``content`` was made with. action: reload or restart.
    asks: a command that prints the fingerprint that the unit uses; empty where a restart is the proof.
    """

    unit: str
    path: Path
    fingerprint: str
    owner: str = "root"
    action: str = "restart"
    asks: Sequence[str] = ()
    timeout: float = 60.0
    content: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        return _digest(self.content.encode(), self.fingerprint)


class ServiceSecret:
    """A Noun: the file and what the unit acknowledges."""

    def __init__(self, wanted: Wanted, runner: Runner | None = None, clock: Clock | None = None, state: Path = STATE) -> None:
        if wanted.action == "reload" and not wanted.asks:
            raise OpsError(f"A reload of {wanted.unit} proves nothing: give the command that prints the fingerprint it uses (acknowledge), or restart it.")
        self._wanted = wanted
        self._runner = runner or Runner()
        self._clock = clock or Clock()
        self._written = state / f"{hashlib.sha256(str(wanted.path).encode()).hexdigest()[:16]}.json"

    def read(self) -> State | None:
        return {**self._file(), "acknowledged": self._acknowledged()}

    def desired(self, current: State | None) -> State | None:
        wanted = self._wanted
        return {"digest": wanted.digest, "mode": f"{MODE:04o}", "owner": wanted.owner, "acknowledged": wanted.fingerprint}

    def apply(self, planned: Plan) -> None:
        wanted = self._wanted
        # Also one that is as it should be, but nobody knows since when. Otherwise it stays: another unit may have begun to read it.
        if differences(self._file(), {key: value for key, value in (planned.after or {}).items() if key != "acknowledged"}) or self._since() is None:
            self._write()
        # Either starts one that is not active.
        self._runner.run(["systemctl", "reload-or-restart" if wanted.action == "reload" else "restart", wanted.unit], timeout=max(wanted.timeout, 1.0))
        try:
            wait_for(
                f"{wanted.unit} to acknowledge {wanted.fingerprint[:12]}",
                self._acknowledged,
                lambda said: said == wanted.fingerprint,
                timeout=wanted.timeout,
                interval=0.2,
                clock=self._clock,
                describe=lambda said: f"it uses {said[:12]}" if said else "it said nothing",
            )
        except OpsError as error:
            raise OpsError(f"{error.message} Both values work; see journalctl --unit={wanted.unit}, then run again.", **error.details) from error

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"acknowledged": (state or {}).get("acknowledged")}

    def _write(self) -> None:
        """A run that is killed in between leaves a file of which nobody knows when it was written: then no process counts as one that has read it."""
        wanted = self._wanted
        self._written.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._written, json.dumps({"at": None}), mode=0o600)
        write_atomic(wanted.path, wanted.content, mode=MODE)
        shutil.chown(wanted.path, wanted.owner)
        # On the clock that nobody sets, and that systemd tells the start of a process by.
        write_atomic(self._written, json.dumps({"boot": _boot(), "at": self._clock.monotonic()}), mode=0o600)

    def _file(self) -> dict[str, Any]:
        try:
            content, about = self._wanted.path.read_bytes(), self._wanted.path.stat()
        except FileNotFoundError:
            return {"digest": None, "mode": None, "owner": None}
        return {"digest": _digest(content, self._wanted.fingerprint), "mode": f"{stat.S_IMODE(about.st_mode):04o}", "owner": _owner(about)}

    def _acknowledged(self) -> str | None:
        if self._wanted.asks:
            said = self._runner.run(self._wanted.asks, timeout=10, check=False)
            return (said.stdout.strip() or None) if said.rc == 0 else None
        return self._wanted.fingerprint if self._file()["digest"] == self._wanted.digest and self._started_since() else None

    def _started_since(self) -> bool:
        """Whether the unit's process began after the file was written, so that it can have read no other."""
        told = self._runner.run(["systemctl", "show", "--property=ActiveState,ExecMainStartTimestampMonotonic", self._wanted.unit], timeout=10).stdout
        unit = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if unit.get("ActiveState") != "active":
            return False
        since = self._since()
        return since is not None and bool(since["boot"] != _boot() or int(unit["ExecMainStartTimestampMonotonic"]) / 1e6 > since["at"])

    def _since(self) -> dict[str, Any] | None:
        """When we wrote the file; None where a run was killed meanwhile, or somebody else wrote it."""
        try:
            written: dict[str, Any] = json.loads(self._written.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return written if written["at"] is not None else None


def _digest(content: bytes, salt: str) -> str:
    """Tells two contents apart without telling anything about either."""
    return hmac.new(salt.encode(), content, hashlib.sha256).hexdigest()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _owner(about: os.stat_result) -> str:
    try:
        return getpwuid(about.st_uid).pw_name
    except KeyError:
        return str(about.st_uid)
