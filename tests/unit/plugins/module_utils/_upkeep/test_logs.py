# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archived logs: killed at each call of the store, damaged on the way, rotated meanwhile. No log is lost."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Listed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.logs import Archiving, Log, Proving, expired
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.logs import key as key_of
from tests.unit.plugins.module_utils._backup.shelf import DAY, Moved

NOW = 1_800_000_000.0  # 2027-01-15
NAMES = ("access.log.1.gz", "access.log.2.gz", "error.log.1")


class Killed(BaseException):
    """The process is gone."""


class Bucket:
    """A store in memory. left: how many calls it lives for. damage: turns what is kept of an object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.left, self.damage = -1, False

    def _called(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1

    def listing(self, prefix: str) -> Iterator[Listed]:
        self._called()
        yield from [Listed(name, len(data)) for name, data in sorted(self.objects.items()) if name.startswith(prefix)]

    def size(self, key: str) -> int | None:
        self._called()
        return len(self.objects[key]) if key in self.objects else None

    def chunks(self, key: str) -> Iterator[bytes]:
        self._called()
        yield self.objects[key]

    def put_file(self, key: str, path: Path) -> tuple[int, str]:
        self._called()
        data = path.read_bytes()
        self.objects[key] = data[:-1] + b"?" if self.damage else data
        self._called()
        return len(data), hashlib.sha256(data).hexdigest()

    def abort_uploads(self, prefix: str) -> int:
        self._called()
        return 0

    def delete(self, key: str) -> None:
        self._called()
        del self.objects[key]


def write(folder: Path, name: str, *, days: float = 2.0, content: str = "") -> Path:
    path = folder / name
    path.write_text(content or f"content of {name}")
    os.utime(path, (NOW - days * DAY, NOW - days * DAY))
    return path


def archiving(bucket: Bucket, folder: Path, **more: Any) -> Archiving:
    params = {"host": "web-1", "paths": [f"{folder}/*.log.*"], **more}
    return Archiving(params, bucket, Moved(NOW))


def run(bucket: Bucket, folder: Path, **more: Any) -> dict[str, Any]:
    operation = archiving(bucket, folder, **more)
    return dict(operation.apply(operation.plan()))


def test_logs_are_archived_and_gone(tmp_path: Path) -> None:
    for name in NAMES:
        write(tmp_path, name)
    young, current = write(tmp_path, "access.log.0", days=0.5), write(tmp_path, "access.log", days=3)
    (tmp_path / "link.log.1").symlink_to(current)
    bucket = Bucket()
    planned = archiving(bucket, tmp_path).plan()
    assert len(planned.steps) == 3 and bucket.objects == {}, "a plan writes nothing"
    assert run(bucket, tmp_path) == {"archived": 3, "bytes": sum(len(f"content of {name}") for name in NAMES), "expired": 0}
    assert sorted(os.listdir(tmp_path)) == ["access.log", "access.log.0", "link.log.1"] and young.exists()
    digest = hashlib.sha256(b"content of access.log.1.gz").hexdigest()
    assert f"logs/web-1/2027-01-13{tmp_path}/access.log.1.{digest}.gz" in bucket.objects
    assert archiving(bucket, tmp_path).plan().changed is False
    proving = Proving({"host": "web-1", "paths": ["x"]}, bucket, Moved(NOW))
    assert proving.result(proving.plan())["proven"] == 3


def test_killed_at_each_call_no_log_is_lost(tmp_path: Path) -> None:
    calls = 0
    while True:
        folder, bucket = tmp_path / str(calls), Bucket()
        folder.mkdir()
        contents = {write(folder, name).read_text() for name in NAMES}
        bucket.left = calls
        try:
            run(bucket, folder)
            break
        except Killed:
            # The next rotation comes before the next run does.
            contents.add(write(folder, "access.log.1.gz", content="the next one").read_text() if not (folder / "access.log.1.gz").exists() else "")
        bucket.left = -1
        kept = {path.read_text() for path in folder.iterdir()} | {data.decode() for data in bucket.objects.values()}
        assert contents - {""} <= kept, f"lost when killed at call {calls}"
        run(bucket, folder)
        assert list(folder.iterdir()) == [] and {data.decode() for data in bucket.objects.values()} == contents - {""}
        calls += 1
    assert calls > 12, "each log needs several calls"


def test_a_store_that_damages_objects_costs_no_log(tmp_path: Path) -> None:
    write(tmp_path, NAMES[0])
    bucket = Bucket()
    bucket.damage = True
    with pytest.raises(OpsError, match=r"1 of 1 logs are not archived, and stay: .*/access.log.1.gz: the store does not give back"):
        run(bucket, tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == [f"content of {NAMES[0]}"]
    bucket.damage = False
    assert run(bucket, tmp_path)["archived"] == 1 and list(tmp_path.iterdir()) == []
    # The control of the later check: one byte.
    [name] = bucket.objects
    bucket.objects[name] = b"!" + bucket.objects[name][1:]
    proving = Proving({"host": "web-1", "paths": ["x"]}, bucket, Moved(NOW))
    with pytest.raises(OpsError, match="1 of 1 archived logs are not what was sent"):
        proving.result(proving.plan())


def test_a_rotation_that_is_faster_keeps_its_log(tmp_path: Path) -> None:
    write(tmp_path, NAMES[0])
    bucket = Bucket()
    operation = archiving(bucket, tmp_path)
    planned = operation.plan()
    write(tmp_path, NAMES[0], days=0.1, content="rotated in this moment")
    operation.apply(planned)
    [left] = tmp_path.iterdir()
    assert left.read_text() == "rotated in this moment" and bucket.objects == {}
    later = Archiving({"host": "web-1", "paths": [f"{tmp_path}/*.log.*"]}, bucket, Moved(NOW + DAY))
    later.apply(later.plan())
    assert list(tmp_path.iterdir()) == [] and list(bucket.objects.values()) == [b"rotated in this moment"]


def test_what_is_too_old_goes_and_nothing_else(tmp_path: Path) -> None:
    sha256 = "0" * 64
    keys = [f"logs/web-1/{day}/var/log/a.{sha256}.gz" for day in ("2026-12-15", "2026-12-16", "2027-01-01")]
    others = [f"logs/web-2/2020-01-01/a.{sha256}", "logs/web-1/2020-01-01/a", "logs/web-1/notes"]
    bucket = Bucket()
    bucket.objects = dict.fromkeys([*keys, *others], b"")
    assert archiving(bucket, tmp_path, keep_days=30).plan().steps == (f"remove {keys[0]}, older than 30 days",)
    assert run(bucket, tmp_path, keep_days=30)["expired"] == 1 and set(bucket.objects) == {*keys[1:], *others}
    assert expired([Listed(keys[0], 0)], "logs/web-1/", 0, NOW) == [], "0 keeps all"


def test_a_key_keeps_the_kind_of_compression() -> None:
    named = [key_of(Log(Path("/var/log") / name, name, 1, NOW), "f" * 64).rpartition("/")[2] for name in ("a.log.1.gz", "a.log.1", "a.log-20270101.zst")]
    assert named == [f"a.log.1.{'f' * 64}.gz", f"a.log.1.{'f' * 64}", f"a.log-20270101.{'f' * 64}.zst"]
