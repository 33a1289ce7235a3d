# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phase will do, for whom, how long it takes, and what of it is for good. Pure: the time is that of earlier rotations, as their journal tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import State

_STEPS = {
    State.PREFLIGHT: "log in with the current credential, and look whether a second one can be prepared",
    State.CREATED: "keep a new value as pending",
    State.SET: "have it accepted beside the current one",
    State.TESTED: "log in with it, compare the rights of both, and see a wrong password refused",
    State.PUBLISHED: "make it current",
    State.PROPAGATED: "see that every consumer acknowledged it",
    State.GRACE: "wait until no session of the old credential is left",
    State.DISABLED: "disable the old credential (can be undone)",
    State.OBSERVED: "watch the new credential",
    State.DESTROYED: "take the old credential away for good, and see it refused (cannot be undone)",
}
# What both are valid of can be gone back to until the old one is destroyed; a value that has one place is replaced at once.
_FOR_GOOD: Mapping[str, tuple[State, ...]] = {"cutover": (State.PUBLISHED, State.DESTROYED)}


@dataclass(frozen=True)
class Forecast:
    """steps: what is done, by state. took: seconds of each state, of those that were measured. waits: what is waited at least, in seconds."""

    steps: Mapping[State, str]
    consumers: Sequence[str]
    took: Mapping[State, float]
    waits: float
    for_good: Sequence[State]

    @property
    def seconds(self) -> float | None:
        """None while one of the steps was never measured."""
        return round(sum(self.took.values()) + self.waits, 1) if set(self.took) >= set(self.steps) else None

    def sentences(self) -> tuple[str, ...]:
        lines = [f"{state.value}: {what}" + (f" (about {self.took[state]:.1f} s)" if state in self.took else "") for state, what in self.steps.items()]
        waiting = f", {self.waits:g} s of it waiting as it was asked for" if self.waits else ""
        least = f"; waiting alone takes {self.waits:g} s, as it was asked for" if self.waits else ""
        known = f"about {self.seconds:g} s{waiting}, by earlier rotations of it" if self.seconds is not None else f"unknown, it was never measured{least}"
        lines.append(f"Estimated time: {known}. That consumers take to switch is not in it.")
        lines.append(f"Have to acknowledge: {', '.join(self.consumers) or 'nobody, no consumer was named'}.")
        lines.append(f"Cannot be undone: {', '.join(state.value for state in self.for_good) or 'nothing of it'}.")
        return tuple(lines)


def forecast(left: Sequence[State], strategy: str, consumers: Sequence[str], waits: Mapping[State, float], entries: Iterable[Mapping[str, Any]]) -> Forecast:
    """left: the states that are to be entered. waits: what each waits at least. entries: the secret's journal."""
    earlier = _measured(entries)
    return Forecast(
        steps={state: _STEPS[state] for state in left},
        consumers=consumers,
        took={state: round(median(earlier[state]), 1) for state in left if state in earlier},
        waits=sum(waits.get(state, 0.0) for state in left),
        for_good=[state for state in left if state in _FOR_GOOD.get(strategy, (State.DESTROYED,))],
    )


def _measured(entries: Iterable[Mapping[str, Any]]) -> dict[State, list[float]]:
    """Seconds that each state took each time, without the waiting that was asked for then: that may be another one today."""
    took: dict[State, list[float]] = {}
    begun: Mapping[str, Any] | None = None
    for entry in entries:
        if entry["kind"] == "entering":
            begun = entry
        elif entry["kind"] == "completed" and begun is not None and begun["state"] == entry["state"]:
            took.setdefault(State(entry["state"]), []).append(max(entry["at"] - begun["at"] - begun.get("waits", 0.0), 0.0))
    return took
