# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real Redis to a real store and back: what comes back is equal, and what is not is found."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, redis_dump, settings, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from tests.integration import backup_servers

KEY = "0123456789abcdef0123456789abcdef"
PASSWORD = "p w'\"$"


@contextmanager
def server(folder: Path, *more: str) -> Iterator[dict[str, Any]]:
    """A server as the options of our modules."""
    port = backup_servers.free_port()
    home = folder / f"redis-{port}"
    home.mkdir()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", "", "--requirepass", PASSWORD, *more]
    process = subprocess.Popen(argv, executable=backup_servers.redis_program(), stdout=subprocess.DEVNULL)
    try:
        options = {"login_host": "127.0.0.1", "login_port": port, "login_user": "default", "login_password": PASSWORD, "ssl_mode": "disable", "ca_cert": None}
        disposable.wait_for("redis", lambda: answers(options), bool, timeout=20, interval=0.1)
        yield options
    finally:
        process.kill()
        process.wait()


def answers(options: dict[str, Any]) -> bool:
    try:
        return bool(client(options).ping())
    except redis.exceptions.RedisError:
        return False


def client(options: dict[str, Any], database: int = 0) -> Any:
    return redis.Redis(port=options["login_port"], password=PASSWORD, db=database)


@pytest.fixture(scope="module")
def world() -> Iterator[dict[str, Any]]:
    """A store, and two servers: one that gives snapshots, and one that refuses them as managed ones do."""
    with (
        backup_servers.folder() as folder,
        backup_servers.seaweed(folder) as store,
        server(folder) as open_one,
        server(folder, "--rename-command", "SYNC", "", "--rename-command", "PSYNC", "") as managed,
        server(folder) as target,
    ):
        (folder / "staging").mkdir()
        common = {**store, "signing_key": KEY, "staging_dir": str(folder / "staging")}
        yield {"folder": folder, "store": common, "open": {**common, **open_one}, "managed": {**common, **managed}, "target": {**common, **target}}


