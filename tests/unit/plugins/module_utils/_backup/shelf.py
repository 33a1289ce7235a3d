# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in memory, and backups on it that were never taken."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    FORMAT,
    DatabaseSettings,
    Identity,
    Listed,
    Manifest,
    ObjectRecord,
    TableTruth,
    Truth,
    Verification,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

SIGNER = Signer("0123456789abcdef")
DATA = b"data"
DATA_SHA256 = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
DAY = 86400.0


class Moved(Clock):
    """A clock that stands where a test puts it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.seconds = now

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Shelf:
    """A dictionary with the methods of a store. ``dies_after``: how many deletions succeed before the process is no more."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.dies_after: int | None = None

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def create(self, key: str, data: bytes) -> str:
        if key in self.objects:
            raise OpsError(f"{key} exists")
        self.objects[key] = data
        return "1"

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def get_file(self, key: str, path: Path) -> tuple[int, str]:
        raise AssertionError("no test reads data")

    def listing(self, prefix: str) -> Iterator[Listed]:
        yield from [Listed(key, len(data)) for key, data in sorted(self.objects.items()) if key.startswith(prefix)]

    def folders(self, prefix: str) -> list[str]:
        return sorted({key[len(prefix) :].split("/")[0] for key in self.objects if key.startswith(prefix) and "/" in key[len(prefix) :]})

    def delete(self, key: str) -> None:
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise KeyboardInterrupt
            self.dies_after -= 1
        self.objects.pop(key, None)

    def abort_uploads(self, _prefix: str) -> int:
        return 0


def manifest(identity: Identity, backup_id: str, taken: float, *, size: int = len(DATA), rows: int = 2) -> Manifest:
    at = policy.timestamp(taken)
    settings = DatabaseSettings("shop", "UTF8", "C.UTF-8", "C.UTF-8", "c", None)
    truth = Truth(at, 150020, settings, (), (TableTruth("public.a", rows, "17"),), (), (), 0, None)
    objects = (ObjectRecord("data/toc.dat", size, DATA_SHA256),)
    return Manifest(FORMAT, backup_id, identity, at, policy.timestamp(taken + 60), "pg_dump 15.20", "zstd:1", objects, truth)


def stock(shelf: Any, identity: Identity, taken: float, *, verdict: str | None = "equal", prefix: str = "", seconds: float = 12.5) -> str:
    """Put a backup on the shelf; its id. verdict: None when nobody checked it."""
    backup_id = policy.new_backup_id(taken, secrets.token_hex(4))
    folder = f"{policy.home(prefix, identity)}{backup_id}/"
    shelf.put(f"{folder}data/toc.dat", DATA)
    shelf.put(folder + policy.MANIFEST, SIGNER.seal(manifest(identity, backup_id, taken).to_dict()))
    if verdict is not None:
        record = Verification(backup_id, policy.moment(taken + 600), "V5", verdict, (), seconds)
        Catalogue(shelf, SIGNER, prefix).record(identity, record)
    return backup_id
