# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a secret is due, as tables and properties."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.options import schedule_of
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import DAY, WEEKDAYS, Schedule, schedule, told

PLAIN = Schedule(30, 0, 0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def windowed(*days: str, begins: str = "02:00", hours: float = 4, max_age_days: float = 30, slack_days: float = 3, jitter_days: float = 0) -> Schedule:
    return schedule(max_age_days, slack_days, jitter_days, [{"days": list(days), "begins": begins, "hours": hours}])


@pytest.mark.parametrize(("age", "due"), [(0, False), (29.99, False), (30, True), (31, True), (-5, False)])
def test_due_by_age(age: float, due: bool) -> None:
    assert PLAIN.due(0.0, "v", age * DAY) is due
    assert PLAIN.late(0.0, age * DAY) is due


def test_a_limit_of_nothing_is_always_due() -> None:
    assert Schedule(0).due(0.0, "v", 0.0)


def test_slack_and_jitter_come_before_the_limit_and_are_no_more_than_a_quarter_of_it() -> None:
    assert 25 * DAY < Schedule().next_due(0.0, "v") <= 27 * DAY
    assert 2 * DAY <= Schedule(4, slack_days=30, jitter_days=30).next_due(0.0, "v") <= 3 * DAY


def test_a_hundred_that_were_made_at_once_do_not_come_at_once() -> None:
    moments = {Schedule().next_due(0.0, f"v{number}") for number in range(100)}
    assert len(moments) == 100
    assert max(moments) - min(moments) > 1.5 * DAY
    assert Schedule().next_due(0.0, "v1") == Schedule().next_due(0.0, "v1")


@pytest.mark.parametrize(
    ("created", "chosen", "moment"),
    [
        ("2026-01-01T12:00", windowed("sat", "sun"), "2026-01-25T02:00"),  # planned for Wednesday the 28th; the next window takes of the slack
        ("2026-01-01T12:00", windowed("wed"), "2026-01-28T02:00"),  # the window is over at noon
        ("2026-01-01T12:00", windowed("wed", begins="11:00"), "2026-01-28T12:00"),  # planned within a window
        ("2026-01-01T12:00", windowed("tue", begins="22:00", hours=20), "2026-01-28T12:00"),  # one that began the day before
        ("2026-01-01T12:00", windowed("mon", "wed", jitter_days=2), None),
    ],
)
def test_windows(created: str, chosen: Schedule, moment: str | None) -> None:
    due = chosen.next_due(at(created), "v")
    assert chosen.open(due)
    assert at(created) < due <= at(created) + 27 * DAY
    assert moment is None or told(due) == f"{moment}:00Z"


def test_outside_of_its_windows_nothing_is_due_however_old() -> None:
    nights = windowed("sat")
    assert not nights.due(0.0, "v", at("2026-01-02T03:00"))  # a Friday
    assert nights.due(0.0, "v", at("2026-01-03T03:00"))
    assert not nights.due(0.0, "v", at("2026-01-03T06:00"))
    assert nights.late(0.0, at("2026-01-02T03:00"))


@given(
    created=st.floats(0, 4e9),
    max_age=st.floats(9, 400),
    slack=st.floats(0, 10),
    jitter=st.floats(0, 10),
    days=st.sets(st.sampled_from(WEEKDAYS), min_size=1),
    hour=st.integers(0, 23),
    hours=st.floats(0.1, 24),
    who=st.text(),
)
def test_a_rotation_is_planned_in_a_window_and_leaves_the_slack(
    created: float, max_age: float, slack: float, jitter: float, days: set[str], hour: int, hours: float, who: str
) -> None:
    """A limit of nine days and more holds a window of the week before the slack, which takes a quarter at the most."""
    plan = schedule(max_age + 3, slack, jitter, [{"days": sorted(days), "begins": f"{hour:02}:30", "hours": hours}])
    due = plan.next_due(created, who)
    assert created <= due <= plan.limit(created) - min(slack, plan.max_age_days / 4) * DAY
    assert plan.open(due)
    assert plan.due(created, who, due)


@pytest.mark.parametrize("window", [{"days": ["someday"]}, {"begins": "25:00"}, {"begins": "2"}, {"hours": 0}, {"hours": 25}])
def test_a_window_that_cannot_be_is_refused(window: dict[str, object]) -> None:
    with pytest.raises(OpsError, match="A window has days"):
        schedule(30, 3, 2, [{"days": ["sat"], "begins": "02:00", "hours": 4, **window}])


def test_what_is_negative_is_refused() -> None:
    with pytest.raises(OpsError, match="cannot be negative"):
        schedule(30, -1, 2, [])


GIVEN = {"max_age_days": 30.0, "slack_days": 3.0, "jitter_days": 2.0, "windows": [{"days": ["tue"], "begins": "02:00", "hours": 4.0}]}


def test_a_secret_may_have_a_policy_of_its_own() -> None:
    assert schedule_of(GIVEN) == schedule_of(GIVEN, {"kind": "password", "consumers": ["web-1"]}) == windowed("tue", jitter_days=2)
    assert schedule_of(GIVEN, {"max_age_days": 7, "windows": []}) == Schedule(7)
    assert schedule_of(GIVEN, {"slack_days": "1", "jitter_days": 0, "windows": [{"begins": "22:00", "hours": 8}]}) == windowed(
        *WEEKDAYS, begins="22:00", hours=8, slack_days=1
    )


@pytest.mark.parametrize("own", [{"max_age_days": "a week"}, {"max_age_days": -1}, {"windows": "night"}, {"windows": [{"hours": 4}]}, {"jitter_days": None}])
def test_a_policy_that_cannot_be_kept_is_refused(own: dict[str, Any]) -> None:
    with pytest.raises(OpsError, match=r"cannot be negative|numbers of days|A window has days"):
        schedule_of(GIVEN, own)