@pytest.fixture(params=["open", "managed"])
def source(world: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A server with everything in it, and the options to back it up under a prefix of its own."""
    options = {**world[request.param], "database": "cache", "prefix": f"p{time.time_ns()}"}
    fill(options)
    yield options
    client(options).flushall()
    client(world["target"]).flushall()


def fill(options: dict[str, Any]) -> None:
    one, three = client(options), client(options, 3)
    for number in range(3000):
        one.set(f"key:{number}", f"value {number}" * 5)
    one.set(b"\x00odd\r\nkey\xff", b"\x00\x01\r\n$3\r\n")
    one.set("session", "token", ex=3600)
    one.rpush("list", *range(500))
    one.sadd("set", *range(500))
    one.hset("hash", mapping={f"f{number}": number for number in range(500)})
    one.zadd("zset", {f"m{number}": number / 3 for number in range(500)})
    one.xadd("stream", {"a": 1, "b": "two"})
    three.set("other database", "x", px=3_600_000)


def back_up(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    operation = upkeep.redis_backup({**options, **more})
    return dict(operation.apply(operation.plan())["backup"])


def check(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    operation = upkeep.verification({**options, "engine": "redis", **more})
    return dict(operation.apply(operation.plan())["verification"])


def restore(options: dict[str, Any], target: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    place = {name: target[name] if target else None for name in ("login_host", "login_port", "login_user", "login_password", "ssl_mode", "ca_cert")}
    operation = upkeep.redis_restore({**options, **place, **more})
    return dict(operation.apply(operation.plan())["restore"])


def test_a_round_trip_is_proven_and_equal_in_a_running_server(source: dict[str, Any], world: dict[str, Any]) -> None:
    made = back_up(source)
    snapshot = source["login_port"] == world["open"]["login_port"]
    assert (made["method"], made["point_in_time"], made["key_count"]) == (("snapshot", True) if snapshot else ("keys", False)) + (3008,)
    for level in ("V1", "V2", "V3", "V5"):
        assert check(source, level=level)["checks"][-1]["level"] == level
    catalogue = settings.catalogue(source)
    [entry] = catalogue.entries(catalogue.identity("cache", None, "redis"))
    assert entry.proven

    target = world["target"]
    done = restore(source, target)
    assert (done["verdict"], done["key_count"]) == ("equal", 3008)
    assert client(target).get(b"\x00odd\r\nkey\xff") == b"\x00\x01\r\n$3\r\n"
    assert 3500 < client(target).ttl("session") <= 3600
    assert client(target).zscore("zset", "m499") == 499 / 3
    assert client(target, 3).get("other database") == b"x"
    with pytest.raises(OpsError, match="a restore never overwrites"):
        restore(source, target)
    client(target).set("key:1", "changed")
    assert restore(source, target, replace=True, match="key:1*")["verdict"] == "equal"
    assert client(target).get("key:1") == b"value 1" * 5
    assert not list(Path(source["staging_dir"]).iterdir())


def test_a_snapshot_in_a_file_starts_a_stock_server_and_is_sealed_on_the_way(world: dict[str, Any]) -> None:
    options = {**world["open"], "database": "cache", "prefix": "file", "encryption_key": "f" * 32}
    fill(options)
    made = back_up(options)
    folder = f"file/redis/{made['system_id']}/cache/{made['backup_id']}/"
    stored = backup_servers.client(options).get_object(Bucket=options["bucket"], Key=_data_key(options, folder))
    assert not stored["Body"].read(5).startswith(b"REDIS")
    path = world["folder"] / "dump.rdb"
    restore(options, None, path=str(path))
    content = path.read_bytes()
    assert content.startswith(b"REDIS") and content[-9] == 0xFF, "the marker of diskless replication is no part of it"
    assert redis_dump.check(path, disposable.Runner()) == 3008
    with pytest.raises(OpsError, match="exists: a restore never overwrites"):
        restore(options, None, path=str(path))
    with disposable.folder(world["folder"] / "staging") as base, disposable.redis(base, 16, path) as clients:
        assert clients[0].dbsize() == 3007
    client(options).flushall()


def _data_key(options: dict[str, Any], folder: str) -> str:
    return next(item.key for item in settings.store(options).listing(f"{folder}data/"))


def test_a_changed_value_a_lost_key_and_a_lost_expiry_are_found(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each is a copy that loads without a word."""
    options = {**world["open"], "database": "cache", "prefix": "control"}
    fill(options)
    back_up(options, sample=5000)
    load = disposable.redis
    for spoil, told in (
        (lambda copy: copy.set("key:7", "other"), "has another value"),
        (lambda copy: copy.delete("key:8"), "3005 keys without an expiry, not 3006"),
        (lambda copy: copy.persist("session"), "3007 keys without an expiry, not 3006.*expires at None"),
        (lambda copy: copy.rpush("list", 1), "has another value"),
        (lambda copy: copy.rename("set", "set2"), "is missing"),
    ):

        @contextmanager
        def spoiled(*arguments: Any, spoil: Any = spoil) -> Iterator[Any]:
            with load(*arguments) as clients:
                spoil(clients[0])
                yield clients

        monkeypatch.setattr(disposable, "redis", spoiled)
        with pytest.raises(OpsError, match=told):
            check(options)
    monkeypatch.undo()
    assert check(options)["verdict"] == "equal"
    client(options).flushall()


def test_a_server_that_is_written_to_meanwhile_is_backed_up_and_proven_by_what_did_not_change(world: dict[str, Any]) -> None:
    options = {**world["open"], "database": "cache", "prefix": "busy"}
    fill(options)
    ended = threading.Event()

    def write() -> None:
        writer, number = client(options), 0
        while not ended.is_set() and number < 50_000:
            writer.set(f"key:{number % 300}", time.time_ns())
            writer.set(f"new:{number}", number)
            number += 1
            time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        back_up(options)
    finally:
        ended.set()
        thread.join()
    done = check(options)
    assert done["verdict"] == "equal"
    assert any("written to meanwhile" in note for note in done["notes"])
    client(options).flushall()


def test_damage_wrong_passwords_and_a_forced_snapshot_are_named(world: dict[str, Any]) -> None:
    options = {**world["managed"], "database": "cache", "prefix": "wrong"}
    fill(options)
    with pytest.raises(OpsError, match="gave 0 bytes"):
        back_up(options, method="snapshot")
    with pytest.raises(OpsError, match="invalid username-password"):
        back_up({**options, "login_password": "wrong"})
    folder = f"wrong/redis/127.0.0.1-{options['login_port']}/cache/"
    assert {item.key[len(folder) :].split("/")[0] for item in settings.store(options).listing(folder)} == {"failed", "lease.json"}
    made = back_up({**world["open"], "database": "cache", "prefix": "wrong"})
    key = _data_key(options, f"wrong/redis/{made['system_id']}/cache/{made['backup_id']}/")
    s3 = backup_servers.client(options)
    whole = s3.get_object(Bucket=options["bucket"], Key=key)["Body"].read()
    s3.put_object(Bucket=options["bucket"], Key=key, Body=whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    for level in ("V2", "V3", "V5"):
        with pytest.raises(OpsError, match="The backup is damaged"):
            check({**world["open"], "database": "cache", "prefix": "wrong", "system_id": made["system_id"]}, level=level)
    client(options).flushall()


def test_a_target_older_than_the_redis_of_this_host_is_refused_before_anything_is_copied(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    options = {**world["open"], "database": "cache", "prefix": "old"}
    fill(options)
    back_up(options)
    ours = redis_dump.payload_version(client(options))
    assert ours and ours > 9
    versions = [ours, ours - 1]
    monkeypatch.setattr(redis_dump, "payload_version", lambda _client: versions.pop(0))
    with pytest.raises(OpsError, match=f"reads keys up to version {ours - 1} of their form, and this one writes {ours}"):
        restore(options, world["target"])
    assert client(world["target"]).dbsize() == 0
    client(options).flushall()


def test_the_password_is_in_no_argument(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    popen = subprocess.Popen

    def remember(argv: Any, *arguments: Any, **more: Any) -> Any:
        seen.extend(str(argument) for argument in argv)
        return popen(argv, *arguments, **more)

    monkeypatch.setattr(redis_dump.subprocess, "Popen", remember)
    back_up({**world["open"], "database": "cache", "prefix": "secret"})
    assert "redis-cli" in seen
    assert not [argument for argument in seen if PASSWORD in argument]
