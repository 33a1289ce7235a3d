# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of a dump that still grows: how much of it was read, hashed, sealed and sent."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Lock

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import linux, seal
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Upload
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

MIB = 1024 * 1024
# S3 takes 10,000 parts of at least 5 MiB. They become larger with their number, so that a file of 490 GiB fits.
PARTS = ((1000, 8 * MIB), (2000, 16 * MIB), (3000, 32 * MIB), (10_000, 64 * MIB))
SMALLEST_PART = 5 * MIB


class Content:
    """Bytes on their way: hashed as they are, sealed if they are to be, and hashed as they are stored."""

    def __init__(self, sealing: seal.Sealing | None) -> None:
        self.read = 0
        self.stored = 0
        self.sealed = sealing is not None
        self._sealing = sealing
        self._plain = hashlib.sha256()
        self._stored = hashlib.sha256()

    def add(self, data: bytes, last: bool) -> bytes:
        """The bytes to store for these."""
        self.read += len(data)
        self._plain.update(data)
        if self._sealing is not None:
            data = self._sealing.update(data, last)
            self._stored.update(data)
        self.stored += len(data)
        return data

    def record(self, name: str, members: tuple[str, ...] = ()) -> ObjectRecord:
        plain = self._plain.hexdigest()
        if not self.sealed:
            return ObjectRecord(name, self.stored, plain, members)
        return ObjectRecord(name, self.stored, self._stored.hexdigest(), members, self.read, plain)


class File:
    """A file of the dump, and what is under way for it."""

    def __init__(self, path: Path, name: str, sealing: seal.Sealing | None) -> None:
        self.path = path
        self.name = name
        self.content = Content(sealing)
        self.size = 0
        self.parts = 0
        self.waiting = 0
        self.closed = False
        self.all_read = False
        self.began = False
        self.ending = False
        self.upload: Upload | None = None
        self._descriptor: int | None = None
        self._released = False
        self._dropping = Lock()

    @property
    def left(self) -> int:
        return self.size - self.content.read

    @property
    def part(self) -> int:
        """How large the next part is."""
        for number, size in PARTS:
            if self.parts < number:
                return size
        raise OpsError(f"{self.path.name} has more parts than a store takes: a table of more than 490 GiB, compressed, cannot be streamed.")

    def look(self) -> bool:
        """Whether it has grown."""
        if self.all_read:
            return False
        before, self.size = self.size, self.path.stat().st_size
        return self.size != before

    def take(self, length: int) -> bytes:
        """The next bytes, as they are to be stored."""
        with self.path.open("rb") as stream:
            stream.seek(self.content.read)
            data = stream.read(length)
        self.all_read = self.closed and self.content.read + len(data) == self.size
        self.parts += 1
        return self.content.add(data, self.all_read)

    def drop(self, start: int, length: int) -> None:
        """Give the disk space of what is stored back.

        The descriptor stays open: closing it would look as if pg_dump had closed the file. Once it is closed, its number may be another file's.
        """
        with self._dropping:
            if not self._released:
                if self._descriptor is None:
                    self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                linux.punch(self._descriptor, start, length)

    def remove(self) -> None:
        """After its last byte was stored."""
        if self.path.stat().st_size != self.size:
            raise OpsError(f"{self.path.name} was written to after pg_dump had closed it: this backup would not be whole.")
        self.path.unlink()
        self.release()

    def release(self) -> None:
        with self._dropping:
            self._released = True
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
