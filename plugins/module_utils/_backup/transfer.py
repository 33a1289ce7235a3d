# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders to objects and back, several files at a time, hashed on the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Manifest, ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

T = TypeVar("T")
R = TypeVar("R")
THREADS = 4
RESERVE = 16 * 1024 * 1024


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise before anything is written when a folder cannot hold ``needed`` bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE:
        raise OpsError(
            f"{folder} has {free / 2**20:.0f} MiB free; {what} needs about {(needed + RESERVE) / 2**20:.0f} MiB. Free some, or give another staging folder.",
            free_bytes=free,
            needed_bytes=needed + RESERVE,
        )


def upload(store: Store, folder: Path, prefix: str) -> tuple[ObjectRecord, ...]:
    """Store every file of a dump, largest first; each is removed once it is stored, so the disk drains."""

    def one(path: Path) -> ObjectRecord:
        name = policy.DATA + path.relative_to(folder).as_posix()
        size, sha256 = store.put_file(prefix + name, path)
        path.unlink()
        return ObjectRecord(name, size, sha256)

    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size, reverse=True)
    return tuple(sorted(_each(one, files), key=lambda record: record.name))


def download(store: Store, manifest: Manifest, prefix: str, folder: Path) -> None:
    """Fetch a backup's objects. Each is compared with the manifest, and the first that differs ends it."""

    def one(record: ObjectRecord) -> None:
        path = folder / record.name.removeprefix(policy.DATA)
        # A signed manifest names only our own files; a name that leaves the folder is not followed whoever signed it.
        if not path.resolve().is_relative_to(folder.resolve()):
            raise OpsError(f"The manifest names {record.name!r}, which lies outside of the backup.", object=record.name)
        size, sha256 = store.get_file(prefix + record.name, path)
        policy.check_object(prefix + record.name, size, sha256, record.size, record.sha256)

    _each(one, sorted(manifest.objects, key=lambda record: record.size, reverse=True))


def remove(store: Store, prefix: str, names: Iterable[str]) -> None:
    """Delete objects below a prefix."""
    _each(lambda name: store.delete(prefix + name), list(names))


def empty_folder(path: Path) -> None:
    """Make a folder that only we can read, without what an earlier attempt left."""
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o700)


def _each(act: Callable[[T], R], items: list[T]) -> list[R]:
    pool = ThreadPoolExecutor(THREADS)
    try:
        return list(pool.map(act, items))
    finally:
        # After a failure what has not begun never does.
        pool.shutdown(cancel_futures=True)
