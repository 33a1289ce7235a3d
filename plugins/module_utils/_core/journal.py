# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An append-only journal: intent before the act, outcome after it, each line chained to the one before.

A line is JSON with ``seq``, ``at`` (seconds since the epoch), ``kind``, the caller's fields, ``previous`` and ``hash``
(SHA-256 of the line without ``hash``). It never holds a secret: callers pass fingerprints.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

GENESIS = "0" * 64
TAIL = 65536


class Journal:
    """One journal file, mode 0600, written by one process at a time (its owner holds a lease or a lock)."""

    def __init__(self, path: str | Path, clock: Clock | None = None) -> None:
        self._path = Path(path)
        self._clock = clock or Clock()

    def read(self) -> list[dict[str, Any]]:
        """Every entry, oldest first, with the chain checked.

        A last line cut short by a crash is not an entry: its writer never saw it succeed.
        Raises OpsError when an entry was changed or removed.
        """
        if not self._path.exists():
            return []
        whole, _cut, _rest = self._path.read_bytes().rpartition(b"\n")
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise OpsError(f"Line {number} of the journal {self._path} is not JSON: it was damaged.", journal=str(self._path), line=number) from error
        return chain(entries, str(self._path))

    def append(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Write one entry and return it once it is on disk."""
        last = self._last()
        entry = following(last, kind, self._clock.now(), fields)
        line = json.dumps(entry, sort_keys=True).encode() + b"\n"
        self._drop_cut_line()
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        if not last:
            sync_folder(self._path.parent)
        return entry

    def _last(self) -> dict[str, Any] | None:
        """The newest entry. Most appends need no more of a journal that may be long; the chain before it is checked by ``read``."""
        try:
            with open(self._path, "rb") as stream:
                stream.seek(max(stream.seek(0, os.SEEK_END) - TAIL, 0))
                lines = stream.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        try:
            entry: dict[str, Any] = json.loads(lines[-1])
            if entry["hash"] == _digest(entry):
                return entry
        except (IndexError, ValueError, KeyError, TypeError):
            pass
        entries = self.read()  # damaged, which this says, or longer than the tail
        return entries[-1] if entries else None

    def _drop_cut_line(self) -> None:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.truncate(self._path, end)


def following(last: Mapping[str, Any] | None, kind: str, now: float, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The entry that comes after ``last``, None for the first one."""
    entry: dict[str, Any] = {
        "seq": last["seq"] + 1 if last else 1,
        "at": round(now, 3),
        "kind": kind,
        **fields,
        "previous": last["hash"] if last else GENESIS,
    }
    return {**entry, "hash": _digest(entry)}


def chain(entries: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The entries, if each continues the one before it."""
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        if entry.get("previous") != previous or entry.get("hash") != _digest(entry):
            raise OpsError(
                f"Line {number} of the journal {where} does not continue the chain: it was changed, or one before it was removed.", journal=where, line=number
            )
        previous = entry["hash"]
    return entries


def _digest(entry: Mapping[str, Any]) -> str:
    body = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
