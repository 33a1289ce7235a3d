# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time for a database, whatever host it is on: an object in the store that is held by renewing it.

Nobody's clock but the store's decides how old it is. Each holder has a higher number than the one before. A holder that was away for too long
finds another version than its own when it comes back, and has lost.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import NOT_MET, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

LIFE = 90.0


class Lease:
    """Use as a context. ``tell``, when set, is asked for what else to write into it at each renewal, such as how far the run is."""

    def __init__(self, store: Store, key: str, purpose: str, *, life: float = LIFE) -> None:
        self.number = 0
        self.tell: Callable[[], Mapping[str, Any]] | None = None
        self._store = store
        self._key = key
        self._purpose = purpose
        self._life = life
        self._etag: str | None = None
        self._lock = Lock()
        self._ended = Event()
        self._renewer = Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Lease:
        there = self._store.look(self._key)
        self._etag = self._create() if there is None else self._take_over(there)
        self._renewer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._renewer.join()
        lost = self._etag is None
        # It stays, as released: its number must not begin anew. Should this not reach the store, it runs out by itself.
        if self._etag is not None:
            try:
                lost = self._store.replace(self._key, self._document(released=True), self._etag) is None
            except OpsError:
                if error is None:
                    raise
        # Whoever took it over has removed what this run was writing, which is then what it stumbles over first.
        if lost and isinstance(error, OpsError) and not error.details.get("lost"):
            raise self._gone(error.message) from error

    def require(self) -> None:
        """Raise unless this run holds it, as the store sees it now."""
        with self._lock:
            if self._etag is not None:
                self._etag = self._store.replace(self._key, self._document(), self._etag)
            if self._etag is None:
                raise self._gone()

    def _gone(self, then: str = "") -> OpsError:
        return OpsError(
            f"This run of {self._purpose} was away for more than {self._life:g} s and another one has taken {self._key} over: it is given up. {then}".rstrip(),
            object=self._key,
            lost=True,
        )

    def _create(self) -> str:
        self.number = 1
        try:
            return self._store.create(self._key, self._document())
        except OpsError as error:
            if error.details.get("code") in NOT_MET:
                raise self._held("another host", 0.0) from error
            raise

    def _take_over(self, there: Versioned) -> str:
        try:
            before = json.loads(there.data)
            number, life, owner = int(before["number"]), float(before["life"]), str(before["owner"])
            free = bool(before["released"]) or (before["kernel"] == _kernel() and not Path(f"/proc/{int(before['process'])}").exists())
        except (ValueError, KeyError, TypeError) as error:
            raise OpsError(f"{self._key} is damaged: it is no lease. Delete it unless another run of {self._purpose} goes on.", object=self._key) from error
        if not free and there.age < life:
            raise self._held(owner, life - there.age)
        self.number = number + 1
        etag = self._store.replace(self._key, self._document(), there.etag)
        if etag is None:
            raise self._held("another host", 0.0)
        return etag

    def _held(self, owner: str, left: float) -> OpsError:
        return OpsError(
            f"Another run holds {self._key}: {owner}. Wait for it to end; if it was killed, the lease runs out within {max(left, self._life):.0f} s.",
            object=self._key,
        )

    def _renew(self) -> None:
        while not self._ended.wait(self._life / 3):
            with self._lock:
                if self._etag is None:
                    return
                try:
                    self._etag = self._store.replace(self._key, self._document(), self._etag)
                except OpsError:
                    continue  # the store may be back next time, and ``require`` has the last word

    def _document(self, released: bool = False) -> bytes:
        document: dict[str, Any] = {"owner": f"{socket.gethostname()}, process {os.getpid()}", "kernel": _kernel(), "process": os.getpid()}
        document.update(purpose=self._purpose, number=self.number, life=self._life, released=released)
        if self.tell is not None and not released:
            document.update(self.tell())
        return json.dumps(document).encode() + b"\n"


def _kernel() -> str:
    """Where a process id means the same: this boot of this kernel, in this namespace. A holder of here that is gone need not be waited for."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() + os.readlink("/proc/self/ns/pid")
