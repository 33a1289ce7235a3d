# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects back to the files of a dump, hashed, opened and compared with the manifest on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import bundle, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Manifest, ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import SUFFIX, Sealer, bound
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


def plain_name(record: ObjectRecord) -> str:
    return record.name.removesuffix(SUFFIX) if record.plain_sha256 else record.name


def plain_size(record: ObjectRecord) -> int:
    return record.size if record.plain_size is None else record.plain_size


def files_of(record: ObjectRecord) -> tuple[str, ...]:
    """The files of the dump that an object holds; none for what is not of the dump."""
    name = plain_name(record)
    return record.members or ((name.removeprefix(policy.DATA),) if name.startswith(policy.DATA) else ())


def read(store: Store, record: ObjectRecord, prefix: str, sealer: Sealer | None, sink: IO[bytes] | None) -> None:
    """Read an object to its end into ``sink``; raise unless it is what the manifest says, as it is stored and as it was before."""
    key = prefix + record.name
    opening = None
    if record.plain_sha256 is not None:
        if sealer is None:
            raise OpsError(f"Object {key} is sealed: give the encryption key that was in use then.", object=key)
        opening = sealer.open(bound(prefix, plain_name(record)))
    stored, plain, size = hashlib.sha256(), hashlib.sha256(), 0

    def take(data: bytes) -> None:
        if opening is not None:
            plain.update(data)
        if sink is not None:
            sink.write(data)

    unopened: OpsError | None = None
    for chunk in store.chunks(key):
        stored.update(chunk)
        size += len(chunk)
        try:
            if unopened is None:
                take(opening.update(chunk) if opening else chunk)
        except OpsError as error:
            unopened = error  # changed, or another key: the hash of all of it says which
    policy.check_object(key, size, stored.hexdigest(), record.size, record.sha256)
    if unopened is not None:
        raise unopened
    if opening is not None:
        take(opening.finish())
    if opening is not None and plain.hexdigest() != record.plain_sha256:
        raise policy.Damaged(f"Object {key} opens to another content than was sealed. Use another backup.", object=key)


def fetch(store: Store, record: ObjectRecord, prefix: str, folder: Path, sealer: Sealer | None) -> None:
    """An object as the files of the dump that it holds, in ``folder``. None of them appears before the whole object has been compared."""
    for name in files_of(record):
        # A signed manifest names only our own files; a name that leaves the folder is not followed whoever signed it.
        if "/" in name or name in ("", ".", ".."):
            raise OpsError(f"The manifest names {name!r}, which lies outside of the backup.", object=record.name)
    path = folder / f".fetched-{record.sha256}"
    try:
        with path.open("wb") as stream:
            read(store, record, prefix, sealer, stream)
        if record.members:
            bundle.unpack(path, record.members, folder)
        else:
            path.rename(folder / files_of(record)[0])
    except OSError as error:
        raise OpsError(f"Cannot write to {folder}: {error.strerror or error}. Free some space, or give another staging folder.") from error
    finally:
        path.unlink(missing_ok=True)


def download(store: Store, manifest: Manifest, prefix: str, folder: Path, sealer: Sealer | None = None) -> None:
    """The whole dump of a backup. Each object is compared with the manifest, and the first that differs ends it."""
    dumped = [record for record in manifest.objects if files_of(record)]
    each(lambda record: fetch(store, record, prefix, folder, sealer), sorted(dumped, key=lambda record: record.size, reverse=True))


def remove(store: Store, prefix: str, names: Iterable[str]) -> None:
    """Delete objects below a prefix."""
    each(lambda name: store.delete(prefix + name), list(names))


def empty_folder(path: Path) -> None:
    """Make a folder that only we can read, without what an earlier attempt left."""
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o700)


def each(act: Callable[[T], R], items: list[T], threads: int = THREADS) -> list[R]:
    """Do it for every item, several at a time; the first error ends it, and what has not begun then never does."""
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(act, items))
    finally:
        pool.shutdown(cancel_futures=True)
