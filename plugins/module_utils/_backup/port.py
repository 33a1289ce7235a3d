# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of backups in our words. ``store.py`` speaks S3; tests pass a dictionary with the same methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Listed, Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan

# The codes, in an error's details, with which a store says that the condition of a write was not met.
NOT_MET = ("PreconditionFailed", "412", "ConditionalRequestConflict")


class Store(Protocol):
    """Objects under keys. Every method raises OpsError with the key and what to do next."""

    def check(self) -> None:
        """Read only: the bucket is there and these credentials may list it."""

    def probe(self, prefix: str) -> None:
        """Write, read back, write conditionally, begin and abort a multipart upload, delete: all that a backup will need."""

    def put(self, key: str, data: bytes) -> None:
        """Store a small object."""

    def create(self, key: str, data: bytes) -> str:
        """Store a small object that must not exist yet; what names this version of it."""

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Store a small object in place of the version ``etag``; None when that is not the one that is there."""

    def look(self, key: str) -> Versioned | None:
        """A small object with its version and its age, None if there is none."""

    def upload(self, key: str, stopped: Event | None = None) -> Upload:
        """Begin an object that comes in parts. ``stopped``: once it is set, what is being sent is given up."""

    def put_file(self, key: str, path: Path) -> tuple[int, str]:
        """Store a file; size in bytes and SHA-256 of what was sent."""

    def get(self, key: str) -> bytes | None:
        """A small object, None if there is none."""

    def chunks(self, key: str) -> Iterator[bytes]:
        """An object, piece by piece."""

    def get_file(self, key: str, path: Path) -> tuple[int, str]:
        """Fetch an object into a file; size in bytes and SHA-256 of what arrived."""

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Every object under a prefix, page by page."""

    def folders(self, prefix: str) -> list[str]:
        """The names directly below a prefix that have objects under them."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def abort_uploads(self, prefix: str) -> int:
        """Abort the unfinished multipart uploads under a prefix; how many there were."""


class Upload(Protocol):
    """An object in parts, which several threads may send in any order. Nothing is to be seen before it is complete."""

    def part(self, number: int, data: bytes) -> None:
        """Send a part; the first one is number 1."""

    def complete(self) -> None:
        """Make the parts an object."""

    def abort(self) -> None:
        """Remove the parts."""


class Operation(Protocol):
    """What ``_core.run.perform`` and the command line perform; named here too because the command line has no Ansible."""

    def plan(self) -> Plan:
        """What would be done."""

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        """Do it."""

    def result(self, planned: Plan) -> Mapping[str, Any]:
        """What is returned when nothing is done."""
