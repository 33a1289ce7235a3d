# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Linux does for a growing folder: tell which files were closed, and give disk space back behind what was read."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

LIBC = ctypes.CDLL(None, use_errno=True)
IN_CLOSE_WRITE, IN_CREATE, IN_Q_OVERFLOW = 0x8, 0x100, 0x4000
IN_NONBLOCK = 0o4000
KEEP_SIZE_AND_PUNCH_HOLE = 0x1 | 0x2
EVENT = struct.Struct("iIII")


class Watch:
    """The files of one folder: which ones appear, and which are closed by who wrote them."""

    def __init__(self, folder: Path) -> None:
        # Who wakes it may be late, and must not write to what another file has become by then.
        self._open = True
        self._closing = Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptor = LIBC.inotify_init1(IN_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0 or LIBC.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_CLOSE_WRITE | IN_CREATE) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OpsError(f"Cannot watch {folder}: {os.strerror(number)}. Raise the sysctl fs.inotify.max_user_instances.")

    def wait(self, seconds: float) -> tuple[set[str], set[str], bool]:
        """Wait for news or for ``wake``, at most so long: the names of new files, of closed ones, and whether some were missed."""
        created: set[str] = set()
        closed: set[str] = set()
        missed = False
        readable, _writable, _errors = select.select([self._descriptor, self._wake_read], [], [], seconds)
        if self._wake_read in readable:
            os.read(self._wake_read, 65536)
        if self._descriptor in readable:
            data, at = os.read(self._descriptor, 65536), 0
            while at < len(data):
                _watch, mask, _cookie, length = EVENT.unpack_from(data, at)
                name = os.fsdecode(data[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0"))
                at += EVENT.size + length
                missed |= bool(mask & IN_Q_OVERFLOW)
                if mask & IN_CREATE:
                    created.add(name)
                if mask & IN_CLOSE_WRITE:
                    closed.add(name)
        return created, closed, missed

    def wake(self) -> None:
        """End a ``wait`` in another thread."""
        with self._closing, suppress(BlockingIOError):
            if self._open:
                os.write(self._wake_write, b"!")

    def close(self) -> None:
        with self._closing:
            self._open = False
            for descriptor in (self._descriptor, self._wake_read, self._wake_write):
                if descriptor >= 0:
                    os.close(descriptor)


def allocated(path: Path) -> int:
    """The bytes that a file takes on disk; 0 for one that is gone."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def punch(descriptor: int, start: int, length: int) -> bool:
    """Give a range's disk space back; the file keeps its size. False where the file system cannot."""
    if LIBC.fallocate(descriptor, KEEP_SIZE_AND_PUNCH_HOLE, ctypes.c_longlong(start), ctypes.c_longlong(length)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EOPNOTSUPP, errno.ENOSYS):
        return False
    raise OpsError(f"Cannot give back disk space in the staging folder: {os.strerror(number)}.")


def can_punch(folder: Path) -> bool:
    """Whether this folder's file system gives space back behind what was read; tried on a small file without a name beside it.

    Not inside: pg_dump may be about to look, and it refuses a folder that is not empty.
    """
    with tempfile.TemporaryFile(dir=folder.parent) as stream:
        stream.write(b"x" * 65536)
        stream.flush()
        return punch(stream.fileno(), 0, 65536) and os.fstat(stream.fileno()).st_blocks == 0
