# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotated logs go to a bucket, and from the host only when the object was read back and is what was sent.

The key of an object has its day and its SHA-256, so it proves itself: PREFIX/HOST/YYYY-MM-DD/var/log/nginx/access.log.1.SHA256.gz. A run may be
killed at any point: what it took out of the rotation's hands has a name by which the next run finds it, and the same log has the same key again.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Listed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

DAY = 86400.0
# A dot first: the patterns of logrotate do not match it. The rest tells two logs of one name apart.
TAKEN = re.compile(r"\.(?P<name>.+)\.(?P<mark>\d+-\d+)\.archiving")
COMPRESSED = (".gz", ".xz", ".zst", ".bz2")
KEY = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)/.+\.(?P<sha256>[0-9a-f]{64})(?:\.(?:gz|xz|zst|bz2))?")


class Store(Protocol):
    """What an archive needs of the store of backups; _backup/port.py says what each does."""

    def listing(self, prefix: str) -> Iterator[Listed]: ...

    def size(self, key: str) -> int | None: ...

    def chunks(self, key: str) -> Iterator[bytes]: ...

    def put_file(self, key: str, path: Path) -> tuple[int, str]: ...

    def delete(self, key: str) -> None: ...

    def abort_uploads(self, prefix: str) -> int: ...


@dataclass(frozen=True)
class Log:
    """A rotated log. name: as it was called before it was taken."""

    path: Path
    name: str
    size: int
    written: float


def key(log: Log, sha256: str) -> str:
    """Below the folder of the host."""
    stem, dot, end = log.name.rpartition(".")
    named = f"{stem}.{sha256}.{end}" if f"{dot}{end}" in COMPRESSED else f"{log.name}.{sha256}"
    return f"{time.strftime('%Y-%m-%d', time.gmtime(log.written))}/{str(log.path.parent).lstrip('/')}/{named}"


def expired(found: Iterable[Listed], prefix: str, keep_days: int, now: float) -> list[Listed]:
    """Objects of ours whose last day is over. 0 keeps all."""
    oldest = time.strftime("%Y-%m-%d", time.gmtime(now - keep_days * DAY))
    return [each for each in found if keep_days and (match := KEY.fullmatch(each.key[len(prefix) :])) and match["day"] < oldest]


class Archive:
    """The store and what to do with it, from the options of a configuration."""

    def __init__(self, params: Mapping[str, Any], store: Store | None = None, clock: Clock | None = None) -> None:
        missing = [name for name in ("host", "paths") if not params.get(name)]
        if missing:
            raise OpsError(f"The configuration of the archive of logs says no {missing[0]}.")
        self.patterns: Sequence[str] = params["paths"]
        self.hours = float(params.get("hours", 24))
        self.keep_days = int(params.get("keep_days", 365))
        folder = (params.get("prefix") or "logs").strip("/")
        self.prefix = f"{folder}/{params['host']}/"
        self.store = store or settings.store(params)
        self.now = (clock or Clock()).now()

    def proven(self, name: str, size: int) -> bool:
        """Whether the object is there and has the content that its key names."""
        if self.store.size(name) != size:
            return False
        match = KEY.fullmatch(name[len(self.prefix) :])
        digest = hashlib.sha256()
        for chunk in self.store.chunks(name):
            digest.update(chunk)
        return match is not None and digest.hexdigest() == match["sha256"]


