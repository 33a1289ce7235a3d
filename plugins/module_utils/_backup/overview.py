# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be restored, to when, how long it will take, and how that is known. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import PROVEN, Entry, Identity, Verification
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import DAY, HOUR, Decision

NEWEST = Check("backup.newest_age", "high", "There is a backup that is young enough", "Look why backups do not run any more: systemctl --failed, and failed/.")
AGE = Check(
    "backup.proven_age", "critical", "There is a proven backup that is young enough", "Check the newest backup (verify), and read why the last check failed."
)
WHOLE = Check("backup.whole", "high", "Every backup is there as it was stored", "Find out what changed the objects, and make a new backup.")
DRILL = Check(
    "backup.drill_age", "high", "A restore was tried lately", "Start groundcrew-postgresql-drill.service or groundcrew-redis-drill.service, or run verify."
)
RESTORE = Check("backup.restore_time", "medium", "The last drill kept to its time", "Use more jobs or a faster host, or allow more time.")
LEFT = Check("backup.leftovers", "low", "Nothing is left of runs that were killed", "Run backup or maintain: both remove what no run uses.")


@dataclass(frozen=True)
class Limits:
    """How old backups and the last drill may be, and how long a restore may take. 0 for no limit."""

    newest_hours: float = 26.0
    proven_hours: float = 50.0
    # A quarter has 92 days at the most, and a drill may be late.
    drill_days: float = 100.0
    restore_minutes: float = 0.0


def row(identity: Identity, entry: Entry, decision: Decision | None, drill: tuple[Entry, Verification] | None, now: float) -> dict[str, Any]:
    """A backup in one line of a table."""
    manifest = entry.manifest
    checked = max(entry.verifications, key=lambda record: record.at, default=None)
    own = _drill(entry)
    hold = entry.hold if entry.hold and entry.hold.holds(policy.timestamp(now)) else None
    return {
        "backup_id": entry.backup_id,
        "engine": identity.engine,
        "database": identity.database,
        "system_id": identity.system_id,
        "taken_at": manifest.truth.taken_at if manifest else None,
        "bytes": manifest.size if manifest else None,
        "rows": manifest.truth.rows if manifest else None,
        "tables": len(manifest.truth.tables) if manifest else None,
        "duration_seconds": policy.seconds(manifest.finished_at) - policy.seconds(manifest.started_at) if manifest else None,
        "level": entry.level,
        "verified_at": checked.at if checked else None,
        "verdict": checked.verdict if checked else None,
        "restore_seconds": own.seconds if own else None,
        "expected_restore_seconds": _expected(entry, drill),
        "evidence": _evidence(entry, own, checked),
        "hold": {"reason": hold.reason, "owner": hold.owner, "until": hold.until} if hold else None,
        "retention": dataclasses.asdict(decision) if decision else None,
        "damaged": not entry.restorable,
        "problem": entry.problem,
    }


def database(
    identity: Identity, entries: Sequence[Entry], decisions: Sequence[Decision], orphans: Mapping[str, policy.Found], now: float, limits: Limits
) -> dict[str, Any]:
    """All backups of a database in one line, its rows, and what is wrong."""
    decided = {decision.backup_id: decision for decision in decisions}
    drill = last_drill(entries)
    whole = [entry for entry in entries if entry.restorable]
    newest, proven = (_point(some, now) for some in (whole, [entry for entry in whole if entry.proven]))
    line = {
        "engine": identity.engine,
        "database": identity.database,
        "system_id": identity.system_id,
        "backups": len(entries),
        "proven": sum(entry.proven for entry in entries),
        "damaged": len(entries) - len(whole),
        "held": sum(entry.hold is not None and entry.hold.holds(policy.timestamp(now)) for entry in entries),
        "bytes": sum(entry.manifest.size for entry in entries if entry.manifest),
        "newest": newest,
        "newest_proven": proven,
        "last_drill": {"backup_id": drill[0].backup_id, "at": drill[1].at, "restore_seconds": drill[1].seconds} if drill else None,
        "removable": sum(not decision.keep for decision in decisions),
        "orphans": len(orphans),
        "orphan_bytes": sum(sum(found.objects.values()) for found in orphans.values()),
    }
    rows = [row(identity, entry, decided.get(entry.backup_id), drill, now) for entry in entries]
    return {"line": line, "rows": rows, "findings": [finding.as_dict() for finding in _findings(line, entries, limits, now)]}


