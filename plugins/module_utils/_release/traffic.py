# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the traffic says of a slot: the proxy's counters, and the slot's own answers where there is too little of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate, Look

# HAProxy's average is the plain mean of so many requests, and fades after them.
WINDOW = 1024


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

    @property
    def slowness(self) -> float:
        return max(self.mean_ms, self.probe_p95_ms)

    def __str__(self) -> str:
        probes = f", {self.probes} probes with a 95th percentile of {self.probe_p95_ms:g} ms" if self.probes else ""
        return f"{self.requests} requests with a mean of {self.mean_ms:g} ms{probes}; {self.errors + self.probe_errors} failed"


@dataclass(frozen=True)
class Side:
    """A slot that is looked at.

    count: reads the counters of its servers. ask: asks its replicas so many times; for each whether it was answered well, and in how many milliseconds.
    """

    count: Callable[[], Mapping[str, Counters]]
    ask: Callable[[int], Sequence[tuple[bool, float]]]


class Traffic:
    """A source for the gate. beside: the slot that has the rest of the traffic, which the new one is compared with."""

    name = "the proxy"

    def __init__(self, gate: Gate, new: Side, beside: Side | None = None) -> None:
        self._gate = gate
        self._sides = [new, *([beside] if beside else [])]
        self._baselines: list[dict[str, Counters]] = []

    def begin(self) -> None:
        self._baselines = [dict(side.count()) for side in self._sides]

    def look(self) -> Look:
        counted = [dict(side.count()) for side in self._sides]
        # Two slots are compared by questions of the same kind, at the same time.
        compared = len(self._sides) > 1
        samples = [self._sample(*each, always=compared) for each in zip(self._sides, self._baselines, counted, strict=True)]
        reason = objection(self._gate, *samples)
        if reason is not None:
            self._baselines = counted
        said = str(samples[0]) + (f"; beside it {samples[1]}" if compared else "")
        return Look(reason, said, {**asdict(samples[0]), **({"beside": asdict(samples[1])} if compared else {})})

    def _sample(self, side: Side, before: Mapping[str, Counters], after: Mapping[str, Counters], *, always: bool) -> Sample:
        seen = [between(before.get(name, Counters()), counters) for name, counters in after.items()]
        requests = sum(each.requests for each in seen)
        mean = sum(each.mean_ms * each.requests for each in seen) / max(requests, 1)
        errors = sum(each.errors for each in seen)
        missing = self._gate.requests - (0 if always else requests) if self._gate.probe else 0
        probes = side.ask(missing) if missing > 0 else ()
        times = sorted(milliseconds for good, milliseconds in probes if good)
        p95 = times[min(len(times) * 95 // 100, len(times) - 1)] if times else 0.0
        return Sample(requests, errors, round(mean, 1), len(probes), sum(not good for good, _time in probes), round(p95, 1))


def objection(gate: Gate, sample: Sample, beside: Sample | None = None) -> str | None:
    """What speaks against the release: nothing (empty), or why; None where the sample does not tell.

    beside: what was seen of the old release in the same time. What is no better there does not speak against the new one.
    """
    if sample.requests + sample.probes < gate.requests:
        return None
    than = f" and more than the {beside.error_rate:.1f} % beside it" if beside else ""
    if sample.error_rate > gate.error_rate and (beside is None or sample.error_rate > beside.error_rate):
        return f"{sample.error_rate:.1f} % of the answers failed, more than {gate.error_rate:g} %{than}"
    than = f" and more than the {beside.slowness:.0f} ms beside it" if beside else ""
    if sample.slowness > gate.response_ms and (beside is None or sample.slowness > beside.slowness):
        return f"answers took {sample.slowness:.0f} ms, more than {gate.response_ms:g} ms{than}"
    return ""


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