class Archiving:
    """An operation: archive what is old enough, and remove objects that are too old."""

    def __init__(self, params: Mapping[str, Any], store: Store | None = None, clock: Clock | None = None) -> None:
        self._archive = Archive(params, store, clock)
        self._logs: list[Log] = []
        self._expired: list[Listed] = []

    def plan(self) -> Plan:
        archive = self._archive
        self._logs = [log for log in logs(archive.patterns) if archive.now - log.written >= archive.hours * 3600]
        self._expired = expired(archive.store.listing(archive.prefix), archive.prefix, archive.keep_days, archive.now)
        steps = (
            *(f"archive {log.path.parent / log.name} ({log.size // 1024} KiB)" for log in self._logs),
            *(f"remove {each.key}, older than {archive.keep_days} days" for each in self._expired),
        )
        return Plan("archive" if steps else "none", {"logs": [str(log.path.parent / log.name) for log in self._logs]}, {"logs": []}, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        failed = []
        # One task runs at a time on a host: what was begun below its folder and is not complete was killed.
        self._archive.store.abort_uploads(self._archive.prefix)
        for log in self._logs:
            try:
                self._move(log)
            except (OpsError, OSError) as error:
                failed.append(f"{log.path.parent / log.name}: {error}")
        for each in self._expired:
            self._archive.store.delete(each.key)
        if failed:
            raise OpsError(f"{len(failed)} of {len(self._logs)} logs are not archived, and stay: {'; '.join(failed[:5])}", **self.result(planned))
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"archived": len(self._logs), "bytes": sum(log.size for log in self._logs), "expired": len(self._expired)}

    def _move(self, log: Log) -> None:
        path = take(log)
        with opened(path) as (source, found):
            if self._archive.now - found.st_mtime < self._archive.hours * 3600:
                return  # the rotation was faster: it is another one, which waits for its time under the name that it has now
            sha256 = hashlib.sha256()
            with source.open("rb") as stream:
                for chunk in iter(lambda: stream.read(1024 * 1024), b""):
                    sha256.update(chunk)
            name = self._archive.prefix + key(Log(path, log.name, found.st_size, found.st_mtime), sha256.hexdigest())
            if not self._archive.proven(name, found.st_size):
                sent = self._archive.store.put_file(name, source)
                if sent != (found.st_size, sha256.hexdigest()):
                    raise OpsError("it was written to while it was sent")
                if not self._archive.proven(name, found.st_size):
                    raise OpsError(f"the store does not give back what was written to {name}")
        path.unlink()
        sync_folder(path.parent)


class Proving:
    """An operation that reads back what was archived of the last days, and changes nothing."""

    def __init__(self, params: Mapping[str, Any], store: Store | None = None, clock: Clock | None = None) -> None:
        self._archive = Archive(params, store, clock)
        self._days = int(params.get("verify_days", 31))

    def plan(self) -> Plan:
        return Plan("none", None, None, (f"read back the logs of {self._days} days",))

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        archive = self._archive
        objects = [each for each in archive.store.listing(archive.prefix) if KEY.fullmatch(each.key[len(archive.prefix) :])]
        old = {each.key for each in expired(objects, archive.prefix, self._days, archive.now)}
        young = [each for each in objects if each.key not in old]
        damaged = [each.key for each in young if not archive.proven(each.key, each.size)]
        if damaged:
            raise OpsError(f"{len(damaged)} of {len(young)} archived logs are not what was sent: {'; '.join(damaged[:5])}", damaged=damaged)
        return {"proven": len(young), "bytes": sum(each.size for each in young)}


def logs(patterns: Sequence[str]) -> Iterator[Log]:
    """Regular files that a pattern matches, and what an earlier run took in their folders."""
    seen = set()
    for pattern in patterns:
        for name in (*glob.glob(pattern), *glob.glob(os.path.join(os.path.dirname(pattern), ".*.archiving"))):
            path = Path(name)
            taken = TAKEN.fullmatch(path.name)
            found = None
            with suppress(FileNotFoundError):  # rotated in this moment
                found = path.lstat()
            if found and stat.S_ISREG(found.st_mode) and path not in seen and (taken or not path.name.startswith(".")):
                seen.add(path)
                yield Log(path, taken["name"] if taken else path.name, found.st_size, found.st_mtime)


def take(log: Log) -> Path:
    """Give the log a name that no rotation touches. What is written to it is still written to it."""
    if TAKEN.fullmatch(log.path.name):
        return log.path
    found = log.path.lstat()
    path = log.path.with_name(f".{log.name}.{found.st_ino}-{found.st_mtime_ns}.archiving")
    log.path.rename(path)
    sync_folder(path.parent)
    return path


@contextmanager
def opened(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The file by its handle, so that it stays the same one whoever owns the folder; no link is followed."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        yield Path(f"/proc/self/fd/{handle}"), os.fstat(handle)
    finally:
        os.close(handle)
