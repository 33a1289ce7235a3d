# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive the command that starts them, known by pid and start time, so that no other one is ever taken for them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localcloud.shell import CloudError, write_private


class Process:
    """One detached process; its pid file lies in a directory of the caller's."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._pid_file = directory / f"{name}.pid"
        self.log = directory / f"{name}.log"

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        try:
            pid, started = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if started == _started(int(pid)) else None

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start it in a session of its own, with its output in the log."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **(env or {})}, cwd="/")
        write_private(self._pid_file, f"{child.pid} {_started(child.pid)}\n")

    def stop(self, seconds: float = 20) -> None:
        """End it and what it runs, by force when they do not end by themselves."""
        pid = self.pid
        if pid is not None:
            os.killpg(pid, signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while self.pid is not None:
                if time.monotonic() > deadline:
                    os.killpg(pid, signal.SIGKILL)
                    deadline += 5
                time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)

    def wait_for(self, check: Callable[[], bool], seconds: float) -> None:
        """Wait until it answers; its early end is told at once, with what it said."""
        deadline = time.monotonic() + seconds
        while not check():
            if self.pid is None or time.monotonic() > deadline:
                ended = "ended" if self.pid is None else f"did not answer within {seconds:g} s"
                raise CloudError(f"{self.name} {ended}. The last of {self.log}:\n{_tail(self.log)}")
            time.sleep(0.1)


def python() -> str:
    """The interpreter that runs this, by the name it was called: a virtual environment stays one."""
    return sys.executable


def alive(pid: int) -> bool:
    """Whether a process runs: one that ended and waits to be collected does not."""
    return _started(pid) is not None


NOBODY = "a process of another user or container"


def port_owner(address: str, port: int) -> str | None:
    """Who listens at an address and port, None when nobody does."""
    wanted = {_hex(address) + f":{port:04X}", f"00000000:{port:04X}", f"{'0' * 32}:{port:04X}"}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1] in wanted:
                return _process_of(fields[9]) or NOBODY
    return None


def require_free(address: str, ports: Mapping[str, int]) -> None:
    """Refuse to start beside a stranger on our ports."""
    for what, port in ports.items():
        owner = port_owner(address, port)
        deadline = time.monotonic() + 5
        # A process that was killed keeps its sockets until its last thread has ended; meanwhile nobody can be named.
        while owner == NOBODY and time.monotonic() < deadline:
            time.sleep(0.1)
            owner = port_owner(address, port)
        if owner:
            raise CloudError(f"Port {port} on {address} ({what}) is in use by {owner}. End that process, or start this cloud with another --index.")


def _hex(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def _process_of(inode: str) -> str | None:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) == f"socket:[{inode}]":
                pid = link.parts[2]
                command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
                return f"process {pid} ({command[:120]})"
        except OSError:
            continue
    return None


def _started(pid: int) -> str | None:
    """The start time of a running process, as the kernel counts it; None for one that is gone or a zombie."""
    try:
        fields = re.sub(r"^.*\) ", "", Path(f"/proc/{pid}/stat").read_text(), flags=re.S).split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:]) if log.exists() else ""
