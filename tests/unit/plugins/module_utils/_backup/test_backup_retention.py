# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention over random histories, and the rules one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import DAY, Candidate, Decision, Keep, decide

NOW = 1_800_000_000.0
HISTORIES = st.lists(st.tuples(st.floats(0, 900), st.booleans(), st.sampled_from([None, None, None, "held"])), max_size=40).map(
    lambda made: [Candidate(f"b{number:02d}", NOW - age * DAY, proven, protected) for number, (age, proven, protected) in enumerate(made)]
)
RULES = st.builds(
    Keep,
    last=st.integers(0, 5),
    hourly=st.integers(0, 5),
    daily=st.integers(0, 5),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 5),
    yearly=st.integers(0, 3),
    within_days=st.floats(0, 60),
    minimum=st.integers(0, 5),
    most=st.integers(0, 10),
    late_hours=st.sampled_from([0.0, 0.0, 26.0, 1000.0]),
)


def removed(history, keep, decided=decide, **more):
    return {decision.backup_id for decision in decided(history, keep, NOW, **more) if not decision.keep}


def require_the_promises(history, keep, gone):
    """What no rule may break, whatever the history."""
    proven = [one for one in history if one.proven]
    left = [one for one in proven if one.backup_id not in gone]
    assert len(left) >= min(len(proven), max(keep.minimum, 1)), "the last proven ones are gone"
    assert not gone & {one.backup_id for one in history if one.protected}, "a protected one is gone"
    newest = max(history, key=lambda one: (one.taken_at, one.backup_id), default=None)
    assert not gone or (newest and newest.proven), "something is gone although the newest is not proven"


@given(HISTORIES, RULES, st.booleans())
def test_the_last_proven_the_held_and_everything_when_the_newest_is_unproven_stays(history, keep, force):
    gone = removed(history, keep, force=force)
    require_the_promises(history, keep, gone)
    assert force or len(gone) <= keep.most


def by_age(history, keep, now):
    """The rule of most scripts: what is older than so many days goes."""
    return [Decision(one.backup_id, now - one.taken_at <= keep.within_days * DAY, "") for one in history]


@pytest.mark.parametrize("history", [[Candidate("a", NOW - 40 * DAY, True)], [Candidate("a", NOW - 40 * DAY, True, "held"), Candidate("b", NOW, True)]])
def test_without_these_rules_the_promises_are_broken(history):
    """The control: the promises see what goes wrong with a rule by age alone."""
    keep = Keep(minimum=1)
    require_the_promises(history, keep, removed(history, keep))
    with pytest.raises(AssertionError, match="gone"):
        require_the_promises(history, keep, removed(history, keep, decided=by_age))


@given(HISTORIES, RULES)
def test_an_unproven_newest_backup_stops_every_removal(history, keep):
    newest = Candidate("newest", NOW + 1, False)
    assert removed([*history, newest], keep) == set()


@given(HISTORIES, RULES)
def test_what_was_decided_once_stays_decided(history, keep):
    gone = removed(history, keep, force=True)
    left = [one for one in history if one.backup_id not in gone]
    assert removed(left, keep, force=True) == set()


@given(HISTORIES, RULES)
def test_every_decision_has_a_reason_and_the_young_are_kept(history, keep):
    decisions = decide(history, keep, NOW)
    assert {decision.backup_id for decision in decisions} == {one.backup_id for one in history}
    assert all(decision.reason for decision in decisions)
    young = {one.backup_id for one in history if keep.within_days and NOW - one.taken_at <= keep.within_days * DAY}
    assert not young & removed(history, keep)


def test_grandfather_father_son():
    history = [Candidate(f"{age:04d}", NOW - age * DAY, True) for age in range(800)]
    keep = Keep(daily=7, weekly=4, monthly=12, yearly=3, within_days=0, most=10_000)
    kept = [decision for decision in decide(history, keep, NOW) if decision.keep]
    # 7 days, 3 more weeks, 11 more months, and 2 more years; some of them are the same.
    assert 20 <= len(kept) <= 23
    assert [decision.reason.split()[0] for decision in kept][-7:] == ["daily"] * 7


def test_a_late_newest_backup_stops_every_removal():
    history = [Candidate("old", NOW - 300 * DAY, True), Candidate("new", NOW - 2 * DAY, True)]
    assert removed(history, Keep(last=1, minimum=1, within_days=0)) == {"old"}
    decisions = decide(history, Keep(last=1, minimum=1, within_days=0, late_hours=26), NOW)
    assert {(one.keep, one.reason) for one in decisions} == {(True, "the newest backup is 48 hours old and late, so nothing is removed")}


def test_every_rule_that_keeps_a_backup_is_told():
    [decision] = decide([Candidate("a", NOW, True)], Keep(last=1, hourly=1, daily=1, weekly=1, monthly=1, yearly=1), NOW)
    assert decision.reason == "last 1, hourly 2027-01-15T08, daily 2027-01-15, weekly 2027-W02, monthly 2027-01, yearly 2027, within 30 days"


def test_most_is_a_limit_that_force_lifts():
    history = [Candidate(f"{age}", NOW - age * DAY, True) for age in range(10)]
    keep = Keep(last=1, within_days=0, minimum=1, most=3)
    assert removed(history, keep) == {"7", "8", "9"}, "the oldest go first"
    assert len(removed(history, keep, force=True)) == 9
