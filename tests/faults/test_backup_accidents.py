# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a run as a whole: it is paused, stopped, begun twice, sent through a pooler; and to backups as a whole: they are exchanged."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.faults import s3_proxy
from tests.faults.backup_world import ENVIRONMENT, World, outcome
from tests.faults.s3_proxy import Rule
from tests.integration import backup_servers, test_redis_backup

ROOT = Path(__file__).resolve().parents[2]
CLI = "ansible_collections.groundcrew.ops.plugins.module_utils._backup.cli"
LIFE = 3.0  # seconds that the lease of a paused run lasts


def started(verb: str, params: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """A run as a timer starts it."""
    config = folder / "config.json"
    config.write_text(json.dumps(params))
    config.chmod(0o400)
    argv = [sys.executable, "-m", CLI, verb, "--config", str(config), "--state", str(folder / "state")]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


@contextmanager
def slowly(world: World) -> Iterator[None]:
    """A store that takes its time for each part, so that a run can be met half-way."""
    world.proxy.rules = [Rule("PUT", s3_proxy.part, "slow", seconds=1.5)]
    try:
        yield
    finally:
        world.proxy.rules = []


def until(what: str, look: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def sending(world: World) -> Callable[[], bool]:
    return lambda: any(rule.hits for rule in world.proxy.rules)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_cleans_up_behind_itself(world: World, tmp_path: Path, number: signal.Signals) -> None:
    with outcome(f"stopped by {number.name}"):
        before = world.backups()
        with slowly(world):
            process = started("backup", {**world.params, "progress_seconds": 0.2}, tmp_path)
            until("the first part", sending(world))
            until("how far it is", lambda: list((tmp_path / "state").glob("*-backup-progress.json")))
            process.send_signal(number)
            _out, said = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in said) == (128 + number, False), said
        assert re.search(r"(?m)^\d+ s: [34] tables, \d+ files, .+ stored, .+/s$", said), said
        assert not list((tmp_path / "state").glob("*-progress.json"))
        assert world.backups() == before
        assert not world.left(), "at once, not only by the next run"
        assert f"Stopped: by {number.name}" in world.reasons()
        [record] = (tmp_path / "state").glob("*-backup.json")
        assert json.loads(record.read_text())["reason"] == f"Stopped: by {number.name}"
        assert not world.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'groundcrew.ops' AND pid <> pg_backend_pid()")
        assert world.back_up()["backup_id"] in world.backups()


def test_of_two_runs_at_once_one_makes_a_backup_and_the_other_says_why_not(world: World, tmp_path: Path) -> None:
    with outcome("two runs at once"):
        before = world.backups()
        folders = [tmp_path / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        with slowly(world):
            both = [started("backup", world.params, folder) for folder in folders]
            ended = [(process.communicate(timeout=120)[1], process.returncode) for process in both]
        assert sorted(code for _said, code in ended) == [0, 1], ended
        [refused] = [said for said, code in ended if code]
        assert re.search("Another run holds|holds the lock", refused)
        assert len(world.backups()) == len(before) + 1
        assert not world.left()


@pytest.fixture(params=["redis", pytest.param("postgresql", marks=pytest.mark.slow)])
def paused(world: World, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What is backed up by a run that will be paused."""
    if request.param == "postgresql":
        yield {**world.params, "engine": "postgresql", "lease_seconds": LIFE}
        return
    with backup_servers.folder() as folder, test_redis_backup.server(folder) as server:
        options = {**world.params, **server, "engine": "redis", "database": "cache", "prefix": f"paused{time.time_ns()}", "lease_seconds": LIFE}
        del options["login_db"]
        test_redis_backup.fill(options)
        yield options


def test_a_run_that_was_paused_for_too_long_makes_no_backup(world: World, paused: dict[str, Any], tmp_path: Path) -> None:
    with outcome(f"paused while it backs {paused['engine']} up"):
        ours = {"database": paused.get("database") or paused["login_db"], "engine": paused["engine"], "system_id": None}

        def ids() -> list[str]:
            return [one["backup_id"] for one in upkeep.information({**paused, **ours})["backups"]]

        def back_up() -> str:
            operation = upkeep.backup(paused)
            return str(operation.apply(operation.plan())["backup"]["backup_id"])

        before = ids()
        with slowly(world):
            process = started("backup", paused, tmp_path)
            until("the first part", sending(world))
            process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(OpsError, match="Another run holds"):
                back_up()
            # The server has given the silent client up, as its keepalives do.
            world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'groundcrew.ops' AND pid <> pg_backend_pid()")
            time.sleep(LIFE + 1)
            newer = back_up()
        finally:
            process.send_signal(signal.SIGCONT)
            _out, said = process.communicate(timeout=120)
        assert process.returncode == 1, said
        assert "Traceback" not in said
        assert re.search("another one has taken .* over: it is given up" if paused["engine"] == "redis" else "closed|terminat|given up", said), said
        assert ids() == [*before, newer]
        check = upkeep.verification({**paused, **ours, "level": "V2"})
        assert check.apply(check.plan())["verification"]["verdict"] == "equal", "it touched nothing of the run that came after it"
        last = back_up()
        assert ids() == [*before, newer, last]
        if paused["engine"] == "postgresql":
            assert not world.left()


def test_objects_and_manifests_that_were_exchanged_between_backups_are_refused(world: World) -> None:
    with outcome("objects exchanged between two backups"):
        world.sql("INSERT INTO public.orders (id, item) SELECT n, md5(n::text) FROM generate_series(900001, 900010) n")
        newer = world.back_up()["backup_id"]
        s3 = backup_servers.client(world.params)
        refused = 0
        for key in world.keys(world.older):
            twin = key.replace(f"/{world.older}/", f"/{newer}/")
            if twin not in world.keys(newer):
                continue
            own, other = (s3.get_object(Bucket="backups", Key=one)["Body"].read() for one in (key, twin))
            if own == other:
                continue
            s3.put_object(Bucket="backups", Key=key, Body=other)
            try:
                with pytest.raises(OpsError, match=r"damaged|tampered|has \d+ bytes|cannot be restored"):
                    world.restore(world.older)
                refused += 1
            finally:
                s3.put_object(Bucket="backups", Key=key, Body=own)
        assert refused >= 3, "the rows, their table of contents and the manifest, at least"
        assert world.restore(world.older)["verdict"] == "equal"


# Where an in-place restore is killed, and whether its database has changed places by then.
STEPS = {
    "before it is compared": ("restore.Restore._compare", False),
    "before the exchange": ("postgres.Session.exchange", False),
    "while it is loaded": ("loader.Loader.load", False),
    "after the exchange": ("restore.Restore._summary", True),
}


@pytest.mark.parametrize("step", ["before the exchange", *(pytest.param(one, marks=pytest.mark.slow) for one in STEPS if one != "before the exchange")])
def test_an_in_place_restore_that_is_killed_keeps_the_old_database_and_is_done_by_the_next_run(world: World, step: str) -> None:
    with outcome(f"an in-place restore killed {step}"):
        place, exchanged = STEPS[step]
        world.sql("CREATE DATABASE victim", "postgres")
        world.sql("CREATE TABLE public.old AS SELECT n FROM generate_series(1, 10) n", "victim")
        there = {"login_db": "postgres", "database": "shop", "target_database": "victim", "replace": "victim", "backup_id": world.older}
        module, owner, method = place.split(".")
        program = f"""
import json, os, sys
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import {module}, settings
{module}.{owner}.{method} = lambda *_arguments, **_more: os.kill(os.getpid(), 9)
operation = settings.restore(json.load(sys.stdin))
operation.apply(operation.plan())
"""
        options = json.dumps({**world.params, **there})
        killed = subprocess.run([sys.executable, "-c", program], input=options, env=ENVIRONMENT, text=True, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        try:
            old = world.sql("SELECT count(*) FROM pg_class WHERE relname = 'old'", "victim")
            assert old == [(0 if exchanged else 1,)]
            until("the server's goodbye", lambda: not world.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"))
            operation = settings.restore({**world.params, **there})
            done = operation.apply(operation.plan())["restore"]
            assert done["verdict"] == "equal"
            assert world.sql("SELECT count(*) FROM public.orders", "victim") == [(2000,)]
            names = [row[0] for row in world.sql("SELECT datname FROM pg_database WHERE datname LIKE 'victim%%'", "postgres")]
            kept = [name for name in names if "before" in name and world.sql("SELECT 1 FROM pg_class WHERE relname = 'old'", name)]
            assert len(kept) == 1, "the old database is there, under another name"
            assert not [name for name in names if "restored" in name]
        finally:
            with Session(settings.database({**world.params, "login_db": "postgres"})) as session:
                for (name,) in session.rows("SELECT datname FROM pg_database WHERE datname LIKE 'victim%%'"):
                    session.drop(name)


@pytest.fixture(params=["transaction", "session"])
def pooled(world: World, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The options to reach the server through PgBouncer."""
    subprocess.run([ROOT / "tests" / "bootstrap.sh", "unstarted", "pgbouncer"], check=True)
    port = backup_servers.free_port()
    with backup_servers.folder() as folder:
        users = '"groundcrew" "{}"\n'.format(world.params["login_password"].replace('"', '""'))
        (folder / "users").write_text(users)
        own = f"host=127.0.0.1 port={world.params['login_port']}"
        rules = (
            f"pool_mode = {request.param}\nauth_type = trust\nauth_file = {folder}/users\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        )
        (folder / "pgbouncer.ini").write_text(f"[databases]\n* = {own}\n[pgbouncer]\n{rules}")
        folder.chmod(0o755)
        process = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", str(folder / "pgbouncer.ini")], user="postgres", stderr=subprocess.DEVNULL)
        try:
            there = {**world.params, "login_port": port}
            until("the pooler", lambda: answers(there))
            yield there
        finally:
            process.kill()
            process.wait()


def answers(there: dict[str, Any]) -> bool:
    try:
        with Session(settings.database(there)) as session:
            return bool(session.value("SELECT true"))
    except OpsError:
        return False


@pytest.mark.slow
def test_a_pooler_is_refused_by_name_before_anything_is_done(world: World, pooled: dict[str, Any]) -> None:
    with outcome("a pooler in front"):
        before = world.backups()
        for operation in (
            settings.backup(pooled),
            settings.restore({**pooled, "login_db": "postgres", "database": "shop", "target_database": "restored"}),
        ):
            with pytest.raises(OpsError, match=f"127.0.0.1:{pooled['login_port']} is a connection pooler: .* Give the address of the server itself"):
                operation.plan()
        assert (world.backups(), world.left()) == (before, set())
        assert not world.sql("SELECT 1 FROM pg_database WHERE datname = 'restored'")
