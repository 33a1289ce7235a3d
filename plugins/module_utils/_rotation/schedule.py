# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a secret is to be rotated: early enough that a failure can be repaired, not all on one day, and in the hours when somebody is there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

MAX_AGE_DAYS = 30.0
SLACK_DAYS = 3.0
JITTER_DAYS = 2.0
DAY = 86400.0
HOUR = 3600.0
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Window:
    """Hours in which rotations may begin, on days of the week, in UTC. begins: seconds after midnight; lasts: seconds, into the next day if need be."""

    days: frozenset[int]
    begins: float
    lasts: float


@dataclass(frozen=True)
class Schedule:
    """max_age_days: from this age on a secret is late. slack_days: rotated this much earlier. jitter_days: and up to this much earlier still."""

    max_age_days: float = MAX_AGE_DAYS
    slack_days: float = SLACK_DAYS
    jitter_days: float = JITTER_DAYS
    windows: tuple[Window, ...] = ()

    def late(self, created: float, now: float) -> bool:
        return now >= self.limit(created)

    def limit(self, created: float) -> float:
        return created + self.max_age_days * DAY

    def next_due(self, created: float, who: str) -> float:
        """When the rotation may begin: at a moment of a window.

        who: names the version, so that the same one always gets the same moment, and a hundred made at once do not.
        Of a limit that is short, slack and jitter take no more than a quarter each.
        """
        quarter = self.max_age_days / 4
        planned_last = self.limit(created) - min(self.slack_days, quarter) * DAY
        planned = planned_last - _share(who) * min(self.jitter_days, quarter) * DAY
        if not self.windows:
            return planned
        then = [max(begin, planned) for begin, end in self._openings(planned, planned_last) if end > planned]
        if then:
            return min(then)
        # The next window would take of the slack: the one before it is early, and in time.
        open_at = [moment for begin, end in self._openings(created, planned_last) if (moment := max(begin, created)) < end]
        return max(open_at, default=planned_last)

    def due(self, created: float, who: str, now: float) -> bool:
        return now >= self.next_due(created, who) and self.open(now)

    def open(self, now: float) -> bool:
        """Whether a rotation may begin now."""
        return not self.windows or any(begin <= now < end for begin, end in self._openings(now, now))

    def _openings(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """Begin and end of every window that is open at a moment between the two."""
        day = (since // DAY - 1) * DAY  # one that began yesterday may be open still
        while day <= until:
            for window in self.windows:
                begin = day + window.begins
                if datetime.fromtimestamp(day, timezone.utc).weekday() in window.days and begin <= until and begin + window.lasts > since:
                    yield begin, begin + window.lasts
            day += DAY


def schedule(max_age_days: float, slack_days: float, jitter_days: float, windows: list[Mapping[str, Any]]) -> Schedule:
    """Raises OpsError for one that cannot be kept."""
    if min(max_age_days, slack_days, jitter_days) < 0:
        raise OpsError("max_age_days, slack_days and jitter_days cannot be negative.")
    return Schedule(max_age_days, slack_days, jitter_days, tuple(_window(each) for each in windows))


def _window(given: Mapping[str, Any]) -> Window:
    begins = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(given.get("begins")))
    named, hours = given.get("days") or [], float(given.get("hours", 0))
    unknown = [day for day in named if day not in WEEKDAYS]
    if begins is None or unknown or not 0 < hours <= 24:
        raise OpsError(f"A window has days of {', '.join(WEEKDAYS)}, begins as HH:MM (UTC, quoted), and more than 0 and at most 24 hours; not {dict(given)}.")
    days = frozenset(WEEKDAYS.index(day) for day in named or WEEKDAYS)
    return Window(days, int(begins[1]) * HOUR + int(begins[2]) * 60, hours * HOUR)


def _share(who: str) -> float:
    """A number of [0, 1) that follows from the name."""
    return int.from_bytes(hashlib.sha256(who.encode()).digest()[:4], "big") / 2**32


def told(moment: float | None) -> str | None:
    """A moment for people, in UTC."""
    return None if moment is None else datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
