# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on a real PostgreSQL and a real S3 server: what goes in comes out equal, and what is damaged never comes out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psycopg2
import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import dump, loader, policy, report, settings, store, transfer, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import find_tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.integration import backup_servers, relay

KEY = "0123456789abcdef0123456789abcdef"
AWKWARD = Path(__file__).with_name("awkward.sql")
# A child must find the collection as this process does.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    with backup_servers.folder() as folder, backup_servers.postgres(folder) as database, backup_servers.seaweed(folder) as store:
        yield {**database, **store, "signing_key": KEY}


@pytest.fixture
def source(servers: dict[str, Any], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """An empty database and the options to back it up, under a prefix of its own."""
    name = f"db_{tmp_path.name[-20:]}"
    params = {**servers, "login_db": name, "prefix": name, "staging_dir": str(tmp_path)}
    sql(servers, f'CREATE DATABASE "{name}"')
    yield params
    sql(servers, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    sql(servers, 'DROP DATABASE IF EXISTS "restored" WITH (FORCE)')


def sql(params: dict[str, Any], text: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(
        host=params["login_host"], port=params["login_port"], user=params["login_user"], password=params["login_password"], dbname=params["login_db"]
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def back_up(params: dict[str, Any]) -> dict[str, Any]:
    operation = settings.backup(params)
    return dict(operation.apply(operation.plan())["backup"])


def restore(params: dict[str, Any], **more: Any) -> dict[str, Any]:
    operation = settings.restore({**params, "database": params["login_db"], "login_db": "postgres", "target_database": "restored", **more})
    return dict(operation.apply(operation.plan())["restore"])


def folder_of(params: dict[str, Any], backup: dict[str, Any]) -> str:
    return f"{params['prefix']}/postgresql/{backup['system_id']}/{policy.encode(params['login_db'])}/{backup['backup_id']}/"


def keys(params: dict[str, Any]) -> list[str]:
    return [item.key for item in settings.store(params).listing(params["prefix"] + "/")]


def folders(params: dict[str, Any]) -> set[str]:
    """What lies beside the lease: the ids of backups, and ``failed``."""
    return {key.split("/")[4] for key in keys(params)} - {policy.LEASE}


def databases(params: dict[str, Any]) -> set[str]:
    return {row[0] for row in sql(params, "SELECT datname FROM pg_database")}


def fill(params: dict[str, Any], rows: int = 20_000) -> None:
    sql(params, f"CREATE TABLE orders (id bigint PRIMARY KEY, item text); INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, {rows}) n")


class NoPgRestore:
    """Fails the test when pg_restore is started at all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dump, "start_restore", self._refuse)

    def _refuse(self, *_arguments: Any, **_more: Any) -> None:
        raise AssertionError("pg_restore was started")


def test_an_awkward_database_comes_back_equal(source: dict[str, Any]) -> None:
    sql(source, AWKWARD.read_text())
    made = back_up(source)
    restored = restore(source, source=source)
    assert restored["verdict"] == restored["live_verdict"] == "equal", restored
    assert restored["source_rows"] == restored["restored_rows"] == made["rows"] > 0
    assert {table["name"] for table in restored["tables"]} >= {'odd."Table with ""quotes"" and ünïcode/../x"', "odd.parts_2025", "public.empty"}
    there = {**source, "login_db": "restored"}
    assert sql(there, "SELECT count(*), sum(length(lo_get(oid))) FROM pg_largeobject_metadata") == [(3, 3 * 70_000)]
    assert sql(there, "SELECT count(*) FROM odd.totals") == sql(source, "SELECT count(*) FROM odd.totals")
    assert sql(there, "SELECT nextval('odd.\"Ticket No.\"')") == [(4250,)]
    entry = settings.catalogue(source).entries(settings.catalogue(source).identity(source["login_db"], None))[0]
    assert (entry.level, entry.problem) == ("V5", None)
    assert not [path for path in Path(source["staging_dir"]).iterdir() if path.name.startswith("groundcrew")]


def test_the_comparison_sees_one_changed_cell_one_lost_row_and_one_lost_index(source: dict[str, Any]) -> None:
    """The control of the round trip: a restored database that is not equal is not called so."""
    sql(source, AWKWARD.read_text())
    back_up(source)
    catalogue = settings.catalogue(source)
    truth = catalogue.choose(catalogue.identity(source["login_db"], None), "latest").manifest.truth  # type: ignore[union-attr]
    for change, told in (
        ('UPDATE odd."Table with ""quotes"" and ünïcode/../x" SET "select" = \'x\' WHERE "Größe" = 1', "other content"),
        ("DELETE FROM odd.parts WHERE at < '2025-02-01'", "rows, not"),
        ("DROP INDEX odd.documents_words", "indexes, not"),
        ("ALTER TYPE odd.mood ADD VALUE 'new'", "definitions of the types differ"),
        ("SELECT setval('odd.\"Ticket No.\"', 5)", "behind"),
        ("SELECT lo_unlink(min(oid)) FROM pg_largeobject_metadata", "large objects"),
    ):
        sql(source, change)
        with Session(settings.database(source)) as session:
            differences = policy.compare(truth, session.truth(None)).differences
        assert any(told in difference for difference in differences), (change, differences)


def test_one_flipped_byte_in_any_object_is_named_before_pg_restore(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source, 100_000)
    sql(source, "CREATE TABLE other AS SELECT 1 AS n")
    folder = folder_of(source, back_up(source))
    s3 = backup_servers.client(source)
    NoPgRestore(monkeypatch)
    objects = [key.removeprefix(folder) for key in keys(source) if key.startswith(folder) and "manifest" not in key]
    assert {name.split("/")[0] for name in objects} == {"data", "bundle", "globals.sql"} and len(objects) == 4
    for key in (folder + name for name in objects):
        whole = s3.get_object(Bucket=source["bucket"], Key=key)["Body"].read()
        flipped = bytearray(whole)
        flipped[len(flipped) // 2] ^= 0x10
        s3.put_object(Bucket=source["bucket"], Key=key, Body=bytes(flipped))
        with pytest.raises(OpsError, match="another content") as caught:
            restore(source)
        assert key in caught.value.message
        s3.put_object(Bucket=source["bucket"], Key=key, Body=whole)
    assert "restored" not in databases(source)


def test_without_the_manifest_a_flipped_byte_reaches_the_database(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same damage with the comparison of hashes taken out. Uncompressed on purpose, as zstd's own check does no better."""
    monkeypatch.setattr(dump, "compression", lambda _tools: "0")
    fill(source, 50_000)
    folder = folder_of(source, back_up(source))
    s3 = backup_servers.client(source)
    key = next(key for key in keys(source) if key.startswith(folder + "data/") and key.endswith(".dat"))
    content = bytearray(s3.get_object(Bucket=source["bucket"], Key=key)["Body"].read())
    at = content.index(b"\t") + 5
    content[at] = ord("x")
    s3.put_object(Bucket=source["bucket"], Key=key, Body=bytes(content))
    monkeypatch.setattr(policy, "check_object", lambda *_arguments: None)
    assert restore(source, verify=False)["verdict"] == "not compared"
    there = {**source, "login_db": "restored"}
    assert sql(there, "SELECT count(*) FROM orders") == [(50_000,)]
    assert sql(there, "SELECT count(*) FROM orders WHERE item <> md5(id::text)") == [(1,)]


def test_a_missing_object_a_tampered_manifest_and_a_wrong_key_are_refused(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source)
    made = back_up(source)
    folder = folder_of(source, made)
    s3 = backup_servers.client(source)
    NoPgRestore(monkeypatch)
    with pytest.raises(OpsError, match="another key"):
        restore({**source, "signing_key": "f" * 32}, backup_id=made["backup_id"])

    manifest = s3.get_object(Bucket=source["bucket"], Key=folder + "manifest.json")["Body"].read()
    s3.put_object(Bucket=source["bucket"], Key=folder + "manifest.json", Body=manifest.replace(b'"rows":20000', b'"rows":19999'))
    with pytest.raises(OpsError, match="tampered"):
        restore(source, backup_id=made["backup_id"])
    s3.put_object(Bucket=source["bucket"], Key=folder + "manifest.json", Body=manifest)

    key = folder + "data/toc.dat"
    s3.delete_object(Bucket=source["bucket"], Key=key)
    with pytest.raises(OpsError, match=r"data/toc\.dat is missing"):
        restore(source, backup_id=made["backup_id"])
    listed = upkeep.information(source)["backups"]
    assert [(backup["damaged"], backup["level"]) for backup in listed] == [(True, "unverified")]
    assert "restored" not in databases(source)


def test_a_killed_run_leaves_no_backup_and_the_next_run_removes_the_rest(source: dict[str, Any], tmp_path: Path) -> None:
    fill(source, 200_000)
    older = back_up(source)
    # The uploader stops for ever at its second object, as a dead network would make it; then the process is killed.
    program = """
import json, sys, time
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings, store
put, stored = store.S3Store.put, []
def slow(self, key, data):
    if "/data/" in key and stored:
        print("stuck", flush=True)
        time.sleep(600)
    stored.extend([key] if "/data/" in key else [])
    return put(self, key, data)
store.S3Store.put = slow
operation = settings.backup(json.load(sys.stdin))
operation.apply(operation.plan())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(source))
    process.stdin.close()
    assert process.stdout.readline() == "stuck\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    left = folders(source) - {older["backup_id"]}
    assert len(left) == 1
    assert [path for path in tmp_path.iterdir() if path.name.startswith("groundcrew")]
    assert [entry["backup_id"] for entry in upkeep.information(source)["backups"]] == [older["backup_id"]]

    newer = back_up(source)
    assert newer["swept"] == 1
    assert folders(source) == {older["backup_id"], newer["backup_id"]}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("groundcrew")]
    assert restore(source, backup_id=older["backup_id"])["verdict"] == "equal"


def test_a_truncate_during_the_dump_never_splits_truth_and_dump(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source)
    start, thread = dump.start_dump, threading.Thread(target=sql, args=(source, "TRUNCATE orders"))

    def start_behind_truncate(*arguments: Any, **more: Any) -> dump.Child:
        if not thread.ident:
            thread.start()
            while not sql(source, "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"):
                time.sleep(0.05)
        return start(*arguments, **more)

    monkeypatch.setattr(dump, "start_dump", start_behind_truncate)
    made = back_up({**source, "lock_timeout": 2})
    thread.join()
    # The first snapshot was given up, the TRUNCATE went through, and the second one shows what it left.
    assert made["rows"] == 0
    assert restore(source)["verdict"] == "equal"


def test_without_the_locks_a_truncate_loses_the_rows(source: dict[str, Any], tmp_path: Path) -> None:
    """The control: a snapshot alone does not protect from TRUNCATE, and pg_dump ends well."""
    fill(source)
    with Session(settings.database(source)) as session:
        tools = find_tools(session.major)
        session.rows("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = session.value("SELECT pg_export_snapshot()")
        sql(source, "TRUNCATE orders")
        dump.start_dump(tools, settings.database(source), tmp_path / "dump", snapshot=snapshot, jobs=2, lock_timeout=5).wait()
    said = subprocess.run([tools.path("pg_restore"), "-f", "-", "--data-only", tmp_path / "dump"], capture_output=True, text=True, check=True).stdout
    assert "COPY public.orders" in said
    assert "\n1\t" not in said


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=18m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def used(folder: Path) -> int:
    return shutil.disk_usage(folder).used


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_a_clear_failure_that_leaves_nothing(source: dict[str, Any], tiny_disk: Path) -> None:
    sql(source, "CREATE EXTENSION pgcrypto; CREATE TABLE noise AS SELECT gen_random_bytes(1000) AS b FROM generate_series(1, 19000)")
    older = back_up(source)
    with pytest.raises(OpsError, match="needs about"):
        back_up({**source, "staging_dir": str(tiny_disk)})

    full = {**source, "staging_dir": str(tiny_disk)}
    send = store.Upload.part

    def slowly(*arguments: Any) -> Any:
        time.sleep(3)
        return send(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        # The estimate let it through, as it does for data that compresses badly, and the store takes nothing for a while.
        patch.setattr(transfer, "require_space", lambda *_arguments: None)
        patch.setattr(store.Upload, "part", slowly)
        with pytest.raises(OpsError, match="No space left on device"):
            back_up(full)
        patch.setattr(loader, "limit", lambda *_arguments: 1 << 30)
        with pytest.raises(OpsError, match="No space left on device"):
            restore(full)
    with pytest.raises(OpsError, match="its largest file has to fit"):
        restore(full)
    assert list(tiny_disk.iterdir()) == []
    assert folders(source) == {older["backup_id"], "failed"}
    assert "restored" not in databases(source)
    # The same disk is enough when the store keeps up, which the relay sees to: what is stored takes no place any more.
    with pytest.MonkeyPatch.context() as patch, relay.relay(source["login_port"], lambda: used(tiny_disk) < 9 * 2**20) as port:
        patch.setattr(transfer, "require_space", lambda *_arguments: None)
        made = back_up({**full, "login_port": port})
        assert made["bytes"] > 18 * 2**20 > made["staging"]["peak"]
    failed = next(key for key in keys(source) if "/failed/" in key)
    assert "No space left on device" in json.loads(settings.store(source).get(failed) or b"{}")["reason"]


def test_wrong_credentials_a_missing_bucket_and_an_unreachable_server_are_named(source: dict[str, Any]) -> None:
    for change, told in (
        ({"secret_key": "wrong"}, "Correct the secret key"),
        ({"access_key": "nobody"}, "InvalidAccessKeyId"),
        ({"bucket": "no-such-bucket"}, "Create the bucket"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "Check the endpoint"),
        ({"login_password": "wrong"}, "password authentication failed"),
        ({"login_port": 9}, "Connection refused"),
        ({"staging_dir": "/nonexistent"}, "does not exist"),
        ({"signing_key": "short"}, "at least 16"),
    ):
        with pytest.raises(OpsError, match=told):
            settings.backup({**source, **change}).plan()


def test_a_restore_never_overwrites(source: dict[str, Any]) -> None:
    fill(source)
    back_up(source)
    sql({**source, "login_db": "postgres"}, "CREATE DATABASE restored")
    assert restore(source)["verdict"] == "equal", "an empty database may be filled"
    with pytest.raises(OpsError, match="never overwrites"):
        restore(source)
    with pytest.raises(OpsError, match="never overwrites"):
        settings.restore({**source, "database": source["login_db"], "target_database": source["login_db"]}).plan()


def test_a_failed_restore_leaves_no_database_and_a_killed_one_is_begun_again(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source)
    back_up(source)
    with monkeypatch.context() as patch:
        patch.setattr(dump, "start_restore", Mock(side_effect=OpsError("the server went away")))
        with pytest.raises(OpsError, match="went away"):
            restore(source)
    assert "restored" not in databases(source)
    sql(source, "CREATE DATABASE restored")
    sql(source, "COMMENT ON DATABASE restored IS 'groundcrew.ops: restore in progress'")
    sql({**source, "login_db": "restored"}, "CREATE TABLE half ()")
    assert restore(source)["verdict"] == "equal"
    assert restore({**source}, target_database="scratch", drop_after=True)["dropped"]
    assert "scratch" not in databases(source)


def test_a_young_verified_backup_makes_another_needless(source: dict[str, Any]) -> None:
    fill(source)
    made = back_up(source)
    assert settings.backup({**source, "max_age": 3600.0}).plan().changed, "it was not verified yet"
    restore(source, drop_after=True)
    operation = settings.backup({**source, "max_age": 3600.0})
    planned = operation.plan()
    assert not planned.changed
    assert operation.result(planned)["backup"]["backup_id"] == made["backup_id"]
    assert settings.backup({**source, "max_age": 0.001}).plan().changed


def test_one_run_at_a_time(source: dict[str, Any]) -> None:
    fill(source)
    operation = settings.backup(source)
    planned = operation.plan()
    with Session(settings.database(source)) as session, session.exclusive("the backup"), pytest.raises(OpsError, match="holds the lock"):
        operation.apply(planned)
    assert keys(source) == []
    assert operation.apply(planned)["backup"]["rows"] == 20_000


def test_what_a_role_may_not_read_is_listed_before_anything_is_written(source: dict[str, Any]) -> None:
    fill(source)
    sql(source, "CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE TABLE hidden (n int); GRANT SELECT ON hidden TO reader")
    sql(source, "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")
    try:
        reader = {**source, "login_user": "reader", "login_password": "reader"}
        with pytest.raises(OpsError, match=r"may not read public\.orders"):
            back_up(reader)
        sql(source, "GRANT SELECT ON orders TO reader")
        with pytest.raises(OpsError, match=r"hides rows of public\.hidden"):
            back_up(reader)
        sql(source, "ALTER TABLE hidden DISABLE ROW LEVEL SECURITY")
        assert back_up(reader)["rows"] == 20_000
    finally:
        sql(source, "DROP OWNED BY reader; DROP ROLE reader")


def test_the_password_is_in_no_argument_list(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(source)
    seen: list[str] = []
    popen = subprocess.Popen

    def remember(argv: list[str], **more: Any) -> subprocess.Popen[bytes]:
        seen.extend(argv)
        return popen(argv, **more)

    monkeypatch.setattr(dump.subprocess, "Popen", remember)
    back_up(source)
    restore(source)
    assert any("pg_restore" in argument for argument in seen)
    assert not [argument for argument in seen if source["login_password"] in argument or "PGPASSWORD" in argument]


def command(config: Path, state: Path, verb: str, *more: str) -> subprocess.CompletedProcess[str]:
    module = "ansible_collections.groundcrew.ops.plugins.module_utils._backup.cli"
    argv = [sys.executable, "-m", module, verb, "--config", str(config), "--state", str(state), *more]
    return subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_the_command_line_backs_up_verifies_and_thins_out(source: dict[str, Any], tmp_path: Path) -> None:
    fill(source)
    state, config = tmp_path / "state", tmp_path / "config.json"
    stem = upkeep.stem("postgresql", source["login_db"])
    there = {**source, "login_db": "postgres"}
    config.write_text(json.dumps({**source, "server": there, "level": "V5", "keep": {"last": 1, "within_days": 0, "minimum": 1}}))
    config.chmod(0o644)
    said = command(config, state, "backup")
    assert (said.returncode, "chmod 0400" in said.stderr) == (1, True)
    config.chmod(0o400)

    assert command(config, state, "backup", "--check").returncode == 0
    assert keys(source) == []
    for _time in range(2):
        assert command(config, state, "backup").returncode == 0
        assert command(config, state, "verify").returncode == 0
    assert json.loads((state / f"{stem}-verify.json").read_text())["verification"]["verdict"] == "equal"
    assert command(config, state, "retain").returncode == 0
    decisions = json.loads((state / f"{stem}-retain.json").read_text())["retention"]
    assert [decision["keep"] for decision in decisions] == [False, True]
    assert [backup["backup_id"] for backup in upkeep.information(source)["backups"]] == [decisions[1]["backup_id"]]
    assert folders(source) == {decisions[1]["backup_id"]}

    config.chmod(0o600)
    config.write_text(json.dumps({**source, "login_password": "wrong"}))
    said = command(config, state, "backup")
    assert (said.returncode, "password authentication failed" in said.stderr, "Traceback" in said.stderr) == (1, True, False)
    assert "password authentication failed" in json.loads((state / f"{stem}-backup.json").read_text())["reason"]
    metrics = (state / f"groundcrew_backup_{stem}-backup.prom").read_text()
    labels = report.labels(engine="postgresql", database=source["login_db"], verb="backup")
    assert f"groundcrew_backup_last_run_success{labels} 0" in metrics
    assert f"last_success_timestamp_seconds{labels} 1" in metrics
