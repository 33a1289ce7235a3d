# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of backups in servers that are made for them: what is not equal is found, what could not be checked is never a pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, settings, upkeep, verify
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Identity
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.integration import backup_servers
from tests.unit.plugins.module_utils._backup.shelf import DAY, stock

KEY = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
ORDERS = """
    CREATE ROLE clerk; CREATE TABLE public.orders (id bigint PRIMARY KEY, item text UNIQUE);
    INSERT INTO public.orders SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
    ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON public.orders TO clerk USING (id > 0); GRANT SELECT ON public.orders TO clerk
"""


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """One backup of a database whose policy names a role, and the options to check it."""
    with backup_servers.folder() as folder, backup_servers.postgres(folder) as database, backup_servers.seaweed(folder) as store:
        staging = folder / "staging"
        staging.mkdir()
        options = {**database, **store, "signing_key": KEY, "prefix": "verify", "staging_dir": str(staging)}
        with Session(settings.database(options)) as session:
            session.rows("CREATE DATABASE shop")
        options["login_db"] = "shop"
        with Session(settings.database(options)) as session:
            session.rows(ORDERS)
        operation = settings.backup(options)
        yield options, dict(operation.apply(operation.plan())["backup"])


def check(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    params = {**options, "database": "shop", **more}
    operation = upkeep.verification(params)
    return dict(operation.apply(operation.plan())["verification"])


def entry(options: dict[str, Any]) -> Entry:
    catalogue = settings.catalogue(options)
    return catalogue.entries(catalogue.identity("shop", None))[-1]


def left(options: dict[str, Any]) -> list[str]:
    return [path.name for path in Path(options["staging_dir"]).iterdir()]


def test_a_backup_is_proven_in_a_server_made_for_it(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, backup = made
    question = {"name": "orders are there", "sql": "SELECT count(*) = 20000 FROM public.orders"}
    done = check(options, questions=[question])
    assert [one["level"] for one in done["checks"]] == ["V1", "V5", "V6", "V7"]
    assert (done["verdict"], done["backup_id"], done["differences"]) == ("equal", backup["backup_id"], [])
    assert done["restore_seconds"] > 0
    assert entry(options).level == "V7"
    assert entry(options).proven
    assert left(options) == []
    recent = upkeep.verification({**options, "database": "shop", "questions": [question], "max_age": 3600})
    assert not recent.plan().changed


@pytest.mark.parametrize("level", ["V1", "V2", "V3"])
def test_the_lower_levels_need_no_server(made: tuple[dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    options, _backup = made
    monkeypatch.setattr(disposable, "postgresql", lambda *_a, **_k: pytest.fail("a server was started"))
    done = check(options, level=level)
    assert done["checks"][-1]["level"] == level
    assert left(options) == []


def test_a_question_with_another_answer_takes_the_proof_away_and_one_that_fails_does_not(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, _backup = made
    if not entry(options).proven:
        check(options, level="V5")
    with pytest.raises(OpsError, match="could not be checked, so nothing is proven") as caught:
        check(options, questions=[{"name": "odd", "sql": "SELECT no_such_column FROM public.orders"}])
    assert caught.value.details["verification"]["verdict"] == "unverified"
    assert entry(options).proven, "what could not run says nothing about the backup"
    with pytest.raises(OpsError, match="is not what it should be: many orders: the answer is"):
        check(options, questions=[{"name": "many orders", "sql": "SELECT count(*) > 1000000 FROM public.orders"}])
    assert not entry(options).proven
    check(options, level="V5")
    assert entry(options).level == "V5"


def test_corruption_in_the_restored_database_is_found(made: tuple[dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of V6: an index whose order is not that of its column is sound by every other check."""
    options, _backup = made
    amcheck = verify.Verify._amcheck

    def spoil(self: Any, there: Any, manifest: Any) -> None:
        with Session(there) as session:
            session.rows("CREATE FUNCTION public.noise(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'")
            session.rows("CREATE INDEX spoiled ON public.orders (public.noise(item))")
            session.rows("CREATE OR REPLACE FUNCTION public.noise(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT reverse($1)'")
        amcheck(self, there, manifest)

    monkeypatch.setattr(verify.Verify, "_amcheck", spoil)
    with pytest.raises(OpsError, match="pg_amcheck found corruption"):
        check(options)
    assert not entry(options).proven


def test_what_could_not_run_is_unverified_and_says_why(made: tuple[dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    options, backup = made
    monkeypatch.setattr(disposable, "DEBIAN", Path("/nonexistent"))
    with pytest.raises(OpsError, match="install postgresql-") as caught:
        check(options)
    told = caught.value.details["verification"]
    assert (told["verdict"], told["backup_id"]) == ("unverified", backup["backup_id"])
    newest = max(entry(options).verifications, key=lambda record: record.at)
    assert (newest.verdict, "install postgresql-" in newest.differences[0]) == ("unverified", True)


def test_a_damaged_newest_backup_fails_the_check_instead_of_an_older_one_passing_it(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, _backup = made
    operation = settings.backup(options)
    newer = operation.apply(operation.plan())["backup"]
    folder = f"verify/postgresql/{newer['system_id']}/shop/{newer['backup_id']}/"
    client = backup_servers.client(options)
    key = max(settings.store(options).listing(f"{folder}data/"), key=lambda item: item.size).key
    whole = client.get_object(Bucket=options["bucket"], Key=key)["Body"].read()
    client.put_object(Bucket=options["bucket"], Key=key, Body=bytes([whole[0] ^ 1]) + whole[1:])
    for level in ("V2", "V3", "V5"):
        with pytest.raises(OpsError, match="The backup is damaged") as caught:
            check(options, level=level)
        assert caught.value.details["verification"]["verdict"] == "different"
    client.delete_object(Bucket=options["bucket"], Key=key)
    dry_run = upkeep.verification({**options, "database": "shop", "level": "V1"})
    with pytest.raises(OpsError, match="is missing"):
        dry_run.result(dry_run.plan())
    with pytest.raises(OpsError, match="is missing"):
        check(options, level="V1")
    assert entry(options).backup_id == newer["backup_id"]
    assert not entry(options).proven
    assert left(options) == []
    for item in list(settings.store(options).listing(folder)):
        client.delete_object(Bucket=options["bucket"], Key=item.key)


def test_a_killed_check_leaves_no_server_and_the_next_removes_its_folder(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, _backup = made
    program = """
import sys, time
from pathlib import Path
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable
with disposable.folder(Path(sys.argv[1])) as base, disposable.postgresql(int(sys.argv[2]), base, connections=10):
    print((base / "data" / "postmaster.pid").read_text().split()[0], flush=True)
    time.sleep(600)
"""
    major = backup_servers.server_folder().parent.name
    process = subprocess.Popen([sys.executable, "-c", program, options["staging_dir"], major], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdout
    server = int(process.stdout.readline())
    with disposable.folder(Path(options["staging_dir"])):
        assert len(left(options)) == 2, "a check that runs is left alone"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    disposable.wait_for("the server to end", lambda: Path(f"/proc/{server}").exists(), lambda there: not there, timeout=10, interval=0.1)
    assert len(left(options)) == 1
    with disposable.folder(Path(options["staging_dir"])):
        assert len(left(options)) == 1
    assert left(options) == []


def foretold(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Dry run, then run: the second does what the first said."""
    said = backup_servers.module(name, arguments, check=True)
    done = backup_servers.module(name, arguments)
    assert not said.get("failed") and not done.get("failed"), (said, done)
    assert (said["changed"], said["diff"]) == (done["changed"], done["diff"])
    return done


STORE = ("bucket", "endpoint_url", "region", "access_key", "secret_key", "addressing_style")


def test_the_module_checks_and_tells_why_a_backup_does_not_pass(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, backup = made
    arguments = {name: options[name] for name in (*STORE, "signing_key", "prefix", "staging_dir")} | {"database": "shop", "level": "V2"}
    done = foretold("backup_verify", arguments)
    assert (done["changed"], done["verification"]["backup_id"]) == (True, backup["backup_id"])
    assert not foretold("backup_verify", {**arguments, "max_age": 3600})["changed"]
    wrong = [{"name": "no orders", "sql": "SELECT count(*) = 0 FROM public.orders"}]
    failed = backup_servers.module("backup_verify", {**arguments, "level": "V7", "questions": wrong})
    assert failed["failed"] and failed.get("verification", failed)["verdict"] == "different"
    assert "no orders: the answer is" in failed["msg"]
    missing = backup_servers.module("backup_verify", {**arguments, "database": "shop-staging"}, check=True)
    assert missing["failed"] and "There is no backup of database shop-staging" in missing["msg"]


def test_hold_and_retention_by_the_modules_in_a_real_store(made: tuple[dict[str, Any], dict[str, Any]]) -> None:
    options, _backup = made
    store = settings.store(options)
    now = time.time()
    app, other = Identity("postgresql", "1", "app"), Identity("postgresql", "1", "app-staging")
    old, held, new = (stock(store, app, now - age * DAY, prefix="thin") for age in (90, 80, 0))
    foreign = stock(store, other, now - 90 * DAY, prefix="thin")
    arguments = {**{name: options[name] for name in STORE}, "signing_key": "0123456789abcdef", "prefix": "thin", "database": "app"}

    hold = {**arguments, "backup_id": held, "reason": "audit", "owner": "ann", "until": "2999-01-01"}
    assert foretold("backup_hold", hold)["hold"] == {"backup_id": held, "reason": "audit", "owner": "ann", "until": "2999-01-01T00:00:00Z"}
    assert not foretold("backup_hold", hold)["changed"]
    assert foretold("backup_hold", {**hold, "reason": "court"})["changed"]

    done = foretold("backup_retention", {**arguments, "keep": {"minimum": 1}})
    assert done["removed"] == [old]
    assert f"keep {held}: held until 2999-01-01T00:00:00Z by ann: court" in done["diff"]["prepared"]
    assert not foretold("backup_retention", {**arguments, "keep": {"minimum": 1}})["changed"]

    gone = {**arguments, "backup_id": held, "state": "absent"}
    assert foretold("backup_hold", gone)["hold"] is None
    assert not foretold("backup_hold", gone)["changed"]
    assert foretold("backup_retention", {**arguments, "keep": {"minimum": 1}})["removed"] == [held]
    assert {item.key.split("/")[4] for item in store.listing("thin/postgresql/1/app/")} == {new}
    assert {item.key.split("/")[4] for item in store.listing("thin/postgresql/1/app-staging/")} == {foreign}
    refused = backup_servers.module("backup_hold", {**arguments, "backup_id": new})
    assert refused["failed"] and "Option reason is missing" in refused["msg"]
