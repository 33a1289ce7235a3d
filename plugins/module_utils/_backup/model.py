# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup is made of. Everything is frozen; what is written to a store converts with ``to_dict`` and ``from_dict``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
UNVERIFIED = "unverified"
PROVEN = "V5"


@dataclass(frozen=True)
class Identity:
    """Whose backup it is. Two databases with similar names never share a key."""

    engine: str
    system_id: str
    database: str


@dataclass(frozen=True)
class ObjectRecord:
    """One stored object. ``name`` is relative to the backup, ``size`` is in bytes.

    members: the files of the dump in a bundle of small ones.
    plain_size, plain_sha256: the content before it was sealed; None when it was not.
    """

    name: str
    size: int
    sha256: str
    members: tuple[str, ...] = ()
    plain_size: int | None = None
    plain_sha256: str | None = None


@dataclass(frozen=True)
class TableTruth:
    """Exact row count and order-independent hash of a table; ``hash`` is None when it was only counted."""

    name: str
    rows: int
    hash: str | None


@dataclass(frozen=True)
class SequenceTruth:
    name: str
    value: int
    called: bool
    increment: int


@dataclass(frozen=True)
class SchemaPart:
    """All objects of one kind: how many, and the hash of their definitions."""

    kind: str
    count: int
    sha256: str


@dataclass(frozen=True)
class DatabaseSettings:
    """What CREATE DATABASE needs so that text sorts and compares as it did. ``provider``: c (libc), i (ICU), b (built in)."""

    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str | None


@dataclass(frozen=True)
class Truth:
    """What the database held in one snapshot. ``taken_at``: the server's clock, ISO 8601 in UTC."""

    taken_at: str
    server_version: int
    settings: DatabaseSettings
    extensions: tuple[str, ...]
    tables: tuple[TableTruth, ...]
    sequences: tuple[SequenceTruth, ...]
    schema: tuple[SchemaPart, ...]
    large_objects: int
    large_objects_hash: str | None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Truth:
        return cls(
            **{
                **data,
                "settings": DatabaseSettings(**data["settings"]),
                "extensions": tuple(data["extensions"]),
                "tables": tuple(TableTruth(**table) for table in data["tables"]),
                "sequences": tuple(SequenceTruth(**sequence) for sequence in data["sequences"]),
                "schema": tuple(SchemaPart(**part) for part in data["schema"]),
            }
        )


@dataclass(frozen=True)
class Manifest:
    """What makes a backup exist: written last, signed, never overwritten. ``lease``: the number of the run among those of its database."""

    format: int
    backup_id: str
    identity: Identity
    started_at: str
    finished_at: str
    tool: str
    compression: str
    objects: tuple[ObjectRecord, ...]
    truth: Truth
    lease: int = 0

    @property
    def size(self) -> int:
        return sum(record.size for record in self.objects)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        return cls(
            **{
                **data,
                "identity": Identity(**data["identity"]),
                "objects": tuple(ObjectRecord(**{**record, "members": tuple(record.get("members", ()))}) for record in data["objects"]),
                "truth": Truth.from_dict(data["truth"]),
            }
        )


@dataclass(frozen=True)
class Verification:
    """The record of one check, kept beside the backup.

    level: what was checked, from V1 (every object is there in its size) to V7 (the user's own questions); each includes those below it.
    verdict: equal, different, or unverified when the check could not run, which proves nothing either way.
    differences: what is wrong, or why it could not run.
    """

    backup_id: str
    at: str
    level: str
    verdict: str
    differences: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verification:
        return cls(**{**data, "differences": tuple(data["differences"])})


@dataclass(frozen=True)
class Hold:
    """Why a backup must stay, whatever the rules say. ``until``: ISO 8601 in UTC, None for as long as nobody releases it."""

    backup_id: str
    reason: str
    owner: str
    placed_at: str
    until: str | None

    def holds(self, now: str) -> bool:
        return self.until is None or self.until > now

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it."""

    key: str
    size: int


@dataclass(frozen=True)
class Versioned:
    """A small object with what names this version of it. ``age``: seconds since it was written, by the store's clock."""

    data: bytes
    etag: str
    age: float


@dataclass(frozen=True)
class TableComparison:
    name: str
    source_rows: int | None
    restored_rows: int | None
    equal: bool


@dataclass(frozen=True)
class Comparison:
    """Two truths side by side. ``differences`` is empty when they are equal."""

    tables: tuple[TableComparison, ...]
    differences: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return "different" if self.differences else "equal"


@dataclass(frozen=True)
class Entry:
    """A backup as the store shows it.

    manifest: None when there is none that can be trusted; ``problem`` then says why.
    problem: None when every object is there in its size.
    """

    backup_id: str
    manifest: Manifest | None
    problem: str | None
    verifications: tuple[Verification, ...]
    hold: Hold | None = None

    @property
    def level(self) -> str:
        """The highest level proven since the last check that found something wrong, or "unverified". A check that could not run changes nothing."""
        proven = UNVERIFIED
        for record in sorted(self.verifications, key=lambda record: record.at, reverse=True):
            if record.verdict == "different":
                break
            if record.verdict == "equal" and (proven == UNVERIFIED or record.level > proven):
                proven = record.level
        return proven

    @property
    def proven(self) -> bool:
        """Whole, and restored equal to its truth: what retention counts as a backup."""
        return self.restorable and self.level != UNVERIFIED and self.level >= PROVEN

    @property
    def restorable(self) -> bool:
        return self.manifest is not None and self.problem is None


@dataclass(frozen=True)
class Database:
    """How to reach a database. The password stays out of ``repr``."""

    host: str
    port: int
    user: str
    name: str
    password: str | None = dataclasses.field(default=None, repr=False)
    ssl_mode: str = "require"
    ca_cert: str | None = None
