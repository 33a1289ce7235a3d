# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a file system is full, as samples tell it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import DAY, Sampling, days_left, read

GIB = 2**30


def month(used: Callable[[float], float], size: int = 100 * GIB, days: int = 30) -> list[tuple[float, int, int]]:
    """Four samples a day; used: GiB by day."""
    return [(quarter * DAY / 4, int(used(quarter / 4) * GIB), size) for quarter in range(4 * days + 1)]


@pytest.mark.parametrize(
    ("used", "days"),
    [
        (lambda day: 40 + day, 30.0),
        (lambda day: 40 + day + 5 * (day % 1), 30.0),  # logs that are rotated each day
        (lambda day: 40 + day + (20 if 10 < day < 11 else 0), 30.0),  # something was unpacked for a day
        (lambda day: 70.0, math.inf),
        (lambda day: 70 - day, math.inf),
    ],
)
def test_days_left(used: Callable[[float], float], days: float) -> None:
    assert days_left(month(used)) == pytest.approx(days, rel=0.02)


def test_too_few_samples_tell_nothing() -> None:
    assert days_left([]) is None and days_left(month(lambda day: day)[:3]) is None
    assert days_left([(n * 60.0, n * GIB, 100 * GIB) for n in range(20)]) is None, "twenty minutes are no trend"


def test_a_disk_that_was_made_larger_begins_anew() -> None:
    grown = [*month(lambda day: 40 + day), *((at + 31 * DAY, used, 200 * GIB) for at, used, _size in month(lambda day: 70 + day, days=2))]
    assert days_left(grown) == pytest.approx(128, rel=0.02)
    assert days_left(grown[:-6]) is None


class Days(Clock):
    def __init__(self, day: float) -> None:
        self._day = day

    def now(self) -> float:
        return self._day * DAY


def sampled(path: Path, day: float, used: int, inodes_used: int = 10) -> Sampling:
    row = {"mount": "/", "used": used * GIB, "size": 100 * GIB, "inodes_used": inodes_used, "inodes": 1000}
    return Sampling({"samples": str(path)}, [row], Days(day))


def take(sampling: Sampling) -> dict[str, Any]:
    return dict(sampling.apply(sampling.plan()))


def test_samples_are_kept_for_a_month_and_the_run_fails_in_time(tmp_path: Path) -> None:
    path = tmp_path / "lib" / "disk.jsonl"
    for day in range(0, 80):
        told = take(sampled(path, day, 20))
    assert told == {"days_left": {"/ bytes": None, "/ inodes": None}, "samples": 31}
    before = path.read_text()
    foretold = sampled(path, 80, 20)
    assert foretold.result(foretold.plan())["samples"] == 32 and path.read_text() == before, "a check writes nothing"
    path.unlink()
    for day in range(3):
        take(sampled(path, day, 80 + 2 * day))
    with pytest.raises(OpsError, match="/ has no room left in about 7 days") as late:
        take(sampled(path, 3, 86))
    assert late.value.details["days_left"] == {"/ bytes": 7.0, "/ inodes": None} and len(read(path)) == 4
    with pytest.raises(OpsError, match="/ has no inodes left"):
        for day in range(4, 40):
            take(sampled(path, day, 20, 10 + 22 * (day - 3)))


def test_a_line_that_a_power_cut_left_half_is_no_sample(tmp_path: Path) -> None:
    path = tmp_path / "disk.jsonl"
    take(sampled(path, 1, 20))
    path.write_text(path.read_text() + '{"at": 3, "file_sys')
    assert take(sampled(path, 2, 20))["samples"] == 2
    with pytest.raises(OpsError, match="the preset disk-forecast"):
        read(tmp_path / "none")
