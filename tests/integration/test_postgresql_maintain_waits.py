# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long anybody waits while tables and indexes are worked on under pgbench."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import figures
from tests.integration.backup_servers import PASSWORD, folder, postgres, server_folder
from tests.integration.test_postgresql_maintain import invalid, maintain, session, sql, stir, until


class Waits:
    """The longest that any session waited for a lock on a table or an index, looked at all the time."""

    LOOK = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks WHERE NOT granted AND locktype = 'relation'"

    def __init__(self, server: dict[str, Any]) -> None:
        self.longest, self.looks = 0.0, 0
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Waits:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _watch(self) -> None:
        with session(self._server) as cursor:
            while not self._over.wait(0.01):
                cursor.execute(self.LOOK)
                self.longest = max(self.longest, cursor.fetchone()[0])
                self.looks += 1


@contextlib.contextmanager
def traffic(server: dict[str, Any]) -> Iterator[None]:
    """Four clients of pgbench that read and write all the time, until it is over."""
    environment = {"PGPASSWORD": PASSWORD}
    argv = [shutil.which("pgbench") or str(server_folder() / "pgbench"), "-h", "127.0.0.1", "-p", str(server["login_port"]), "-U", "groundcrew"]
    running = subprocess.Popen([*argv, "-n", "-N", "-c", "4", "-T", "600", "postgres"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until(lambda: sql(server, "SELECT count(*) FROM pgbench_history")[0][0] > 100)
        yield
        assert running.poll() is None, running.stderr and running.stderr.read()
    finally:
        running.kill()
        running.wait(60)


@pytest.mark.slow
def test_nobody_waits_longer_than_the_limit() -> None:
    """Under pgbench, with a change of the table in the middle. The control is a plain REINDEX, whose longest wait sets the limit: half of it."""
    began = time.monotonic()
    with folder() as place, postgres(place, settings="-c autovacuum=off -c max_wal_size=8GB -c max_parallel_maintenance_workers=0") as server:
        argv = [shutil.which("pgbench") or str(server_folder() / "pgbench"), "-h", "127.0.0.1", "-p", str(server["login_port"]), "-U", "groundcrew"]
        subprocess.run([*argv, "-i", "-q", "-s", "30", "postgres"], env={"PGPASSWORD": PASSWORD}, check=True, capture_output=True)
        stir(server, "pgbench_accounts", "DELETE FROM pgbench_accounts WHERE aid % 4 <> 0", "n_dead_tup", 2_250_000)
        with traffic(server), Waits(server) as control:
            sql(server, "SET maintenance_work_mem = '4MB'", "BEGIN", "REINDEX TABLE pgbench_accounts", "ROLLBACK")
        assert control.longest > 0.2, "the control has nobody waiting"
        limit_ms = max(int(1000 * control.longest / 2), 100)

        with traffic(server), Waits(server) as waits, ThreadPoolExecutor(1) as pool:
            done = pool.submit(maintain, server, max_wait_ms=limit_ms, min_changed_rows=10**9)
            at_work = "SELECT count(*) FROM pg_locks WHERE relation = 'pgbench_accounts'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted"
            until(lambda: bool(sql(server, at_work)[0][0]) or done.done())
            sql(server, "ALTER TABLE pgbench_accounts ALTER COLUMN filler SET STATISTICS 50")
            answer = done.result(600)
        words = [line.split(":")[0] for line in answer["statements"]]
        assert words == ["VACUUM (TRUNCATE false) public.pgbench_accounts", "REINDEX INDEX CONCURRENTLY public.pgbench_accounts_pkey"], answer
        assert waits.looks > 20 and answer["longest_wait_ms"] > 0, "the change of the table waited"
        assert invalid(server) == []
        seen = {"what": "a plain REINDEX TABLE", "value": round(1000 * control.longest), "red": 1000 * control.longest > limit_ms}
        assert figures.record(
            "maintain.lock_wait_ms",
            round(1000 * waits.longest),
            unit="ms",
            target=f"<= {limit_ms}",
            seconds=time.monotonic() - began,
            command="make test-full",
            control=seen,
        )
        assert seen["red"]
