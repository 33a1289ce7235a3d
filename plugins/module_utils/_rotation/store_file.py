# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets as encrypted files in a folder of the control node: ``<folder>/<name>.yml``.

Content is encrypted before it touches the disk, a file is replaced as a whole, and what depends on what is stored is
decided under the file's lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import NOT_MET
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder, write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import Journal
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.codec import ROTATIONS, Sealed, checked
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Rotation
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Cipher
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_documents import DocumentStore


class FileStore(DocumentStore):
    """A Store in a folder (created with mode 0700)."""

    def __init__(self, folder: str | Path, cipher: Cipher, suffix: str = ".yml") -> None:
        path = Path(folder).expanduser()
        super().__init__(Folder(path), Sealed(cipher), where=str(path), suffix=suffix)


class Folder:
    """Documents as files. A version is named by the hash of its content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def look(self, key: str) -> Versioned | None:
        try:
            data = (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None
        return Versioned(data, _etag(data), 0.0)

    def create(self, key: str, data: bytes) -> str:
        path = self._folder / key
        with locked(path):
            if path.exists():
                raise OpsError(f"{path} exists.", code=NOT_MET[0])
            write_atomic(path, data, mode=0o600)
        return _etag(data)

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        path = self._folder / key
        with locked(path):
            there = self.look(key)
            if there is None or there.etag != etag:
                return None
            write_atomic(path, data, mode=0o600)
        return _etag(data)

    def delete(self, key: str) -> None:
        path = self._folder / key
        with locked(path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def keys(self, prefix: str) -> Iterator[str]:
        found = (str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file())
        return (key for key in found if key.startswith(prefix))


class FileRecords:
    """Records beside the store: ``<folder>/rotations/<name>.jsonl``."""

    def __init__(self, folder: str | Path, clock: Clock | None = None) -> None:
        self._folder = Path(folder).expanduser() / ROTATIONS
        self._clock = clock or Clock()

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self._folder).with_suffix("")) for path in self._folder.rglob("*.jsonl"))

    def entries(self, name: str) -> list[dict[str, Any]]:
        return self._journal(name).read()

    def rotation(self, name: str) -> Rotation | None:
        return policy.fold(self.entries(name))

    def write(self, name: str, kind: str, **fields: object) -> None:
        make_folder(self._path(name).parent)
        self._journal(name).append(kind, **fields)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        with locked(self._path(name), wait=False):
            yield

    def _journal(self, name: str) -> Journal:
        return Journal(self._path(name), self._clock)

    def _path(self, name: str) -> Path:
        return self._folder / f"{checked(name)}.jsonl"


def make_folder(folder: Path) -> None:
    """Every folder that is made on the way is the owner's alone, which mkdir(parents=True) does not do."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock beside a file; the kernel gives it back when this process ends, however it ends."""
    make_folder(path.parent)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError as error:
        raise OpsError(f"Another run is at work on {path.name} right now. Wait until it has ended, then run again.") from error
    finally:
        os.close(handle)


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
