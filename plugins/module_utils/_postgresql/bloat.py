# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database's tables and indexes need, decided from measured figures. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A page's header and the end that a b-tree keeps for itself; what a tuple has beside its columns; how each is aligned.
PAGE_OVERHEAD, TUPLE_HEADER, POINTER, ALIGNMENT = 40, 8, 4, 8
# Up to here a value of variable length has a header of one byte, and is not aligned.
SHORT = 127
# What REINDEX CONCURRENTLY calls its second index, until it takes the place of the first and after that.
LEFTOVER = re.compile(r"_cc(new|old)\d*$")

Name = tuple[str, str]


@dataclass(frozen=True)
class Limits:
    """From when on something is done. Percentages, but for rows and MiB.

    dead: rows of a table that nobody sees any more. changed: rows since the planner's statistics were made, and at least so many.
    age: of the transactions after which the server itself would freeze a table, whatever else it does (autovacuum_freeze_max_age).
    bloat: of an index that a new one would not need. min_mib: what there has to be to gain.
    """

    dead: float = 20
    changed: float = 10
    changed_rows: int = 10_000
    age: float = 75
    bloat: float = 40
    min_mib: float = 8


@dataclass(frozen=True)
class Table:
    """free: bytes within it that are used by nothing, None where nobody measured them. ours: whether we may work on it."""

    name: Name
    bytes: int
    live: int
    dead: int
    changed: int
    analyzed: bool
    age_percent: float
    free: int | None = None
    ours: bool = True

    @property
    def dead_percent(self) -> float:
        return _percent(self.dead, self.live + self.dead)

    @property
    def dead_mib(self) -> float:
        return self.bytes * self.dead_percent / 100 / 2**20

    @property
    def changed_percent(self) -> float:
        return 100.0 if not self.analyzed and self.changed else min(_percent(self.changed, self.live), 100.0)


@dataclass(frozen=True)
class Index:
    """waste: bytes that a new one would not need, None where that cannot be told. building: somebody is making it right now."""

    name: Name
    table: Name
    bytes: int
    waste: int | None = None
    valid: bool = True
    building: bool = False
    ours: bool = True

    @property
    def bloat_percent(self) -> float:
        return _percent(self.waste or 0, self.bytes)

    @property
    def leftover(self) -> bool:
        return not self.valid and not self.building and LEFTOVER.search(self.name[1]) is not None


@dataclass(frozen=True)
class Act:
    """One statement. words: around the name of its target. why: with the figure that led to it."""

    words: str
    target: Name
    why: str

    def __str__(self) -> str:
        return f"{self.words.format(shown(self.target))}: {self.why}"


def decide(tables: Sequence[Table], indexes: Sequence[Index], limits: Limits) -> tuple[list[Act], list[str]]:
    """What to do, the most urgent first, and what is over a limit and left to people."""
    acts: list[Act] = []
    left: list[str] = []
    for index in (each for each in indexes if not each.valid and not each.building):
        if not index.leftover:
            left.append(f"{shown(index.name)} is invalid and takes writes for nothing: its CREATE INDEX CONCURRENTLY broke off. REINDEX or drop it.")
        elif index.ours:
            acts.append(Act("DROP INDEX CONCURRENTLY IF EXISTS {}", index.name, f"left behind by a REINDEX that broke off, {_mib(index.bytes)}"))
        else:
            left.append(f"{shown(index.name)} is invalid, left behind by a REINDEX that broke off, and belongs to somebody else.")
    for table in sorted(tables, key=lambda each: (-each.age_percent if _old(each, limits) else 0, -each.dead_mib, each.name)):
        act = _of_table(table, limits)
        if act and table.ours:
            acts.append(act)
        elif act:
            left.append(f"{act} - it belongs to somebody else, who has to do it.")
        if table.free is not None and table.free / 2**20 >= limits.min_mib and _percent(table.free, table.bytes) >= 50:
            left.append(f"{shown(table.name)} has {_mib(table.free)} of {_mib(table.bytes)} free for new rows; only VACUUM FULL, which locks it, returns them.")
    for index in sorted(indexes, key=lambda each: -(each.waste or 0)):
        if index.valid and (index.waste or 0) / 2**20 >= limits.min_mib and index.bloat_percent >= limits.bloat:
            act = Act("REINDEX INDEX CONCURRENTLY {}", index.name, f"{index.bloat_percent:.0f} % of {_mib(index.bytes)} are bloat (limit {limits.bloat:g} %)")
            if index.ours:
                acts.append(act)
            else:
                left.append(f"{act} - it belongs to somebody else, who has to do it.")
    return acts, left


def _old(table: Table, limits: Limits) -> bool:
    return table.age_percent >= limits.age


def _of_table(table: Table, limits: Limits) -> Act | None:
    why = []
    if _old(table, limits):
        why.append(f"its age is {table.age_percent:.0f} % of what the server allows (limit {limits.age:g} %)")
    if table.dead_percent >= limits.dead and table.dead_mib >= limits.min_mib:
        why.append(f"{table.dead_percent:.0f} % of its rows are dead (limit {limits.dead:g} %), about {table.dead_mib:.0f} MiB")
    stale = table.changed >= limits.changed_rows and table.changed_percent >= limits.changed
    if stale and table.analyzed:
        why.append(f"{table.changed_percent:.0f} % of its rows changed since statistics were made (limit {limits.changed:g} %)")
    elif stale:
        why.append(f"no statistics were made of its {table.live} rows")
    if not why:
        return None
    # To truncate a table it is locked for everybody; its space stays for its new rows.
    options = [*(["FREEZE"] if _old(table, limits) else []), "TRUNCATE false", *(["ANALYZE"] if stale else [])]
    words = "ANALYZE {}" if stale and len(why) == 1 else f"VACUUM ({', '.join(options)}) {{}}"
    return Act(words, table.name, "; ".join(why))


def needed(rows: float, columns: Iterable[tuple[int, int, bool]], fillfactor: int, page: int, nulls: bool) -> int:
    """Bytes that a new b-tree of so many rows would have. Values that repeat are stored once since PostgreSQL 13, so this is rather too much.

    columns: for each its average width, its alignment, and whether its length varies.
    """
    width = 0
    for average, alignment, varies in columns:
        width = (width if varies and average < SHORT else _aligned(width, alignment)) + average
    tuple_bytes = _aligned(TUPLE_HEADER, ALIGNMENT) + (ALIGNMENT if nulls else 0) + _aligned(width, ALIGNMENT) + POINTER
    a_page = max((page - PAGE_OVERHEAD) * fillfactor // 100 // tuple_bytes, 1)
    pages = level = -(-int(rows) // a_page)
    while level > 1:
        level = -(-level // a_page)
        pages += level
    return (pages + 1) * page


def waste_after_vacuum(size: int, waste: int, live: int, dead: int) -> int:
    """Dead rows have entries in an index until VACUUM, and leave room behind: it is decided once, for both."""
    return size - int((size - waste) * (live / (live + dead) if live + dead else 1))


def shown(name: Name) -> str:
    return ".".join(name)


def _aligned(width: int, to: int) -> int:
    return -(-width // to) * to


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0
