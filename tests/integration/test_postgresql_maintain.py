# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What postgresql_maintain does to a real server, and what it keeps others from."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.integration.backup_servers import PASSWORD, folder, module, postgres

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"min_mib": 0.25, "min_changed_rows": 1000}


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    with folder() as place, postgres(place, settings="-c autovacuum=off") as login:
        yield login


@contextlib.contextmanager
def session(server: dict[str, Any]) -> Iterator[Any]:
    connection = psycopg2.connect(host="127.0.0.1", port=server["login_port"], user="groundcrew", password=PASSWORD, dbname="postgres")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            yield cursor
        finally:
            # A session that is closed ends a moment later, and what it held is not free before.
            cursor.execute("ROLLBACK")


def sql(server: dict[str, Any], *statements: str) -> list[tuple[Any, ...]]:
    with session(server) as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def maintain(server: dict[str, Any], *, check: bool = False, **more: Any) -> dict[str, Any]:
    answer = module("postgresql_maintain", {**server, **LIMITS, **more}, check=check)
    assert not answer.get("failed"), answer
    return answer


def timer(server: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """As a timer does it: from the archive of code, with a configuration."""
    config, archive = folder / "tables.json", folder / "code.zip"
    config.write_text(json.dumps({**server, **LIMITS, "ca_cert": None}))
    config.chmod(0o400)
    subprocess.run([sys.executable, ROOT / "roles/maintenance/files/pack.py", ROOT / "plugins/module_utils", archive], check=True)
    program = [sys.executable, "-m", "ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.cli", "tables", "--config", str(config)]
    return subprocess.Popen(program, env={**os.environ, "PYTHONPATH": str(archive)}, cwd=folder, stdout=subprocess.PIPE, text=True)


def until(what: Callable[[], bool]) -> None:
    """Wait for a state, however long a busy machine takes."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def stir(server: dict[str, Any], name: str, statement: str, column: str, count: int) -> None:
    """Change rows, and wait until the server has counted them, which it does in its own time."""
    sql(server, statement)
    until(lambda: sql(server, f"SELECT {column} FROM pg_stat_user_tables WHERE relname = '{name}'") == [(count,)])


def bloated(server: dict[str, Any], name: str) -> None:
    """A table whose key has far more room than it needs."""
    sql(server, f"CREATE TABLE {name} (id bigint PRIMARY KEY)")
    stir(server, name, f"INSERT INTO {name} SELECT generate_series(1, 40000)", "n_live_tup", 40000)
    stir(server, name, f"DELETE FROM {name} WHERE id % 4 <> 0", "n_dead_tup", 30000)
    sql(server, f"VACUUM ANALYZE {name}")


def invalid(server: dict[str, Any]) -> list[str]:
    return [name for (name,) in sql(server, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")]


@pytest.mark.parametrize("exact", [False, True])
def test_what_needs_it_is_done_once(server: dict[str, Any], exact: bool) -> None:
    name = f"orders_{exact}".lower()
    sql(server, f"CREATE TABLE {name} (id bigint PRIMARY KEY, item text)")
    stir(server, name, f"INSERT INTO {name} SELECT n, md5(n::text) FROM generate_series(1, 40000) n", "n_live_tup", 40000)
    if exact:
        sql(server, "CREATE EXTENSION IF NOT EXISTS pgstattuple")
    first = maintain(server)
    assert [line.split(":")[0] for line in first["statements"]] == [f"ANALYZE public.{name}"], first
    assert maintain(server)["changed"] is False, "the control: nothing is over a limit"

    stir(server, name, f"DELETE FROM {name} WHERE id % 4 <> 0", "n_dead_tup", 30000)
    before = sql(server, f"SELECT pg_relation_size('{name}_pkey')")
    foretold = maintain(server, check=True)
    assert [line.split(":")[0] for line in foretold["statements"]] == [
        f"VACUUM (TRUNCATE false, ANALYZE) public.{name}",
        f"REINDEX INDEX CONCURRENTLY public.{name}_pkey",
    ]
    assert '"dead_percent": 75.0' in foretold["diff"]["before"] and "% of its rows are dead (limit 20 %)" in foretold["diff"]["prepared"]
    assert sql(server, f"SELECT pg_relation_size('{name}_pkey')") == before, "check mode wrote nothing"
    done = maintain(server)
    assert (done["statements"], done["diff"], done["measured_by"]) == (foretold["statements"], foretold["diff"], "pgstattuple" if exact else "statistics")
    assert sql(server, f"SELECT pg_relation_size('{name}_pkey') < {before[0][0]} / 2, n_dead_tup FROM pg_stat_user_tables WHERE relname = '{name}'") == [
        (True, 0)
    ]
    again = maintain(server)
    assert (again["changed"], again["statements"]) == (False, [])
    sql(server, f"DROP TABLE {name}")


def test_old_tables_are_frozen_and_who_keeps_rows_is_named(server: dict[str, Any]) -> None:
    sql(server, "CREATE TABLE old (id int)", "INSERT INTO old SELECT generate_series(1, 50)")
    [(age,)] = sql(server, "SELECT 100.0 * age(relfrozenxid) / current_setting('autovacuum_freeze_max_age')::float8 FROM pg_class WHERE relname = 'old'")
    with session(server) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT pg_backend_pid()")
        [(pid,)] = reader.fetchall()
        sql(server, "CREATE TABLE later (id int)", "DELETE FROM old")
        held = maintain(server, max_age_percent=age)
        assert "VACUUM (FREEZE, TRUNCATE false) public.old" in str(held["statements"])
        assert f"rows stay because of the transaction of pid {pid}" in str(held["left"]), held
    assert maintain(server, max_age_percent=age)["left"] == []
    assert "public.old" not in str(maintain(server, max_age_percent=age)["statements"])
    sql(server, "DROP TABLE old, later")


def test_an_index_that_a_broken_reindex_left_is_removed(server: dict[str, Any], tmp_path: Path) -> None:
    sql(server, "CREATE TABLE left_over (id int PRIMARY KEY)", "CREATE INDEX mine_ccnew ON left_over (id)")
    with session(server) as reader, session(server) as reindex:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        reindex.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            reindex.execute("REINDEX INDEX CONCURRENTLY left_over_pkey")
    assert invalid(server) == ["left_over_pkey_ccnew"]
    with session(server) as working:
        # Whoever makes an index holds this lock: it is not left behind yet.
        working.execute("BEGIN")
        working.execute("LOCK TABLE left_over IN SHARE UPDATE EXCLUSIVE MODE")
        assert maintain(server, check=True)["statements"] == []
    foretold = maintain(server, check=True)["statements"]
    assert len(foretold) == 1 and foretold[0].startswith("DROP INDEX CONCURRENTLY IF EXISTS public.left_over_pkey_ccnew: left behind by a REINDEX")
    with timer(server, tmp_path) as done:
        assert json.loads(done.communicate()[0])["statements"] == foretold
    assert invalid(server) == [] and sql(server, "SELECT 'mine_ccnew'::regclass::text") == [("mine_ccnew",)]
    sql(server, "DROP TABLE left_over")


def test_it_gives_way_to_whoever_waits_for_it(server: dict[str, Any]) -> None:
    """A REINDEX that cannot end, because of an old snapshot, holds a lock that a change of the table waits for."""
    bloated(server, "busy")
    building = "SELECT count(*) FROM pg_locks WHERE relation = 'busy'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted"

    def at_work() -> bool:
        return bool(sql(server, building)[0][0]) and bool(invalid(server))

    with session(server) as reader, session(server) as control, ThreadPoolExecutor(1) as pool:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        # The control: a REINDEX of one's own gives way to nobody.
        plain = pool.submit(control.execute, "REINDEX INDEX CONCURRENTLY busy_pkey")
        until(at_work)
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            sql(server, "SET lock_timeout = '1s'", "ALTER TABLE busy ADD COLUMN control int")
        control.connection.cancel()
        assert isinstance(plain.exception(60), psycopg2.errors.QueryCanceled)
        sql(server, f"DROP INDEX {invalid(server)[0]}")

        done = pool.submit(maintain, server, max_wait_ms=500)
        until(lambda: at_work() or done.done())
        sql(server, "SET lock_timeout = '60s'", "ALTER TABLE busy ADD COLUMN note int")
        assert not done.done(), "the snapshot still keeps the REINDEX from its end"
        reader.execute("COMMIT")
        answer = done.result(120)
    assert answer["longest_wait_ms"] > 0 and "REINDEX INDEX CONCURRENTLY public.busy_pkey" in answer["statements"][-1]
    assert invalid(server) == [] and maintain(server)["changed"] is False
    sql(server, "DROP TABLE busy")


def test_a_table_that_somebody_changes_is_waited_for_no_longer_than_others_wait(server: dict[str, Any]) -> None:
    sql(server, "CREATE TABLE locked (id int)")
    with session(server) as migration:
        migration.execute("BEGIN")
        migration.execute("LOCK TABLE locked")
        answer = module("postgresql_maintain", {**server, "max_wait_ms": 200}, check=True)
    assert answer["failed"] and "Another session came first in postgres" in answer["msg"] and "Run again" in answer["msg"], answer
    assert not maintain(server, check=True)["changed"]
    sql(server, "DROP TABLE locked")


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_nothing_at_work(server: dict[str, Any], tmp_path: Path) -> None:
    bloated(server, "killed")
    ours = "SELECT pid FROM pg_stat_activity WHERE application_name = 'groundcrew.ops'"
    with session(server) as reader:
        # Its snapshot keeps the REINDEX from its end.
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        with timer(server, tmp_path) as run:
            until(lambda: bool(invalid(server)) or run.poll() is not None)
            assert run.poll() is None and sql(server, ours)
            run.kill()
        until(lambda: not sql(server, ours))
    assert invalid(server) == ["killed_pkey_ccnew"]
    done = maintain(server)["statements"]
    assert [line.split(":")[0] for line in done] == [
        "DROP INDEX CONCURRENTLY IF EXISTS public.killed_pkey_ccnew",
        "REINDEX INDEX CONCURRENTLY public.killed_pkey",
    ]
    assert invalid(server) == [] and not maintain(server)["changed"]
    sql(server, "DROP TABLE killed")
