# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar expressions of systemd.time(7) as recurrence rules of RFC 5545, so that a schedule is declared once for timers and for AWX.

An expression is a set of values for each field, and so is a rule with FREQ=DAILY: both ask for the weekday and for the date. What a rule
cannot say is an error that names the expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

# Long past, so that no rule waits for it, and always the same, so that a rule stays as it is. No earlier than need be: AWX counts from there.
SINCE = "20260101T000000"

SHORTHANDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    **dict.fromkeys(("semiannually", "semi-annually", "biannually", "bi-annually"), "*-01,07-01 00:00:00"),
    **dict.fromkeys(("yearly", "annually", "anually"), "*-01-01 00:00:00"),
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)+|UTC", re.ASCII)
DATE = re.compile(r"(?:(?P<year>[^-~]+)-)?(?P<month>[^-~]+)(?P<sign>[-~])(?P<day>[^-~]+)")
PART = re.compile(r"(\d{1,2})(?:\.\.(\d{1,2}))?(?:/(\d{1,2}))?", re.ASCII)
# The last day that can be counted from the end: every month has it.
FROM_END = 28


@dataclass(frozen=True)
class Field:
    """One field of an expression, and the part of a rule that it becomes."""

    name: str
    rule: str
    first: int
    last: int


MONTH = Field("month", "BYMONTH", 1, 12)
DAY = Field("day", "BYMONTHDAY", 1, 31)
TIME = (Field("hour", "BYHOUR", 0, 23), Field("minute", "BYMINUTE", 0, 59), Field("second", "BYSECOND", 0, 59))


def rule(expression: str, timezone: str = "UTC") -> str:
    """The rule, as AWX wants it.

    timezone: in which an expression is meant that names none.
    """
    words = SHORTHANDS.get(expression.strip().lower(), expression).split()
    if len(words) > 1 and ZONE.fullmatch(words[-1]):
        timezone = words.pop()
        words = SHORTHANDS.get(words[0].lower(), words[0]).split() + words[1:]
    weekdays = words.pop(0) if words and words[0][0].isalpha() else ""
    date = words.pop(0) if words and ":" not in words[0] else ""
    time = words.pop(0) if words else ""
    if words or not (weekdays or date or time):
        raise _error(expression, "it is not [weekdays] [year-month-day] [hour:minute[:second]] [time zone]")
    parts = {**_date(expression, date), "BYDAY": _weekdays(expression, weekdays), **_time(expression, time)}
    given = "".join(f";{name}={value}" for name, value in parts.items() if value)
    return f"DTSTART;TZID={timezone}:{SINCE} RRULE:FREQ=DAILY;INTERVAL=1{given}"


def _date(expression: str, date: str) -> dict[str, str]:
    if not date:
        return {}
    found = DATE.fullmatch(date)
    if not found:
        raise _error(expression, f"{date} is neither year-month-day nor month-day")
    if found["year"] not in (None, "*"):
        raise _error(expression, f"it names years ({found['year']}), which a repeated rule does not have")
    days = "" if found["day"] == "*" else _joined(_from_end(expression, found["day"]) if found["sign"] == "~" else _values(expression, DAY, found["day"]))
    return {"BYMONTH": _all_or(expression, MONTH, found["month"]), "BYMONTHDAY": days}


def _time(expression: str, time: str) -> dict[str, str]:
    """Each is said, because what a rule leaves out is taken from its start."""
    parts = (time or "00:00").split(":")
    if len(parts) == 2:
        parts.append("00")
    if len(parts) != 3:
        raise _error(expression, f"{time} is not hour:minute or hour:minute:second")
    if "." in parts[2].replace("..", ""):
        raise _error(expression, "it names fractions of a second")
    return {field.rule: _joined(_values(expression, field, part)) for field, part in zip(TIME, parts, strict=True)}


def _weekdays(expression: str, weekdays: str) -> str:
    chosen: set[int] = set()
    for part in weekdays.removesuffix(",").split(",") if weekdays else ():
        ends = [_weekday(expression, name) for name in re.split(r"\.\.|-", part, maxsplit=1)]
        if ends[0] > ends[-1]:
            raise _error(expression, f"{part} ends before it begins; a week begins on Monday")
        chosen.update(range(ends[0], ends[-1] + 1))
    return ",".join(WEEKDAYS[day][:2].upper() for day in sorted(chosen))


def _weekday(expression: str, name: str) -> int:
    for number, weekday in enumerate(WEEKDAYS):
        if name.lower() in (weekday, weekday[:3]):
            return number
    raise _error(expression, f"{name} is no weekday")


def _all_or(expression: str, field: Field, text: str) -> str:
    return "" if text == "*" else _joined(_values(expression, field, text))


def _values(expression: str, field: Field, text: str) -> list[int]:
    if text == "*":
        return list(range(field.first, field.last + 1))
    chosen: set[int] = set()
    for start, stop, step in _parts(expression, field, text, field.last):
        chosen.update(range(start, (field.last if step and stop is None else stop or start) + 1, step or 1))
    return sorted(chosen)


def _from_end(expression: str, text: str) -> list[int]:
    """Days before the end of a month: ~1 is the last one. A repetition goes on towards the end."""
    chosen: set[int] = set()
    for start, stop, step in _parts(expression, DAY, text, FROM_END):
        if stop is None and step >= start:
            raise _error(expression, f"{text} repeats nothing")
        chosen.update(range(-start, 0, step) if step and stop is None else (-day for day in range(start, (stop or start) + 1, step or 1)))
    return sorted(chosen)


def _parts(expression: str, field: Field, text: str, last: int) -> Iterator[tuple[int, int | None, int]]:
    """Start, stop and step of each part; a step of 0 is none."""
    for part in text.split(","):
        found = PART.fullmatch(part)
        if not found:
            raise _error(expression, f"{part} is no {field.name}, range or repetition of one")
        start, stop, step = int(found[1]), int(found[2]) if found[2] else None, int(found[3] or 0)
        if not field.first <= start <= (stop or start) <= last or (found[2] and stop is not None and stop < start):
            raise _error(expression, f"{part} is not between {field.first} and {last}, which a {field.name} has to be here")
        if found[3] and (not step or start + step > last):
            raise _error(expression, f"{part} repeats nothing")
        yield start, stop, step


def _joined(values: list[int]) -> str:
    return ",".join(map(str, values))


def _error(expression: str, why: str) -> OpsError:
    return OpsError(f"The calendar '{expression}' cannot be a schedule of AWX: {why}. See systemd.time(7), 'CALENDAR EVENTS'.", calendar=expression)
