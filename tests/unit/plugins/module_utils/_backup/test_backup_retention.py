# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention over random histories, and the rules one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import DAY, Candidate, Keep, decide

NOW = 1_800_000_000.0
HISTORIES = st.lists(st.tuples(st.floats(0, 900), st.booleans()), max_size=40).map(
    lambda made: [Candidate(f"b{number:02d}", NOW - age * DAY, proven) for number, (age, proven) in enumerate(made)]
)
RULES = st.builds(
    Keep,
    last=st.integers(0, 5),
    daily=st.integers(0, 5),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 5),
    yearly=st.integers(0, 3),
    within_days=st.floats(0, 60),
    minimum=st.integers(0, 5),
    most=st.integers(0, 10),
)


def removed(history, keep):
    return {decision.backup_id for decision in decide(history, keep, NOW) if not decision.keep}


@given(HISTORIES, RULES)
def test_nothing_is_ever_left_without_a_proven_backup(history, keep):
    gone = removed(history, keep)
    proven = [one for one in history if one.proven]
    left = [one for one in proven if one.backup_id not in gone]
    assert len(left) >= min(len(proven), max(keep.minimum, 1))
    if proven:
        assert max(proven, key=lambda one: (one.taken_at, one.backup_id)) in left
    assert len(gone) <= keep.most


@given(HISTORIES, RULES)
def test_an_unproven_newest_backup_stops_every_removal(history, keep):
    newest = Candidate("newest", NOW + 1, False)
    assert removed([*history, newest], keep) == set()


@given(HISTORIES, RULES)
def test_what_was_decided_once_stays_decided(history, keep):
    unlimited = Keep(**{**vars(keep), "most": len(history)})
    gone = removed(history, unlimited)
    left = [one for one in history if one.backup_id not in gone]
    assert removed(left, unlimited) == set()


@given(HISTORIES, RULES)
def test_every_decision_has_a_reason_and_the_young_are_kept(history, keep):
    decisions = decide(history, keep, NOW)
    assert {decision.backup_id for decision in decisions} == {one.backup_id for one in history}
    assert all(decision.reason for decision in decisions)
    young = {one.backup_id for one in history if NOW - one.taken_at <= keep.within_days * DAY}
    assert not young & removed(history, keep)


def test_grandfather_father_son():
    history = [Candidate(f"{age:04d}", NOW - age * DAY, True) for age in range(800)]
    keep = Keep(daily=7, weekly=4, monthly=12, yearly=3, within_days=0, most=10_000)
    kept = [decision for decision in decide(history, keep, NOW) if decision.keep]
    # 7 days, 3 more weeks, 11 more months, and 2 more years; some of them are the same.
    assert 20 <= len(kept) <= 23
    assert [decision.reason.split()[0] for decision in kept][-7:] == ["daily"] * 7
