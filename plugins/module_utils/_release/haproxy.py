# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket. Servers exist before any release; only their state changes, never the list."""

from __future__ import annotations

import csv
import io
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Server
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters

# Bits of srv_admin_state, as HAProxy's management guide names them.
_MAINTENANCE = 0x01 | 0x02 | 0x20 | 0x40
_DRAIN = 0x08 | 0x10


def make_proxy(app: str, given: Mapping[str, Any]) -> Haproxy:
    """The proxy of a task's option ``proxy``."""
    backend = given["backend"] or f"app_{app}"
    return Haproxy(backend, given["socket"], given["state_file"], master=given["master_socket"], idle=given["idle_timeout"])


class Haproxy:
    """The proxy port for one backend.

    master: the socket of the process that starts the workers. idle: seconds after which the proxy closes a connection that nobody uses.
    """

    def __init__(self, backend: str, socket_path: str, state_file: str, *, master: str = "", idle: float = 0.0, timeout: float = 5.0) -> None:
        self._backend = backend
        self._socket_path = socket_path
        self._state_file = Path(state_file)
        self._master = master
        self._idle = idle
        self._timeout = timeout

    def servers(self) -> dict[str, Server]:
        rows = _state_rows(self._ask(f"show servers state {self._backend}"))
        if not rows:
            raise OpsError(f"HAProxy has no backend {self._backend}. Declare the application for the proxy, with its slots, before its first release.")
        return {row["srv_name"]: Server(row["srv_name"], _state(int(row["srv_admin_state"])), int(row["srv_port"]), _weighted(row)) for row in rows}

    def sessions(self) -> dict[str, int]:
        return {name: int(row["scur"] or 0) for name, row in self._statistics().items()}

    def counters(self) -> dict[str, Counters]:
        return {name: _counters(row) for name, row in self._statistics().items()}

    def set_states(self, states: Mapping[str, str], weights: Mapping[str, int] | None = None) -> None:
        if states:
            # The weight comes first: a server that becomes ready has the share that it is to have from its first request on.
            commands = [
                f"set server {self._backend}/{server} {change}"
                for server, state in states.items()
                for change in (f"weight {(weights or {}).get(server, '100%')}", f"state {state}")
            ]
            said = self._ask("; ".join(commands)).strip()
            if said:
                raise OpsError(f"HAProxy refused to change servers of {self._backend}: {said}")

    def save(self) -> None:
        # The file holds every backend, and HAProxy reads it as root before it drops its rights.
        write_atomic(self._state_file, self._ask("show servers state"), mode=0o644)

    def saved(self) -> dict[str, str]:
        """The states in the file, what a restarted proxy would begin with."""
        try:
            rows = _state_rows(self._state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        weighted = {True: " with a weight", False: ""}
        return {row["srv_name"]: _state(int(row["srv_admin_state"])) + weighted[_weighted(row)] for row in rows if row["be_name"] == self._backend}

    def lingering(self) -> float:
        """A worker from before a reload keeps its idle connections, and cannot be told anything any more (it answers "Proxy is disabled")."""
        try:
            workers, _title, former = _query(self._master, "show proc", self._timeout).partition("# old workers")
        except OSError:  # this proxy has no master, or it cannot be asked: nothing is known of other workers
            return 0.0
        ages = [_seconds(row) for row in workers.splitlines() if " worker " in row]
        return max(self._idle - min(ages, default=self._idle), 0.0) if " worker " in former else 0.0

    def _statistics(self) -> dict[str, dict[str, str]]:
        table = csv.DictReader(io.StringIO(self._ask("show stat -1 4 -1").lstrip("# ")))
        return {row["svname"]: row for row in table if row["pxname"] == self._backend}

    def _ask(self, command: str) -> str:
        try:
            return _query(self._socket_path, command, self._timeout)
        except OSError as error:
            raise OpsError(f"HAProxy does not answer on {self._socket_path}: {error}. Check that haproxy runs and that the proxy role was applied.") from error


def _query(path: str, command: str, timeout: float) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)  # the master waits for more otherwise
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def _seconds(row: str) -> float:
    """The age of a process, as the master writes it (0d00h00m12s)."""
    age = re.search(r"(\d+)d(\d+)h(\d+)m(\d+)s", row)
    days, hours, minutes, seconds = (int(part) for part in age.groups()) if age else (0, 0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds


def _state_rows(text: str) -> list[dict[str, str]]:
    names: list[str] = []
    rows = []
    for line in text.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        elif names and len(line.split()) == len(names):
            rows.append(dict(zip(names, line.split(), strict=True)))
    return rows


def _counters(row: Mapping[str, str]) -> Counters:
    answers = {kind: int(row.get(f"hrsp_{kind}") or 0) for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "other")}
    return Counters(sum(answers.values()), answers["5xx"], float(row.get("rtime") or 0))


def _weighted(row: Mapping[str, str]) -> bool:
    return row["srv_uweight"] != row["srv_iweight"]


def _state(admin: int) -> str:
    if admin & _MAINTENANCE:
        return "maint"
    return "drain" if admin & _DRAIN else "ready"
