# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's arithmetic: what a sample says, and what happened between two looks at counters that average over more."""

from __future__ import annotations

import random

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import WINDOW, Counters, Sample, between, objection

GATE = Gate()


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (Sample(requests=9), None),
        (Sample(requests=10), ""),
        (Sample(requests=100, errors=5), ""),
        (Sample(requests=100, errors=6), "6.0 % of the answers failed, more than 5 %"),
        (Sample(requests=100, mean_ms=500.0), ""),
        (Sample(requests=100, mean_ms=501.0), "answers took 501 ms, more than 500 ms"),
        (Sample(requests=5, probes=5, probe_p95_ms=600.0), "answers took 600 ms, more than 500 ms"),
        (Sample(requests=5, probes=5, probe_errors=5), "50.0 % of the answers failed, more than 5 %"),
    ],
)
def test_what_a_sample_says(sample: Sample, said: str | None) -> None:
    assert objection(GATE, sample) == said


class ProxyAverage:
    """The mean as HAProxy keeps it (swrate_add_dynamic): plain up to its window, fading after."""

    def __init__(self) -> None:
        self.requests, self.total = 0, 0.0

    def add(self, milliseconds: float, times: int) -> None:
        for _each in range(times):
            self.requests += 1
            self.total += milliseconds - (self.total / WINDOW if self.requests > WINDOW else 0.0)

    def counters(self) -> Counters:
        return Counters(self.requests, 0, float(int(self.total / min(self.requests, WINDOW)) if self.requests else 0))


@pytest.mark.parametrize("earlier", [0, 30, 700, 5000])
@pytest.mark.parametrize(("was", "now"), [(900.0, 40.0), (40.0, 900.0), (5.0, 8.0)])
def test_a_releases_own_mean_is_told_from_the_one_before_it(earlier: int, was: float, now: float) -> None:
    proxy = ProxyAverage()
    proxy.add(was, earlier)
    before = proxy.counters()
    proxy.add(now, 60)
    seen = between(before, proxy.counters())
    assert seen.requests == 60
    assert abs(seen.mean_ms - now) < 25, seen
    # The control: the proxy's own number is the other release's.
    if earlier > 60 and was > 500:
        assert proxy.counters().mean_ms > 500


def test_counters_that_began_anew_and_counters_that_stand_still() -> None:
    assert between(Counters(100, 3, 9.0), Counters(4, 1, 2.0)) == Counters(4, 1, 2.0)
    assert between(Counters(100, 3, 9.0), Counters(100, 3, 9.0)) == Counters()


def test_the_mean_of_uneven_answers() -> None:
    proxy, generator = ProxyAverage(), random.Random(7)
    proxy.add(300.0, 2000)
    before = proxy.counters()
    for _each in range(200):
        proxy.add(generator.uniform(10, 90), 1)
    assert abs(between(before, proxy.counters()).mean_ms - 50) < 15
