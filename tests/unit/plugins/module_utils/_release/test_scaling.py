# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many should run: the rules as a table, and what holds for every number of jobs, containers and seconds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaling import Backlog, Band, Queue, Rule, decide

WORKERS = Rule("worker", minimum=1, maximum=10, step=3, cooldown=300, queue=Queue(("orders",), per_worker=50))
WEB = Rule("api", minimum=2, maximum=8, step=2, cooldown=300, signals={"cpu": Band(70, 30), "latency_ms": Band(500, 100)})
LATER = 1000.0


@pytest.mark.parametrize(
    ("current", "backlog", "calm", "wanted"),
    [
        (1, Backlog(0), LATER, 1),
        (1, Backlog(101), LATER, 3),  # 101 jobs are work for three
        (1, Backlog(100), LATER, 1),  # not more than 100: between the bands nothing changes
        (1, Backlog(1000), LATER, 4),  # at most three more at once
        (9, Backlog(1000), LATER, 10),
        (3, Backlog(50, wait=61), 0.0, 4),  # one has waited too long: up at once, whatever was before
        (3, Backlog(50, wait=60), LATER, 3),
        (5, Backlog(9), LATER, 2),  # at most three fewer at once
        (2, Backlog(0), LATER, 1),
        (5, Backlog(9), 299.0, 5),  # the cooldown is not over
        (5, Backlog(10), LATER, 5),  # not fewer than 10
        (5, None, LATER, 5),  # not known: hold
        (0, None, 0.0, 1),  # below the minimum, known or not
        (12, None, 0.0, 10),
    ],
)
def test_workers_follow_the_backlog(current: int, backlog: Backlog | None, calm: float, wanted: int) -> None:
    assert decide(WORKERS, current, backlog, {}, calm).replicas == wanted


@pytest.mark.parametrize(
    ("current", "signals", "calm", "wanted"),
    [
        (2, {"cpu": 50.0, "latency_ms": 200.0}, LATER, 2),
        (2, {"cpu": 71.0, "latency_ms": 50.0}, 0.0, 3),
        (2, {"cpu": 10.0, "latency_ms": 501.0}, 0.0, 3),
        (3, {"cpu": 140.0, "latency_ms": None}, 0.0, 5),  # what is known is enough to go up; two more at most
        (4, {"cpu": 10.0, "latency_ms": None}, LATER, 4),  # and not enough to go down
        (4, {"cpu": None, "latency_ms": None}, LATER, 4),
        (4, {}, LATER, 4),
        (4, {"cpu": 10.0, "latency_ms": 50.0}, LATER, 3),
        (4, {"cpu": 10.0, "latency_ms": 50.0}, 299.0, 4),
        (2, {"cpu": 1.0, "latency_ms": 1.0}, LATER, 2),
    ],
)
def test_replicas_follow_their_signals(current: int, signals: dict[str, float | None], calm: float, wanted: int) -> None:
    assert decide(WEB, current, None, signals, calm).replicas == wanted


def test_a_given_number_is_taken() -> None:
    assert decide(Rule("api", replicas=7, maximum=3), 1, None, {}, 0.0).replicas == 7


counts = st.integers(0, 20)
backlogs = st.one_of(st.none(), st.builds(Backlog, st.integers(0, 5000), st.floats(0, 1000)))
percents = st.one_of(st.none(), st.floats(0, 1000))
pairs = st.fixed_dictionaries({"cpu": percents, "latency_ms": percents})
calms = st.floats(0, 10_000)


@given(counts, backlogs, pairs, calms)
def test_the_number_stays_within_its_bounds_and_steps(current: int, backlog: Backlog | None, signals: dict[str, float | None], calm: float) -> None:
    for rule in (WORKERS, WEB):
        wanted = decide(rule, current, backlog, signals, calm).replicas
        assert rule.minimum <= wanted <= rule.maximum
        if rule.minimum <= current <= rule.maximum:
            assert abs(wanted - current) <= rule.step
            if calm < rule.cooldown:
                assert wanted >= current, "taken away before the cooldown was over"


@given(st.integers(1, 10), st.integers(0, 5000), st.integers(0, 5000), calms)
def test_more_jobs_never_make_fewer_workers(current: int, some: int, more: int, calm: float) -> None:
    few, many = sorted((some, more))
    assert decide(WORKERS, current, Backlog(few), {}, calm).replicas <= decide(WORKERS, current, Backlog(many), {}, calm).replicas


@given(counts, pairs, calms)
def test_what_is_not_known_takes_nothing_away(current: int, signals: dict[str, float | None], calm: float) -> None:
    if WORKERS.minimum <= current <= WORKERS.maximum:
        assert decide(WORKERS, current, None, {}, calm).replicas == current
    if WEB.minimum <= current <= WEB.maximum and None in signals.values():
        assert decide(WEB, current, None, signals, calm).replicas >= current


@given(st.integers(1, 10), st.integers(0, 5000))
def test_the_same_backlog_comes_to_rest(current: int, jobs: int) -> None:
    """Nothing swings: with the same jobs the number goes one way only, and then stays."""
    seen = [current]
    for _round in range(10):
        seen.append(decide(WORKERS, seen[-1], Backlog(jobs), {}, LATER).replicas)
    changes = [after - before for before, after in itertools.pairwise(seen)]
    assert changes[-1] == 0
    assert all(change >= 0 for change in changes) or all(change <= 0 for change in changes)


@given(st.integers(2, 8), st.floats(0, 2000), st.floats(0, 5000))
def test_the_same_work_comes_to_rest(current: int, work: float, latency: float) -> None:
    """The work is shared by the containers, so each that comes or goes changes what the others have to do."""
    seen = [current]
    for _round in range(12):
        seen.append(decide(WEB, seen[-1], None, {"cpu": work / seen[-1], "latency_ms": 0.0}, LATER).replicas)
    assert seen[-1] == seen[-2], seen
