# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and journals as documents, each replaced as a whole if it still is what was read: compare and swap is all that a store has to offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, cast

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import NOT_MET, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import chain, following
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import changes, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.codec import ROTATIONS, checked
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Rotation, Secret, Version

ATTEMPTS = 10


class Documents(Protocol):
    """Small documents under keys; what an object store's conditional writes are, and a key-value store's check-and-set."""

    def look(self, key: str) -> Versioned | None: ...

    def create(self, key: str, data: bytes) -> str:
        """Raises OpsError with one of the codes NOT_MET when it exists; returns what names this version."""

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """None when ``etag`` is not the version that is there."""

    def delete(self, key: str) -> None: ...

    def keys(self, prefix: str) -> Iterator[str]: ...


class Shape(Protocol):
    """How a secret becomes a document."""

    def write(self, secret: Secret) -> bytes: ...

    def read(self, data: bytes, where: str) -> Secret: ...


class DocumentStore:
    """A Store. where: how an operator calls it; prefix and suffix: of each document's key."""

    def __init__(self, documents: Documents, shape: Shape, *, where: str, prefix: str = "", suffix: str = "") -> None:
        self._documents = documents
        self._shape = shape
        self._where = where
        self._prefix = prefix
        self._suffix = suffix

    def names(self) -> list[str]:
        begin, end = len(self._prefix), -len(self._suffix) or None
        found = (key[begin:end] for key in self._documents.keys(self._prefix) if key.endswith(self._suffix))
        return sorted(name for name in found if name.split("/")[0] != ROTATIONS)

    def get(self, name: str) -> Secret | None:
        there = self._documents.look(self._key(name))
        return None if there is None else self._read(name, there)

    def create(self, secret: Secret) -> None:
        try:
            self._documents.create(self._key(secret.name), self._shape.write(secret))
        except OpsError as error:
            if error.details.get("code") in NOT_MET:
                raise OpsError(f"The secret {secret.name} exists already in {self._where}; it is never overwritten.") from error
            raise

    def amend(self, name: str, recipe: Recipe) -> None:
        self._change(name, lambda secret: replace(secret, recipe=recipe))

    def stage(self, name: str, pending: Version) -> None:
        self._change(name, lambda secret: changes.staged(secret, pending))

    def drop_pending(self, name: str, version_id: str) -> None:
        self._change(name, lambda secret: changes.without_pending(secret, version_id))

    def promote(self, name: str, old: str, new: str) -> None:
        self._change(name, lambda secret: changes.promoted(secret, old, new))

    def accept_previous(self, name: str, version_id: str, accepted: bool) -> None:
        self._change(name, lambda secret: changes.with_previous(secret, version_id, accepted))

    def delete(self, name: str) -> None:
        self._documents.delete(self._key(name))

    def _change(self, name: str, change: Callable[[Secret], Secret]) -> None:
        """Decide on what is there, and again when somebody else was faster."""
        for _attempt in range(ATTEMPTS):
            there = self._documents.look(self._key(name))
            if there is None:
                raise OpsError(f"There is no secret {name} in {self._where}.")
            before = self._read(name, there)
            after = change(before)
            if after == before or self._documents.replace(self._key(name), self._shape.write(after), there.etag) is not None:
                return
        raise OpsError(f"The secret {name} was changed by somebody else each of {ATTEMPTS} times: see who else is at work in {self._where}, then run again.")

    def _read(self, name: str, there: Versioned) -> Secret:
        return self._shape.read(there.data, f"{self._key(name)} in {self._where}")

    def _key(self, name: str) -> str:
        return f"{self._prefix}{checked(name)}{self._suffix}"


class DocumentRecords:
    """Records beside the values: a run on any control node finds them, and one lease keeps two of them apart.

    A write proves first that this run still holds the lease, and intent is written before each act: a run that was away for too long acts no more.
    """

    def __init__(self, documents: Documents, prefix: str = "", clock: Clock | None = None) -> None:
        self._documents = documents
        self._prefix = prefix
        self._clock = clock or Clock()
        self._lease: Lease | None = None

    def names(self) -> list[str]:
        folder = f"{self._prefix}{ROTATIONS}/"
        found = (key.removeprefix(folder) for key in self._documents.keys(folder))
        return sorted(name for name in found if not name.startswith(".leases/"))

    def entries(self, name: str) -> list[dict[str, Any]]:
        return self._entries(name, self._documents.look(self._key(name)))

    def rotation(self, name: str) -> Rotation | None:
        return policy.fold(self.entries(name))

    def write(self, name: str, kind: str, **fields: object) -> None:
        if self._lease is not None:
            self._lease.require()
        there = self._documents.look(self._key(name))
        entries = self._entries(name, there)
        entries.append(following(entries[-1] if entries else None, kind, self._clock.now(), fields))
        # One text with a line for each: some stores count the strings of a document.
        data = json.dumps({"journal": "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries)}).encode()
        written = self._documents.create(self._key(name), data) if there is None else self._documents.replace(self._key(name), data, there.etag)
        if written is None:
            raise OpsError(f"Another run wrote to the journal of {name} meanwhile. This one stops here; look how far that one came, then run again.")

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        documents = cast(Store, self._documents)  # a lease asks for no more than documents can do
        with Lease(documents, f"{self._prefix}{ROTATIONS}/.leases/{checked(name)}", f"the rotation of {name}") as self._lease:
            try:
                yield
            finally:
                self._lease = None

    def _entries(self, name: str, there: Versioned | None) -> list[dict[str, Any]]:
        lines = json.loads(there.data)["journal"].splitlines() if there is not None else ()
        return chain([json.loads(line) for line in lines], self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}{ROTATIONS}/{checked(name)}"
