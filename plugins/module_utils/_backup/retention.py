# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups to keep: pure, in restic's words. Only proven backups are counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0
HOUR = 3600.0


@dataclass(frozen=True)
class Keep:
    """The union of these is kept. Buckets are in UTC.

    last: so many of the newest. hourly, daily, weekly, monthly, yearly: the newest of each of so many such periods that have one.
    within_days: all that are younger. minimum: never fewer proven ones than this. most: never delete more in one run.
    late_hours: nothing is removed when the newest is older; 0 for no such limit.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_days: float = 30.0
    minimum: int = 2
    most: int = 50
    late_hours: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A backup as retention sees it.

    taken_at: seconds since the epoch, by the clock of the server that was backed up.
    proven: whole, and restored equal to its truth since the last check that found something.
    protected: why it is kept whatever the rules say (a hold, somebody else's key, a lock of the store), else None.
    """

    backup_id: str
    taken_at: float
    proven: bool
    protected: str | None = None


@dataclass(frozen=True)
class Decision:
    backup_id: str
    keep: bool
    reason: str


def decide(candidates: Sequence[Candidate], keep: Keep, now: float, *, force: bool = False) -> list[Decision]:
    """What to do with each backup, and why, oldest first.

    force: remove more than ``keep.most`` in this run.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate.taken_at, candidate.backup_id))
    stopped = _stopped(ordered, keep, now)
    if stopped is not None:
        return [Decision(one.backup_id, True, stopped) for one in ordered]
    newest_first = [one for one in reversed(ordered) if one.proven]
    reasons = _wanted(newest_first, keep, now)
    decisions = []
    removed = 0
    for one in ordered:
        why = ([one.protected] if one.protected else []) + reasons.get(one.backup_id, [])
        if not one.proven and _young(one, keep, now):
            why.append(f"not proven, but within {keep.within_days:g} days")
        if not why and removed >= keep.most and not force:
            why = [f"{keep.most} were removed in this run, which is the most"]
        removed += not why
        decisions.append(Decision(one.backup_id, bool(why), ", ".join(why) or ("no rule keeps it" if one.proven else "not proven, and newer ones are")))
    return decisions


def _stopped(ordered: list[Candidate], keep: Keep, now: float) -> str | None:
    """Why nothing at all may go: when new backups fail, the old ones are what there is."""
    if ordered and not ordered[-1].proven:
        return "the newest backup is not proven, so nothing is removed"
    if ordered and keep.late_hours and now - ordered[-1].taken_at > keep.late_hours * HOUR:
        return f"the newest backup is {(now - ordered[-1].taken_at) / HOUR:.0f} hours old and late, so nothing is removed"
    return None


def _wanted(newest_first: list[Candidate], keep: Keep, now: float) -> dict[str, list[str]]:
    """The rules that keep each proven backup."""
    reasons: dict[str, list[str]] = {one.backup_id: [] for one in newest_first}
    for number, one in enumerate(newest_first[: keep.last], start=1):
        reasons[one.backup_id].append(f"last {number}")
    for name, pattern, many in (
        ("hourly", "%Y-%m-%dT%H", keep.hourly),
        ("daily", "%Y-%m-%d", keep.daily),
        ("weekly", "%G-W%V", keep.weekly),
        ("monthly", "%Y-%m", keep.monthly),
        ("yearly", "%Y", keep.yearly),
    ):
        seen: set[str] = set()
        for one in newest_first:
            bucket = time.strftime(pattern, time.gmtime(one.taken_at))
            if bucket not in seen and len(seen) < many:
                seen.add(bucket)
                reasons[one.backup_id].append(f"{name} {bucket}")
    for one in newest_first:
        if _young(one, keep, now):
            reasons[one.backup_id].append(f"within {keep.within_days:g} days")
    for one in newest_first[: max(keep.minimum, 1)]:
        reasons[one.backup_id] = reasons[one.backup_id] or ["minimum"]
    return reasons


def _young(one: Candidate, keep: Keep, now: float) -> bool:
    return keep.within_days > 0 and now - one.taken_at <= keep.within_days * DAY
