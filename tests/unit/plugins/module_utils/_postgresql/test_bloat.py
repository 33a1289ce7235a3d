# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which figures of a table or an index lead to which statement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.bloat import Act, Index, Limits, Table, decide, needed, waste_after_vacuum

MIB = 2**20
LIMITS = Limits()
WELL = Table(("shop", "orders"), 100 * MIB, 100_000, 0, 0, True, 5.0)
KEY = Index(("shop", "orders_pkey"), WELL.name, 20 * MIB, 0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (WELL, None),
        (replace(WELL, dead=25_000), "VACUUM (TRUNCATE false) {}"),
        (replace(WELL, dead=24_999), None),
        (replace(WELL, dead=25_000, bytes=30 * MIB), None),  # too small to be worth it
        (replace(WELL, changed=10_000), "ANALYZE {}"),
        (replace(WELL, changed=9_999), None),
        (replace(WELL, changed=10_000, live=200_000), None),
        (replace(WELL, changed=10_000, live=200_000, analyzed=False), "ANALYZE {}"),
        (replace(WELL, live=0, analyzed=False), None),
        (replace(WELL, age_percent=75.0), "VACUUM (FREEZE, TRUNCATE false) {}"),
        (replace(WELL, age_percent=74.9), None),
        (replace(WELL, age_percent=80.0, dead=50_000, changed=50_000), "VACUUM (FREEZE, TRUNCATE false, ANALYZE) {}"),
    ],
)
def test_a_table(table: Table, words: str | None) -> None:
    acts, left = decide([table], [], LIMITS)
    assert [act.words for act in acts] == ([words] if words else []) and left == []
    acts, left = decide([replace(table, ours=False)], [], LIMITS)
    assert acts == [] and ["belongs to somebody else" in line for line in left] == ([True] if words else [])


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (KEY, None),
        (replace(KEY, waste=8 * MIB), "REINDEX INDEX CONCURRENTLY {}"),
        (replace(KEY, waste=8 * MIB - 1), None),
        (replace(KEY, waste=8 * MIB, bytes=21 * MIB), None),
        (replace(KEY, waste=None), None),
        (replace(KEY, name=("shop", "orders_pkey_ccnew1"), valid=False), "DROP INDEX CONCURRENTLY IF EXISTS {}"),
        (replace(KEY, name=("shop", "orders_pkey_ccold"), valid=False), "DROP INDEX CONCURRENTLY IF EXISTS {}"),
        (replace(KEY, name=("shop", "orders_pkey_ccnew"), valid=False, building=True), None),
        (replace(KEY, name=("shop", "orders_pkey_ccnew")), None),  # somebody's own name
    ],
)
def test_an_index(index: Index, words: str | None) -> None:
    acts, left = decide([WELL], [index], LIMITS)
    assert [act.words for act in acts] == ([words] if words else []) and left == []
    acts, left = decide([WELL], [replace(index, ours=False)], LIMITS)
    assert acts == [] and ["somebody else" in line for line in left] == ([True] if words else [])


def test_what_people_decide() -> None:
    assert "its CREATE INDEX CONCURRENTLY broke off" in decide([], [replace(KEY, valid=False)], LIMITS)[1][0]
    assert "50 MiB of 100 MiB free" in decide([replace(WELL, free=50 * MIB)], [], LIMITS)[1][0]
    assert decide([replace(WELL, free=49 * MIB)], [], LIMITS) == ([], [])


def test_the_most_urgent_comes_first() -> None:
    old = replace(WELL, name=("shop", "old"), age_percent=90.0)
    dead = replace(WELL, name=("shop", "dead"), dead=100_000)
    leftover = replace(KEY, name=("shop", "x_ccnew"), valid=False)
    acts, _left = decide([WELL, dead, old], [replace(KEY, waste=10 * MIB), leftover], LIMITS)
    assert [act.target[1] for act in acts] == ["x_ccnew", "old", "dead", "orders_pkey"]


def test_a_statement_names_its_figure() -> None:
    assert str(Act("ANALYZE {}", ("shop", "orders"), "why")) == "ANALYZE shop.orders: why"
    assert str(decide([replace(WELL, dead=100_000)], [], LIMITS)[0][0]).endswith("50 % of its rows are dead (limit 20 %), about 50 MiB")


def test_the_size_of_a_new_index() -> None:
    # One bigint: 8 + 8 + 4 bytes a row, 366 rows a page of which 90 % are used; measured on a server: 2196 KiB for 100,000 rows.
    assert needed(100_000, [(8, 8, False)], 90, 8192, nulls=False) == pytest.approx(2196 * 1024, rel=0.03)
    # A bigint behind a boolean is aligned, a short text is not.
    assert needed(100_000, [(1, 1, False), (8, 8, False)], 90, 8192, nulls=False) == needed(100_000, [(8, 8, False), (8, 8, False)], 90, 8192, nulls=False)
    assert needed(100_000, [(1, 1, False), (7, 4, True)], 90, 8192, nulls=False) == needed(100_000, [(8, 8, False)], 90, 8192, nulls=False)
    assert needed(0, [(8, 8, False)], 90, 8192, nulls=False) == 8192


def test_dead_rows_leave_room_in_an_index() -> None:
    assert waste_after_vacuum(100, 10, 50, 50) == 55 and waste_after_vacuum(100, 10, 0, 0) == 10


tables = st.builds(
    Table,
    st.tuples(st.just("shop"), st.text("abc", min_size=1, max_size=3)),
    st.integers(0, 1000 * MIB),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.booleans(),
    st.floats(0, 200),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(tables, unique_by=lambda table: table.name))
def test_what_was_done_is_not_done_again(found: list[Table]) -> None:
    done = {act.target: act.words for act in decide(found, [], LIMITS)[0]}

    def mended(table: Table) -> Table:
        words = done.get(table.name, "")
        after = replace(table, dead=0) if "VACUUM" in words else table
        after = replace(after, age_percent=0.0) if "FREEZE" in words else after
        return replace(after, changed=0, analyzed=True) if "ANALYZE" in words else after

    assert decide([mended(table) for table in found], [], LIMITS)[0] == []
