# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: whether a release may take traffic, or keep it.

It asks its sources once in each interval. One that speaks against the release makes the sample a bad one. A source that has too little to
go by is inconclusive, and inconclusive is not success: each source has to have seen something good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock


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
class Look:
    """What a source says now. objection: nothing (empty), or what speaks against the release; None where it cannot tell.

    said: what it saw, in words. seen: the same for the journal.
    """

    objection: str | None
    said: str
    seen: Mapping[str, object] = field(default_factory=dict)


class Source(Protocol):
    """The gate's port: something that can tell how a release does."""

    @property
    def name(self) -> str:
        """What a message calls it."""

    def begin(self) -> None:
        """Remember where things stand; what was before is not the release's."""

    def look(self) -> Look:
        """What there is to say of the time since the last look that told something."""


class Watch:
    """One look at all sources after another. note: keeps each of them."""

    def __init__(self, gate: Gate, sources: Sequence[Source], note: Callable[..., None], clock: Clock) -> None:
        self._gate = gate
        self._sources = sources
        self._note = note
        self._clock = clock
        self._silent: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._failed = 0
        self._reason = ""

    def run(self, leave: Callable[[], None]) -> None:
        """Look until the time is over. leave: asked before each look; raises when this run has lost its lease.

        Raises OpsError when the release may not keep the traffic, and says why.
        """
        end = self._clock.monotonic() + self._gate.seconds
        for source in self._sources:
            source.begin()
        looked = False
        while not looked or self._clock.monotonic() < end:
            self._clock.sleep(min(self._gate.interval, max(end - self._clock.monotonic(), 0.0)))
            leave()
            self._look()
            looked = True
        for source in self._sources:
            if not self._good[source.name]:
                said = f", since {self._reason}" if self._reason else ""
                raise OpsError(
                    f"The gate saw no sample of {source.name} that was good in {self._gate.seconds:g} s: {self._failed} were bad{said};"
                    f" {self._silent[source.name]} told nothing."
                )

    def _look(self) -> None:
        bad = []
        for source in self._sources:
            look = source.look()
            self._note("sample", source=source.name, **look.seen, objection=look.objection)
            if look.objection is None:
                self._silent[source.name] += 1
                if self._silent[source.name] > self._gate.inconclusive:
                    raise OpsError(f"The gate has no data from {source.name}, {self._silent[source.name]} times in a row ({look.said}).")
                continue
            self._silent[source.name] = 0
            if look.objection:
                bad.append(f"{look.objection} ({look.said})")
                self._reason = look.objection
            else:
                self._good[source.name] += 1
        if bad:
            self._failed += 1
            if self._failed > self._gate.failures:
                raise OpsError(f"The gate saw that {'; '.join(bad)}.")
