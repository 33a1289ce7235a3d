# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make apt ready for work: wait a bounded time for who holds it, refuse a full disk, repair an interrupted dpkg."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for

LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/lib/apt/lists/lock", "var/cache/apt/archives/lock")
WRITTEN = ("usr", "var/lib/dpkg", "var/cache/apt/archives")
UPDATES = "var/lib/dpkg/updates"
MINIMUM_INODES = 2000
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
KEEP_CONFIGURATION = ("--force-confdef", "--force-confold")


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock of apt or dpkg."""

    lock: str
    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command}) holds {self.lock}"


@dataclass(frozen=True)
class Space:
    """What a file system has left. inodes: None where it does not count them."""

    folder: str
    free_mib: int
    inodes: int | None


def shortage(spaces: Sequence[Space], minimum_mib: int) -> str | None:
    """Why nothing should be installed, with the numbers; None when there is room."""
    found = [f"{space.folder} has {space.free_mib} MiB free, {minimum_mib} are needed" for space in spaces if space.free_mib < minimum_mib]
    found += [
        f"{space.folder} has {space.inodes} inodes free, {MINIMUM_INODES} are needed"
        for space in spaces
        if space.inodes is not None and space.inodes < MINIMUM_INODES
    ]
    return "; ".join(found) or None


class System:
    """What is asked of the host, below ``root``. Tests pass one of their own."""

    def __init__(self, root: str = "/", runner: Runner | None = None) -> None:
        self._root = Path(root)
        self._runner = runner or Runner()

    def holders(self) -> list[Holder]:
        return [holder for name in LOCKS if (holder := self._holder(name))]

    def _holder(self, name: str) -> Holder | None:
        try:
            handle = os.open(self._root / name, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        finally:
            os.close(handle)
        kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
        return None if kind == fcntl.F_UNLCK else Holder(f"/{name}", pid, _command(pid))

    def spaces(self) -> list[Space]:
        """One for each file system that packages are written to."""
        found: dict[int, Space] = {}
        for name in WRITTEN:
            folder = self._root / name
            if folder.exists():
                seen = os.statvfs(folder)
                inodes = seen.f_favail if seen.f_files else None
                found.setdefault(folder.stat().st_dev, Space(f"/{name}", seen.f_bavail * seen.f_frsize // 2**20, inodes))
        return list(found.values())

    def unfinished(self) -> str:
        """What dpkg has to finish; empty when it was not interrupted."""
        folder = self._root / UPDATES
        pending = sorted(entry.name for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []
        audit = self._runner.run(["dpkg", "--audit"], check=False).stdout.strip()
        return audit or (f"{len(pending)} changes of its database" if pending else "")

    def finish(self) -> None:
        """Let dpkg finish; what it cannot do alone, such as a package that was unpacked by half, apt installs again."""
        self._runner.run(["dpkg", "--configure", "--pending", *KEEP_CONFIGURATION], env=QUIET, timeout=1800, check=False)
        if self.unfinished():
            options = [word for option in KEEP_CONFIGURATION for word in ("--option", f"Dpkg::Options::={option}")]
            self._runner.run(["apt-get", "--assume-yes", "--fix-broken", *options, "install"], env=QUIET, timeout=1800, check=False)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:200] or "a kernel thread"
    except OSError:
        return "it has ended"


class Ready:
    """The operation: afterwards, apt can work."""

    def __init__(self, params: Mapping[str, Any], system: System | None = None, clock: Clock | None = None) -> None:
        self._timeout = float(params["lock_timeout"])
        self._minimum = int(params["minimum_free_mib"])
        self._system = system or System()
        self._clock = clock or Clock()
        self._waited = 0.0

    def plan(self) -> Plan:
        short = shortage(self._system.spaces(), self._minimum)
        if short:
            raise OpsError(f"No room for packages: {short}. Nothing was installed. Make room (apt-get clean, journalctl --vacuum-size=200M), then run again.")
        self._wait()
        unfinished = self._system.unfinished()
        steps = ("let dpkg finish what was interrupted",) if unfinished else ()
        return Plan("repair" if unfinished else "none", {"unfinished": unfinished}, {"unfinished": ""}, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        self._system.finish()
        left = self._system.unfinished()
        if left:
            raise OpsError(f"dpkg was interrupted and could not be repaired: {left}. Look at what dpkg --configure -a says on the host.")
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"repaired": str((planned.before or {}).get("unfinished", "")), "waited": round(self._waited, 1)}

    def _wait(self) -> None:
        began = self._clock.monotonic()
        wait_for(
            "apt's locks to be free",
            self._system.holders,
            lambda holders: not holders,
            timeout=self._timeout,
            clock=self._clock,
            describe=lambda holders: ", ".join(map(str, holders)),
        )
        self._waited = self._clock.monotonic() - began
