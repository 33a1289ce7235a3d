# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what a process writes: every Python that has this folder on its PYTHONPATH reads this file first.

Nothing is sampled: a file is listed when it is opened for writing, and copied before it is removed, replaced or emptied.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
import threading
from typing import Any

FOLDER = os.environ["WRITTEN_TO"]
_numbers = itertools.count()
_busy = threading.local()  # what the hook opens itself calls it again


def keep(path: Any, folder: int = -1) -> None:
    name = os.path.join(f"/proc/self/fd/{folder}", os.fsdecode(path)) if folder >= 0 else os.fsdecode(path)
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return
        with open(name, "rb") as source, open(f"{FOLDER}/{os.getpid()}-{next(_numbers)}", "wb") as target:
            target.write(os.fsencode(os.path.abspath(name)) + b"\n" + source.read())
    except OSError:
        return  # it is not there, so there is nothing to keep


def opened(path: Any, flags: int) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)) or not flags & (os.O_WRONLY | os.O_RDWR):
        return
    if flags & os.O_TRUNC:
        keep(path)
    with open(f"{FOLDER}/opened-{os.getpid()}", "ab") as listed:
        listed.write(os.fsencode(os.path.abspath(os.fsdecode(path))) + b"\n")


def heard(event: str, given: tuple[Any, ...]) -> None:
    if event not in ("open", "os.remove", "os.rename") or getattr(_busy, "now", False):
        return
    _busy.now = True
    try:
        if event == "open":
            opened(given[0], given[2])
        elif event == "os.remove":
            keep(*given)
        else:
            keep(given[0], given[2])
    finally:
        _busy.now = False


sys.addaudithook(heard)
