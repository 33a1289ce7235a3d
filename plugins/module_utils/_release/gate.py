# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: whether a release that has the traffic may keep it.

It looks at what the proxy counted for the new slot, once in each interval. Where there is too little traffic to tell, it asks the
slot itself as often as is missing. A sample without enough requests is inconclusive, and inconclusive is not success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

# HAProxy's average is the plain mean of so many requests, and fades after them.
WINDOW = 1024


@dataclass(frozen=True)
class Gate:
    """seconds: how long it looks; 0 lets everything pass. interval: seconds between two samples.

    error_rate: percent of answers that may fail. response_ms: what answers may take, as the mean of traffic and as the 95th percentile of probes.
    requests: fewest of a sample that tells anything. failures: bad samples that are forgiven. inconclusive: samples in a row that may tell nothing.
    probe: ask the slot itself where traffic is missing.
    """

    seconds: float = 0.0
    interval: float = 1.0
    error_rate: float = 5.0
    response_ms: float = 500.0
    requests: int = 10
    failures: int = 1
    inconclusive: int = 3
    probe: bool = True


@dataclass(frozen=True)
class Counters:
    """What the proxy counted for a server since it began. mean_ms: of the last ``WINDOW`` answers."""

    requests: int = 0
    errors: int = 0
    mean_ms: float = 0.0


@dataclass(frozen=True)
class Sample:
    """What was seen of a slot since the last sample that told something."""

    requests: int = 0
    errors: int = 0
    mean_ms: float = 0.0
    probes: int = 0
    probe_errors: int = 0
    probe_p95_ms: float = 0.0

    @property
    def error_rate(self) -> float:
        return 100.0 * (self.errors + self.probe_errors) / max(self.requests + self.probes, 1)


# Asks replicas so many times; for each question whether it was answered well, and in how many milliseconds.
Ask = Callable[[int], Sequence[tuple[bool, float]]]


class Watch:
    """One look at a slot after another. count: reads the counters of the slot's servers. note: keeps each sample."""

    def __init__(self, gate: Gate, count: Callable[[], Mapping[str, Counters]], ask: Ask, note: Callable[..., None], clock: Clock) -> None:
        self._gate = gate
        self._count = count
        self._ask = ask
        self._note = note
        self._clock = clock

    def run(self, leave: Callable[[], None]) -> None:
        """Look until the time is over. leave: asked before each look; raises when this run has lost its lease.

        Raises OpsError when the release may not keep the traffic, and says why.
        """
        failed, silent, good, reason = 0, 0, 0, None
        end = self._clock.monotonic() + self._gate.seconds
        baseline = dict(self._count())
        while good + silent + failed == 0 or self._clock.monotonic() < end:
            self._clock.sleep(min(self._gate.interval, max(end - self._clock.monotonic(), 0.0)))
            leave()
            counted = dict(self._count())
            sample = self._sample(baseline, counted)
            reason = objection(self._gate, sample)
            self._note("sample", **asdict(sample), objection=reason)
            if reason is None:
                silent += 1
                if silent > self._gate.inconclusive:
                    raise OpsError(f"The gate saw too few requests {silent} times in a row ({_seen(sample)}; {self._gate.requests} tell something).")
                continue
            baseline, silent = counted, 0
            if reason:
                failed += 1
                if failed > self._gate.failures:
                    raise OpsError(f"The gate saw that {reason} ({_seen(sample)}).")
            else:
                good += 1
        if not good:
            said = f", since {reason}" if reason else ""
            raise OpsError(f"The gate saw no sample that was good in {self._gate.seconds:g} s: {failed} were bad{said}; {silent} told nothing.")

    def _sample(self, before: Mapping[str, Counters], after: Mapping[str, Counters]) -> Sample:
        seen = [between(before.get(name, Counters()), counters) for name, counters in after.items()]
        requests = sum(each.requests for each in seen)
        mean = sum(each.mean_ms * each.requests for each in seen) / max(requests, 1)
        errors = sum(each.errors for each in seen)
        missing = self._gate.requests - requests if self._gate.probe else 0
        probes = self._ask(missing) if missing > 0 else ()
        times = sorted(milliseconds for good, milliseconds in probes if good)
        p95 = times[min(len(times) * 95 // 100, len(times) - 1)] if times else 0.0
        return Sample(requests, errors, round(mean, 1), len(probes), sum(not good for good, _time in probes), round(p95, 1))


def objection(gate: Gate, sample: Sample) -> str | None:
    """What speaks against the release: nothing (empty), or why; None where the sample does not tell."""
    if sample.requests + sample.probes < gate.requests:
        return None
    if sample.error_rate > gate.error_rate:
        return f"{sample.error_rate:.1f} % of the answers failed, more than {gate.error_rate:g} %"
    slow = max(sample.mean_ms, sample.probe_p95_ms)
    return f"answers took {slow:.0f} ms, more than {gate.response_ms:g} ms" if slow > gate.response_ms else ""


def between(before: Counters, after: Counters) -> Counters:
    """What happened between two looks at a server's counters.

    The proxy shows a mean over what it saw before as well. Up to ``WINDOW`` requests that is a plain mean, so the share of the new
    requests follows by subtraction; beyond, each request fades the mean by one part in ``WINDOW``, which is undone the same way.
    """
    if after.requests < before.requests:  # the proxy began to count anew
        return after
    fresh = after.requests - before.requests
    if not fresh:
        return Counters()
    if after.requests <= WINDOW:
        mean = (after.mean_ms * after.requests - before.mean_ms * before.requests) / fresh
    else:
        left = (1 - 1 / WINDOW) ** fresh
        mean = (after.mean_ms - before.mean_ms * left) / (1 - left)
    return Counters(fresh, after.errors - before.errors, max(mean, 0.0))


def _seen(sample: Sample) -> str:
    probes = f", {sample.probes} probes with a 95th percentile of {sample.probe_p95_ms:g} ms" if sample.probes else ""
    return f"{sample.requests} requests with a mean of {sample.mean_ms:g} ms{probes}; {sample.errors + sample.probe_errors} failed"
