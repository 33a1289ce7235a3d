# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run statements that lock a table for as long as they work, and give way before anybody has waited for them too long.

lock_timeout limits how long a statement waits for a lock, and with that whoever waits behind it. It does not limit how long others wait for
what the statement holds: VACUUM and REINDEX CONCURRENTLY let rows be read and written, but an ALTER TABLE waits until they end. So a second
session looks who waits for the first one, and cancels what that does in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection

# What the server says when a statement was canceled, and when it did not get a lock in time.
CANCELED, NO_LOCK = "57014", "55P03"
# The number of the lock by which one run knows of another in the same database.
ALONE = 0x67726F756E64

_WAITING = "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"


class GaveWay(OpsError):
    """A statement was given up for the sake of another session, or did not get a lock that one holds."""


class Quiet:
    """max_wait: seconds that another session may wait for us. patience: seconds that we wait for transactions of others to end."""

    def __init__(self, connection: Connection, max_wait: float, patience: float, clock: Clock | None = None) -> None:
        self._connection = connection
        self._max_wait = max_wait
        self._patience = patience
        self._clock = clock or Clock()
        self.longest = 0.0  # seconds that somebody was seen waiting for us

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Open both sessions, unless another run is at work here."""
        with self._connection.session() as worker, self._connection.session() as watcher:
            self._worker, self._watcher = worker, watcher
            self._pid = worker.info.backend_pid
            with worker.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", (ALONE,))
                if not cursor.fetchone()[0]:
                    raise OpsError(f"Another run maintains {self._connection.database} right now. Wait until it has ended.")
                # As gentle as autovacuum is by default.
                cursor.execute("SET vacuum_cost_delay = 2")
                if worker.server_version >= 140000:
                    # A run that was killed leaves nothing at work in the server.
                    cursor.execute("SET client_connection_check_interval = '1s'")
            try:
                yield
            finally:
                # A session that is closed ends a moment later, and the next one would find its lock.
                with suppress(Exception), worker.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", (ALONE,))

    @property
    def server_version(self) -> int:
        version: int = self._worker.server_version
        return version

    def run(self, statement: Any, values: Sequence[Any] | None = None, *, waits: bool = False) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. waits: for transactions of others, without a lock that keeps rows from being read or written.

        Raises GaveWay.
        """
        with self._worker.cursor() as cursor, ThreadPoolExecutor(1) as pool:
            cursor.execute("SET lock_timeout = %s", (max(int(1000 * (self._patience if waits else self._max_wait / 2)), 1),))
            # Until the statement has ended nothing else uses the worker's session.
            done = pool.submit(cursor.execute, statement, values)
            try:
                since: dict[int, float] = {}
                while True:
                    try:
                        done.result(min(max(self._max_wait / 20, 0.01), 0.25))
                        return list(cursor.fetchall()) if cursor.description else []
                    except StillRunning:
                        since = self._look(since)
            except BaseException as error:
                if not done.done():
                    self._worker.cancel()
                if getattr(error, "pgcode", None) in (CANCELED, NO_LOCK):
                    said = " ".join(str(error).split())
                    raise GaveWay(f"Another session came first in {self._connection.database} ({said}). Run again when less goes on.") from error
                raise

    def _look(self, since: dict[int, float]) -> dict[int, float]:
        """Who waits for us, and since when; give way while there is time."""
        with self._watcher.cursor() as cursor:
            cursor.execute(_WAITING, (self._pid,))
            now = self._clock.monotonic()
            waiting = {pid: since.get(pid, now) for (pid,) in cursor.fetchall()}
        if waiting:
            waited = now - min(waiting.values())
            self.longest = max(self.longest, waited)
            if waited >= self._max_wait / 2:
                self._worker.cancel()
        return waiting
