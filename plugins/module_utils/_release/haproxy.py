# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket. Servers exist before any release; only their state changes, never the list."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Counters
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Server

# Bits of srv_admin_state, as HAProxy's management guide names them.
_MAINTENANCE = 0x01 | 0x02 | 0x20 | 0x40
_DRAIN = 0x08 | 0x10


class Haproxy:
    """The proxy port for one backend."""

    def __init__(self, backend: str, socket_path: str, state_file: str, *, timeout: float = 5.0) -> None:
        self._backend = backend
        self._socket_path = socket_path
        self._state_file = Path(state_file)
        self._timeout = timeout

    def servers(self) -> dict[str, Server]:
        rows = _state_rows(self._ask(f"show servers state {self._backend}"))
        if not rows:
            raise OpsError(f"HAProxy has no backend {self._backend}. Declare the application for the proxy, with its slots, before its first release.")
        return {row["srv_name"]: Server(row["srv_name"], _state(int(row["srv_admin_state"])), int(row["srv_port"])) for row in rows}

    def sessions(self) -> dict[str, int]:
        return {name: int(row["scur"] or 0) for name, row in self._statistics().items()}

    def counters(self) -> dict[str, Counters]:
        return {name: _counters(row) for name, row in self._statistics().items()}

    def set_states(self, states: Mapping[str, str]) -> None:
        if states:
            said = self._ask("; ".join(f"set server {self._backend}/{server} state {state}" for server, state in states.items())).strip()
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
        return {row["srv_name"]: _state(int(row["srv_admin_state"])) for row in rows if row["be_name"] == self._backend}

    def _statistics(self) -> dict[str, dict[str, str]]:
        table = csv.DictReader(io.StringIO(self._ask("show stat -1 4 -1").lstrip("# ")))
        return {row["svname"]: row for row in table if row["pxname"] == self._backend}

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout)
                connection.connect(self._socket_path)
                connection.sendall(command.encode() + b"\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            raise OpsError(f"HAProxy does not answer on {self._socket_path}: {error}. Check that haproxy runs and that the proxy role was applied.") from error
        return answer.decode()


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


def _state(admin: int) -> str:
    if admin & _MAINTENANCE:
        return "maint"
    return "drain" if admin & _DRAIN else "ready"
