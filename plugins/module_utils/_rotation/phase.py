# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a rotation as operations: what would be done, and doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.forecast import forecast
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Rotation, State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.noun import describe
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider, Records, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import Schedule


@dataclass(frozen=True)
class Request:
    """What is asked for. phase: begin, publish, finish, close, back or status. by: who asks."""

    name: str
    phase: str
    consumers: Sequence[str] = ()
    acknowledged: Sequence[tuple[str, str]] = ()
    force: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    by: str = ""


class RotationPhase:
    """An Operation."""

    def __init__(self, request: Request, store: Store, records: Records, provider: Provider, patience: Patience, clock: Clock | None = None) -> None:
        self._request = request
        self._store = store
        self._records = records
        self._clock = clock or Clock()
        self._strategy = provider.strategy
        self._patience = patience
        self._machine = Machine(request.name, store, records, provider, patience, self._clock, request.by)

    def plan(self) -> Plan:
        rotation = self._records.rotation(self._request.name)
        live = rotation if rotation is not None and rotation.live else None
        before = {"state": live.state.value if live else "STEADY", "rotation": live.id if live else None}
        left = self._left(live)
        if not left:
            return Plan("none", before, before)
        if self._request.phase == "back":
            after = "STEADY" if live is not None and live.state.order < State.PUBLISHED.order else State.GRACE.value
            return Plan("back", before, {**before, "state": after})
        last = "STEADY" if left[-1] is State.DESTROYED else left[-1].value
        return Plan("rotate", before, {**before, "state": last}, self._foretold(live, left))

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        if self._request.phase == "begin":
            self._machine.begin(self._request.consumers)
        elif self._request.phase == "back":
            self._machine.back()
        else:
            self._machine.go_on(self._request.phase, self._request.acknowledged)
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        rotation = self._records.rotation(self._request.name)
        return {
            "secret": describe(self._request.name, self._store, self._records, self._request.schedule, self._clock),
            "rotation": rotation.summary() if rotation is not None else None,
            "foretold": list(planned.steps),
        }

    def _foretold(self, live: Rotation | None, left: Sequence[State]) -> tuple[str, ...]:
        consumers = live.consumers if live is not None else self._request.consumers
        waits = {state: self._patience.waits(state) for state in left}
        return forecast(left, self._strategy, consumers, waits, self._records.entries(self._request.name)).sentences()

    def _left(self, live: Rotation | None) -> tuple[State, ...]:
        """The states that this phase would enter."""
        phases = policy.PHASES[self._strategy]
        phase = {**phases, "back": tuple(state for states in phases.values() for state in states), "status": ()}[self._request.phase]
        if live is not None:
            return policy.remaining(live, phase)
        if self._request.phase == "back":
            return ()
        # A phase without the one before it is predicted as well: in a dry run the begin before it wrote nothing.
        told = describe(self._request.name, self._store, self._records, self._request.schedule, self._clock)
        return tuple(phase) if self._request.force or told["due"] else ()
