# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for AWX mean what systemd makes of the same calendar: its own program is asked."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.oncalendar import SHORTHANDS, rule

ROOT = Path(__file__).parents[5]
VARIABLES = yaml.safe_load((ROOT / "roles" / "maintenance" / "vars" / "main.yml").read_text())
DECLARED = sorted({task["calendar"] for catalog in ("__maintenance_catalog", "__maintenance_playbook_catalog") for task in VARIABLES.get(catalog, {}).values()})
BASE = datetime.datetime(2026, 1, 2, 12, 0, 1, tzinfo=datetime.UTC)
ITERATIONS = 12
UNTIL = "2056-01-01 00:00:00"  # a day that never comes is looked for until then
WRITTEN = re.compile(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC$", re.MULTILINE)

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def by_systemd(*expressions: str) -> list[list[str]]:
    """When systemd says that each occurs next."""
    command = ["systemd-analyze", "calendar", f"--iterations={ITERATIONS}", f"--base-time={BASE:%Y-%m-%d %H:%M:%S} UTC", *expressions]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})
    answers = done.stdout.split("Normalized form:")[1:]
    assert len(answers) == len(expressions), done.stdout
    return [[moment for moment in WRITTEN.findall(answer) if moment < UNTIL] for answer in answers]


def by_rule(text: str) -> list[str]:
    rules = rrulestr(f"{text};UNTIL={UNTIL.replace('-', '').replace(':', '').replace(' ', 'T')}Z")
    return [f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S}" for moment in rules.xafter(BASE, count=ITERATIONS)]


def numbers(first: int, last: int, *, every: bool = True, backwards: bool = False) -> st.SearchStrategy[str]:
    """Lists of values, ranges and repetitions. backwards: counted from the end, which a repetition goes on to."""

    @st.composite
    def part(draw: st.DrawFn) -> str:
        start = draw(st.integers(first, last))
        room = min(start - 1, last - start) if backwards else last - start
        kind = draw(st.sampled_from(("value", "range", "repetition", "both")))
        stop = f"..{draw(st.integers(start, last))}" if kind in ("range", "both") else ""
        step = f"/{draw(st.integers(1, room))}" if kind in ("repetition", "both") and room else ""
        return f"{start:02}{stop}{step}"

    # systemd 252 refuses most lists of days from the end.
    chains = st.lists(part(), min_size=1, max_size=1 if backwards else 3).map(",".join)
    return st.just("*") | chains if every else chains


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@st.composite
def weekdays(draw: st.DrawFn) -> str:
    first = draw(st.integers(0, 6))
    return draw(st.sampled_from((DAYS[first], f"{DAYS[first]}..{DAYS[draw(st.integers(first, 6))]}", f"{DAYS[first]},{DAYS[draw(st.integers(0, 6))]}")))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    day = draw(st.tuples(st.just("-"), numbers(1, 31)) | st.tuples(st.just("~"), numbers(1, 28, every=False, backwards=True)))
    date = f"*-{draw(numbers(1, 12))}{''.join(day)}"
    time = f"{draw(numbers(0, 23))}:{draw(numbers(0, 59))}:{draw(st.sampled_from(('00', '7', '10,50', '0/20', '3..5', '5..50/15')))}"
    return f"{draw(st.just('') | weekdays())} {date} {time}".strip()


@systemd
@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(expressions(), min_size=6, max_size=6))
def test_random_calendars_mean_the_same(calendars: list[str]) -> None:
    for calendar, expected in zip(calendars, by_systemd(*calendars), strict=True):
        assert by_rule(rule(calendar)) == expected, calendar


@systemd
def test_shorthands_and_the_calendars_of_the_role_mean_the_same() -> None:
    calendars = [
        *SHORTHANDS,
        *DECLARED,
        "*:0/15",
        "Mon, 03:00",
        "sunday *-*~1 1:2:3",
        "12-24",
        "*-*~5,3",
        "*-*~12..15/2",
        "Mon..Fri",
        "*-*-* 03:00 UTC",
        "daily UTC",
    ]
    for calendar, expected in zip(calendars, by_systemd(*calendars), strict=True):
        assert len(expected) == ITERATIONS, calendar
        assert by_rule(rule(calendar)) == expected, calendar


@systemd
def test_a_rule_that_is_an_hour_late_is_seen() -> None:
    """The control."""
    right = rule("Sun *-*-* 03:10")
    [expected] = by_systemd("Sun *-*-* 03:10")
    assert by_rule(right) == expected
    assert by_rule(right.replace("BYHOUR=3", "BYHOUR=4")) != expected
    assert by_rule(right.replace(";BYDAY=SU", "")) != expected


@systemd
def test_a_time_zone_is_kept() -> None:
    [expected] = by_systemd("Mon *-*-* 09:00 America/New_York")
    assert by_rule(rule("Mon *-*-* 09:00 America/New_York", "Europe/Berlin")) == expected
    assert by_rule(rule("Mon *-*-* 09:00", "America/New_York")) == expected
    assert by_rule(rule("Mon *-*-* 09:00", "Europe/Berlin")) != expected


def test_the_rule_as_awx_wants_it() -> None:
    assert rule("Sun *-01,04~07/1 03:10") == (
        "DTSTART;TZID=UTC:20260101T000000 RRULE:FREQ=DAILY;INTERVAL=1;BYMONTH=1,4;BYMONTHDAY=-7,-6,-5,-4,-3,-2,-1;BYDAY=SU;BYHOUR=3;BYMINUTE=10;BYSECOND=0"
    )


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("2027-*-* 03:00", "names years (2027)"),
        ("*-*-* 03:00:01.5", "fractions of a second"),
        ("every now and then", "weekday"),
        ("", "it is not [weekdays]"),
        ("Sat..Mon 03:00", "ends before it begins"),
        ("Fun 03:00", "Fun is no weekday"),
        ("*-13-01", "13 is not between 1 and 12"),
        ("*-*~29", "29 is not between 1 and 28"),
        ("*-*-32", "32 is not between 1 and 31"),
        ("5..2:00", "5..2 is not between 0 and 23"),
        ("24:00", "24 is not between 0 and 23"),
        ("0/30:00", "0/30 repeats nothing"),
        ("*/3:00", "*/3 is no hour"),
        ("1,*:00", "* is no hour"),
        ("1:2:3:4", "is not hour:minute"),
        ("03", "03 is neither"),
        ("@1700000000", "neither"),
        ("*-*-* 03:00 04:00", "it is not [weekdays]"),
        ("03:00 CET", "it is not [weekdays]"),
    ],
)
def test_what_a_rule_cannot_say_is_an_error_that_names_it(expression: str, why: str) -> None:
    with pytest.raises(OpsError) as caught:
        rule(expression)
    assert f"'{expression}'" in caught.value.message and why in caught.value.message
