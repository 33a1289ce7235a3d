# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a dump, as pg_restore lists it, and in which order and portions it is restored. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Manifest, ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.transfer import files_of, plain_size
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

LINE = re.compile(r"(\d+); \d+ \d+ (.+)")
DEPENDS = re.compile(r";\s+depends on: ([\d ]+)")
DATA_FILE = re.compile(r"(\d+)\.dat")
TABLE_OF_CONTENTS = "toc.dat"
# Entries are restored together until their files have so many bytes: each call of pg_restore connects and reads the table of contents anew.
PORTION = 16 * 1024 * 1024


@dataclass(frozen=True)
class TocEntry:
    """A line of ``pg_restore --list``.

    said: kind, schema, name and owner, which no separator keeps apart.
    depends_on: told with ``--verbose`` only, which leaves no entry out.
    """

    dump_id: int
    said: str
    depends_on: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Portion:
    """What one call of pg_restore restores: objects to have on disk, and entries."""

    records: tuple[ObjectRecord, ...]
    dump_ids: frozenset[int]

    @property
    def size(self) -> int:
        return sum(plain_size(record) for record in self.records)


@dataclass(frozen=True)
class Choice:
    """Schemas and tables (``schema.table``) whose rows are wanted; both empty: all."""

    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def all(self) -> bool:
        return not self.schemas and not self.tables

    def of(self, manifest: Manifest) -> frozenset[str]:
        """The names of the chosen tables. Each wish must mean something."""
        names = {table.name: split_name(table.name) for table in manifest.truth.tables}
        chosen = {name for name, (schema, _table) in names.items() if self.all or schema in self.schemas or name in self.tables}
        unknown = sorted({*self.tables} - names.keys() | ({*self.schemas} - {schema for schema, _table in names.values()}))
        if unknown:
            raise OpsError(f"Backup {manifest.backup_id} has no table {', '.join(unknown)}; it has: {', '.join(sorted(names)[:20])}.", unknown=unknown)
        return frozenset(chosen)


def split_name(name: str) -> tuple[str, str]:
    """Schema and table of a name as the truth writes it."""
    parts = re.fullmatch(r'("(?:[^"]|"")*"|[^".]+)\.("(?:[^"]|"")*"|[^".]+)', name)
    if parts is None:
        raise OpsError(f"{name!r} is no table's name; write schema.table, and in double quotes what is not lower case letters, digits and underscores.")
    schema, table = (part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts.groups())
    return schema, table


def parse(listing: str) -> list[TocEntry]:
    entries: list[TocEntry] = []
    for line in listing.splitlines():
        found, depends = LINE.fullmatch(line), DEPENDS.fullmatch(line.rstrip())
        if found:
            entries.append(TocEntry(int(found[1]), found[2]))
        elif depends and entries:
            last = entries[-1]
            entries[-1] = TocEntry(last.dump_id, last.said, frozenset(map(int, depends[1].split())))
    return entries


def chosen_data(entries: Iterable[TocEntry], tables: Iterable[str]) -> frozenset[int]:
    """The entries with the rows of these tables."""
    wanted = tuple(f"TABLE DATA {schema} {table} ".replace("\n", " ") for schema, table in map(split_name, tables))
    return frozenset(entry.dump_id for entry in entries if entry.said.startswith(wanted))


def left_out(entries: Sequence[TocEntry], chosen: frozenset[int]) -> dict[int, str]:
    """The foreign keys that cannot hold when only some tables have rows: those that touch a table whose rows were not chosen."""
    without_rows = {table for entry in entries if entry.said.startswith("TABLE DATA ") and entry.dump_id not in chosen for table in entry.depends_on}
    return {entry.dump_id: entry.said for entry in entries if entry.said.startswith("FK CONSTRAINT ") and entry.depends_on & without_rows}


@dataclass
class Filling:
    records: list[ObjectRecord] = field(default_factory=list)
    dump_ids: set[int] = field(default_factory=set)
    size: int = 0


def portions(records: Sequence[ObjectRecord], data: Sequence[TocEntry], chosen: frozenset[int]) -> list[Portion]:
    """Objects in portions, the largest first. Large objects are one portion, as one entry reads many files."""
    blobs = Filling()
    blob_ids = {entry.dump_id for entry in data if entry.said.startswith("BLOBS ")}
    found: list[Portion] = []
    filling = Filling()
    for record in sorted(records, key=plain_size, reverse=True):
        files = files_of(record)
        ids = frozenset(int(match[1]) for match in map(DATA_FILE.match, files) if match) & chosen
        if any(name.startswith("blob") for name in files) and blob_ids & chosen:
            blobs.records.append(record)
            blobs.dump_ids |= ids | (blob_ids & chosen)
        elif ids and plain_size(record) >= PORTION:
            found.append(Portion((record,), ids))
        elif ids:
            filling.records.append(record)
            filling.dump_ids |= ids
            filling.size += plain_size(record)
            if filling.size >= PORTION:
                found.append(Portion(tuple(filling.records), frozenset(filling.dump_ids)))
                filling = Filling()
    for rest in (filling, blobs):
        if rest.records:
            found.append(Portion(tuple(rest.records), frozenset(rest.dump_ids)))
    return sorted(found, key=lambda portion: portion.size, reverse=True)
