# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock pg_dump and pg_restore as child processes that die with us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections import deque
from pathlib import Path
from threading import Thread

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools, environment
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Child:
    """A running tool. The end of what it says is kept in memory: a full disk must not lose the reason."""

    def __init__(self, argv: list[str], database: Database) -> None:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self._name = Path(argv[0]).name
        # It runs beside us, also where there is no Ansible: run_command can do neither.
        self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            env={**inherited, **environment(database)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=_die_with_parent,
        )
        self._said: deque[str] = deque(maxlen=20)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Wait for the end; raise OpsError with what the tool said when it was not a good one."""
        rc = self._process.wait()
        self._reader.join(timeout=5)
        if rc != 0:
            raise OpsError(f"{self._name} failed with exit code {rc}: {' '.join(self._said) or 'it said nothing'}", rc=rc, tool=self._name)

    def stop(self) -> None:
        """End it, politely first: pg_dump then cancels its queries."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self._said.append(line.strip())


def start_dump(tools: Tools, database: Database, folder: Path, *, snapshot: str, jobs: int, lock_timeout: int) -> Child:
    """Begin a dump in directory format. ``lock_timeout``: seconds."""
    argv = [tools.path("pg_dump"), "--format=directory", f"--file={folder}", f"--jobs={jobs}", f"--snapshot={snapshot}"]
    argv += [f"--lock-wait-timeout={lock_timeout}s", "--no-sync", "--no-password", f"--compress={compression(tools)}"]
    return Child(argv, database)


def start_restore(tools: Tools, database: Database, folder: Path, *, jobs: int, ownership: bool) -> Child:
    """Begin a restore of a dump in directory format into an empty database.

    ownership: set owners and privileges as they were; their roles must exist.
    """
    argv = [tools.path("pg_restore"), "--format=directory", f"--jobs={jobs}", "--exit-on-error", "--no-password", "--no-subscriptions"]
    argv += [] if ownership else ["--no-owner", "--no-privileges"]
    # pg_restore takes the database from here alone, and reads it as a connection string: quote it as one.
    escaped = database.name.replace("\\", "\\\\").replace("'", "\\'")
    return Child([*argv, f"--dbname=dbname='{escaped}'", str(folder)], database)


def compression(tools: Tools) -> str:
    """zstd has no integrity check that works in a dump: the manifest's hashes are what makes it safe. Before 16 there is gzip only."""
    return "zstd:1" if tools.major >= 16 else "1"


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