def absent(identity: Identity, now: float) -> dict[str, Any]:
    """The line of a database that should have backups and has none, and what is wrong with it."""
    line = database(identity, (), (), {}, now, Limits())["line"]
    return {"line": line, "rows": [], "findings": [AGE.judge(subject(line), False, "it was never backed up").as_dict()]}


def subject(line: Mapping[str, Any]) -> str:
    """Whom a finding is about."""
    return "/".join(part for part in (line["engine"], line["system_id"], line["database"]) if part)


def last_drill(entries: Sequence[Entry]) -> tuple[Entry, Verification] | None:
    """The newest restore that was compared and equal, of whichever backup."""
    drills = [(entry, found) for entry in entries if (found := _drill(entry)) is not None]
    return max(drills, key=lambda drill: drill[1].at, default=None)


def _drill(entry: Entry) -> Verification | None:
    """The restore leaves a record of level V5 with its own time; those above it include what came after."""
    restores = [record for record in entry.verifications if record.level == PROVEN and record.verdict == "equal"]
    return max(restores, key=lambda record: record.at, default=None)


def _expected(entry: Entry, drill: tuple[Entry, Verification] | None) -> float | None:
    """How long a restore will take, by the last drill and the sizes of both."""
    if entry.manifest is None or drill is None or drill[0].manifest is None:
        return None
    return round(drill[1].seconds * entry.manifest.size / max(drill[0].manifest.size, 1), 1)


def _evidence(entry: Entry, drill: Verification | None, checked: Verification | None) -> str:
    if not entry.restorable:
        return f"it cannot be restored: {entry.problem}"
    if checked is None:
        return "its objects are there in their sizes; nobody has restored it"
    if checked.verdict == "different":
        return f"the check of {checked.at} found: {'; '.join(checked.differences[:3])}"
    tried = f"; the check of {checked.at} could not run: {checked.differences[0] if checked.differences else ''}" if checked.verdict == "unverified" else ""
    if drill is not None and entry.proven:
        return f"restored at {drill.at} in {drill.seconds:g} s and equal to its truth ({entry.level}){tried}"
    return f"proven as far as {entry.level}{tried}"


def _point(entries: Sequence[Entry], now: float) -> dict[str, Any] | None:
    newest = max(entries, key=lambda entry: (policy.taken_at(entry), entry.backup_id), default=None)
    if newest is None or newest.manifest is None:
        return None
    taken = newest.manifest.truth.taken_at
    return {
        "backup_id": newest.backup_id,
        "taken_at": taken,
        "age_seconds": round(now - policy.seconds(taken)),
        "bytes": newest.manifest.size,
        "level": newest.level,
        "duration_seconds": policy.seconds(newest.manifest.finished_at) - policy.seconds(newest.manifest.started_at),
    }


def _findings(line: Mapping[str, Any], entries: Sequence[Entry], limits: Limits, now: float) -> Iterator[Finding]:
    whom = subject(line)
    for check, point, hours in ((NEWEST, line["newest"], limits.newest_hours), (AGE, line["newest_proven"], limits.proven_hours)):
        if hours:
            told = f"it was taken at {point['taken_at']}, {point['age_seconds'] / HOUR:.1f} hours ago" if point else "there is none"
            yield check.judge(whom, bool(point) and point["age_seconds"] <= hours * HOUR, f"{told}; the limit is {hours:g} hours")
    damaged = [f"{entry.backup_id}: {entry.problem}" for entry in entries if not entry.restorable]
    yield WHOLE.judge(whom, not damaged, "; ".join(damaged) or f"all {len(entries)} are")
    drill = line["last_drill"]
    if limits.drill_days:
        days = (now - policy.seconds(drill["at"])) / DAY if drill else math.inf
        ago = f"the last was at {drill['at']}, {days:.0f} days ago" if drill else "there was none"
        yield DRILL.judge(whom, days <= limits.drill_days, f"{ago}; the limit is {limits.drill_days:g} days")
    if limits.restore_minutes:
        took = f"the drill of {drill['at']} took {drill['restore_seconds'] / 60:.1f} minutes" if drill else "there was no drill"
        verdict = drill["restore_seconds"] <= limits.restore_minutes * 60 if drill else None
        yield RESTORE.judge(whom, verdict, f"{took}; the limit is {limits.restore_minutes:g}")
    yield LEFT.judge(whom, not line["orphans"], f"{line['orphans']} unfinished runs hold {line['orphan_bytes']} bytes; one of them may be under way")
