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
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools, environment
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

PR_SET_PDEATHSIG = 1
KEEPALIVES = "keepalives_idle=30 keepalives_interval=10 keepalives_count=3"
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
            preexec_fn=_as_our_group,
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

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def pause(self) -> None:
        """Stop it and its workers where they are; the server sees a slow client."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, politely first: pg_dump then cancels its queries."""
        if self._process.poll() is None:
            self._process.terminate()
        self.resume()  # who is paused hears nothing
        if self._process.poll() is None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # Its workers may outlive it for a moment, so the group is asked, not the process.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self._said.append(line.strip())


def start_dump(tools: Tools, database: Database, folder: Path, *, snapshot: str, jobs: int, lock_timeout: int) -> Child:
    """Begin a dump in directory format. ``lock_timeout``: seconds."""
    argv = [tools.path("pg_dump"), "--format=directory", f"--file={folder}", f"--jobs={jobs}", f"--snapshot={snapshot}"]
    argv += [f"--lock-wait-timeout={lock_timeout}s", "--no-sync", "--no-password", f"--compress={compression(tools)}", named(database)]
    return Child(argv, database)


def read_globals(tools: Tools, database: Database, runner: Runner) -> bytes:
    """Roles, their memberships and settings, and tablespaces, as SQL. Without passwords, which managed servers do not give."""
    argv = [tools.path("pg_dumpall"), "--globals-only", "--no-role-passwords", "--no-password", named(database)]
    return runner.run(argv, env=environment(database), timeout=300).stdout.encode()


def start_restore(tools: Tools, database: Database, folder: Path, options: Sequence[str], *, ownership: bool) -> Child:
    """Begin to restore what ``options`` choose of a dump in directory format.

    ownership: set owners and privileges as they were; their roles must exist.
    """
    argv = [tools.path("pg_restore"), "--format=directory", *options, "--exit-on-error", "--no-password", "--no-subscriptions"]
    argv += [] if ownership else ["--no-owner", "--no-privileges"]
    return Child([*argv, named(database), str(folder)], database)


def named(database: Database) -> str:
    """The option that names the database. It is read as a connection string, so it is quoted as one; a peer that is gone is noticed in a minute."""
    escaped = database.name.replace("\\", "\\\\").replace("'", "\\'")
    return f"--dbname=dbname='{escaped}' {KEEPALIVES}"


def compression(tools: Tools) -> str:
    """zstd has no integrity check that works in a dump: the manifest's hashes are what makes it safe. Before 16 there is gzip only."""
    return "zstd:1" if tools.major >= 16 else "1"


def _as_our_group() -> None:
    """A group of its own, with its workers, that can be paused; in our session, so that the kernel wakes and ends it should we die meanwhile."""
    os.setpgid(0, 0)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
