# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a file system will be full, of bytes and of inodes, from samples of what was used."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

SAMPLES = Path("/var/lib/groundcrew/disk.jsonl")
DAY = 86400.0
# What a forecast is made of: samples of so many days, at least so many, over at least one day.
KEPT_DAYS, FEWEST, SPAN = 30, 4, 1.0
MIN_DAYS = 14
WHAT = {"bytes": ("used", "size"), "inodes": ("inodes_used", "inodes")}

# at, used, size
Point = tuple[float, int, int]


@dataclass(frozen=True)
class Forecast:
    """days: until nothing is left; infinite while it does not become less, None as long as there are too few samples."""

    mount: str
    what: str
    days: float | None

    def __str__(self) -> str:
        return f"{self.mount} has no {'room' if self.what == 'bytes' else 'inodes'} left in about {self.days or 0:.0f} days"


def days_left(points: Sequence[Point]) -> float | None:
    """By the median of the slopes between any two samples: what is rotated, pruned or unpacked once in a while does not turn it around.

    What was used before a file system got another size says nothing of it.
    """
    size = points[-1][2] if points else 0
    points = [point for point in points if point[2] == size]
    if len(points) < FEWEST or points[-1][0] - points[0][0] < SPAN * DAY:
        return None
    slope = median((b[1] - a[1]) / (b[0] - a[0]) for n, a in enumerate(points) for b in points[n + 1 :] if b[0] > a[0])
    return (size - points[-1][1]) / slope / DAY if slope > 0 else math.inf


def forecasts(samples: Sequence[Mapping[str, Any]]) -> list[Forecast]:
    """Of every file system of the newest sample."""
    found = []
    for mount in samples[-1]["file_systems"] if samples else ():
        for what, (used, size) in WHAT.items():
            rows = [(each["at"], each["file_systems"][mount]) for each in samples if mount in each["file_systems"]]
            points = [(at, row[used], row[size]) for at, row in rows]
            if points[-1][2]:  # some kinds of file systems do not count inodes
                found.append(Forecast(mount, what, days_left(points)))
    return found


def soon(found: Iterable[Forecast], min_days: float) -> list[str]:
    return [str(each) for each in sorted(found, key=lambda each: each.days or 0) if each.days is not None and each.days < min_days]


def read(path: Path = SAMPLES) -> list[dict[str, Any]]:
    """The samples, oldest first. A line that a power cut left half is no sample."""
    if not path.exists():
        raise OpsError("nobody took samples of it: the preset disk-forecast of role maintenance does")
    samples = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            samples.append(json.loads(line))
        except ValueError:
            continue
    return sorted(samples, key=lambda each: float(each["at"]))


class Sampling:
    """An operation: take a sample, and fail when a file system will be full too soon."""

    def __init__(self, params: Mapping[str, Any], file_systems: Iterable[Mapping[str, Any]], clock: Clock | None = None) -> None:
        self._path = Path(params.get("samples") or SAMPLES)
        self._min_days = float(params.get("min_days") or MIN_DAYS)
        self._now = (clock or Clock()).now()
        fields = [field for pair in WHAT.values() for field in pair]
        self._sample: dict[str, Any] = {
            "at": round(self._now),
            "file_systems": {each["mount"]: {field: each[field] for field in fields} for each in file_systems},
        }

    def plan(self) -> Plan:
        return Plan("sample", None, self._sample, (f"sample {', '.join(self._sample['file_systems'])}",))

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        before = read(self._path) if self._path.exists() else []
        kept = [each for each in before if self._now - KEPT_DAYS * DAY <= each["at"] < self._now]
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        samples = [*kept, self._sample]
        write_atomic(self._path, "".join(json.dumps(each) + "\n" for each in samples))
        result = self._told(samples)
        late = soon(forecasts(samples), self._min_days)
        if late:
            raise OpsError(f"{'; '.join(late)}. Make room (docs/operations/maintain.md), or make the disk larger.", **result)
        return result

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return self._told([*(read(self._path) if self._path.exists() else []), self._sample])

    def _told(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        found = forecasts(samples)
        days = {f"{each.mount} {each.what}": None if each.days is None or math.isinf(each.days) else round(each.days, 1) for each in found}
        return {"days_left": days, "samples": len(samples)}
