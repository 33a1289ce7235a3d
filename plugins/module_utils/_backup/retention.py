# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups to keep: pure, in restic's words. Only proven backups are counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0


@dataclass(frozen=True)
class Keep:
    """The union of these is kept. Buckets are in UTC.

    last: so many of the newest. daily, weekly, monthly, yearly: the newest of each of so many such periods. within_days: all that are younger.
    minimum: never fewer proven ones than this. most: never delete more in one run.
    """

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_days: float = 30.0
    minimum: int = 2
    most: int = 50


@dataclass(frozen=True)
class Candidate:
    """A backup as retention sees it. ``taken_at``: seconds since the epoch; ``proven``: whole, and restored equal to its truth by its newest check."""

    backup_id: str
    taken_at: float
    proven: bool


@dataclass(frozen=True)
class Decision:
    backup_id: str
    keep: bool
    reason: str


def decide(candidates: Sequence[Candidate], keep: Keep, now: float) -> list[Decision]:
    """What to do with each backup, and why, oldest first."""
    ordered = sorted(candidates, key=lambda candidate: (candidate.taken_at, candidate.backup_id))
    if not ordered:
        return []
    if not ordered[-1].proven:
        return [Decision(one.backup_id, True, "the newest backup is not proven, so nothing is removed") for one in ordered]
    newest_first = [one for one in reversed(ordered) if one.proven]
    reasons = _wanted(newest_first, keep, now)
    for one in newest_first[: max(keep.minimum, 1)]:
        reasons.setdefault(one.backup_id, "minimum")
    decisions = []
    removed = 0
    for one in ordered:
        reason = reasons.get(one.backup_id) or (_young(one, keep, now) if not one.proven else None)
        if reason is None and removed >= keep.most:
            reason = f"{keep.most} were removed in this run, which is the most"
        removed += reason is None
        decisions.append(Decision(one.backup_id, reason is not None, reason or ("no rule keeps it" if one.proven else "not proven, and newer ones are")))
    return decisions


def _wanted(newest_first: list[Candidate], keep: Keep, now: float) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for one in newest_first[: keep.last]:
        reasons.setdefault(one.backup_id, "last")
    for name, pattern, many in (
        ("daily", "%Y-%m-%d", keep.daily),
        ("weekly", "%G-%V", keep.weekly),
        ("monthly", "%Y-%m", keep.monthly),
        ("yearly", "%Y", keep.yearly),
    ):
        seen: set[str] = set()
        for one in newest_first:
            bucket = time.strftime(pattern, time.gmtime(one.taken_at))
            if bucket not in seen and len(seen) < many:
                seen.add(bucket)
                reasons.setdefault(one.backup_id, f"{name} {bucket}")
    for one in newest_first:
        young = _young(one, keep, now)
        if young:
            reasons.setdefault(one.backup_id, young)
    return reasons


def _young(one: Candidate, keep: Keep, now: float) -> str | None:
    return f"within {keep.within_days:g} days" if now - one.taken_at <= keep.within_days * DAY else None
