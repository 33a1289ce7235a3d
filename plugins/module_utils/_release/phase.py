# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in phases, for a fleet whose hosts decide together: what the first call prepares, later calls of the same run carry on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import Outcome
from ansible_collections.groundcrew.ops.plugins.module_utils._release.operations import Application, Params
from ansible_collections.groundcrew.ops.plugins.module_utils._release.registry import Connect


class Phase:
    """One phase of a fleet's release on this host, of what the phase ``prepare`` left in progress."""

    def __init__(self, params: Params, connect: Connect) -> None:
        self._params = params
        self._application = Application(params, connect)

    def plan(self) -> Plan:
        pending = self._application.store.read().pending
        before = policy.describe(self._application.active())
        if pending is None:
            return Plan("none", before, before)
        target = before if self._params["phase"] == "revert" else policy.describe(self._application.store.load(pending.target.release))
        return Plan(self._params["phase"], before, target, (f"go on with release {pending.target.release}, which is {pending.state}",))

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        application, phase = self._application, self._params["phase"]
        state = application.store.read()
        previous = state.active.release if state.active else None
        with application.open():
            outcome = (
                application.machine.revert(application.run)
                if phase == "revert"
                else application.machine.advance(application.run, phase, self._params["migrated"])
            )
        return self._told(outcome, previous)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        state = self._application.store.read()
        return self._told(Outcome("planned" if planned.changed else "unchanged"), state.active.release if state.active else None)

    def _told(self, outcome: Outcome, previous: str | None) -> dict[str, Any]:
        state = self._application.store.read()
        occupant = state.pending.target if state.pending else state.active
        if occupant is None:
            return {"release": None, "previous": previous, "verdict": outcome.verdict}
        return self._application.result(self._application.store.load(occupant.release), outcome, previous)
