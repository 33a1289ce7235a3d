# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: a release that bakes is taken back, a committed one is followed by one from before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Release
from ansible_collections.groundcrew.ops.plugins.module_utils._release.operations import Application, Params, make_secrets
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scale import scaled_to


class Rollback:
    """Make a committed release serve again, from what is stored, with today's secrets where they are given.

    While a release bakes, the one before still runs: going back to that one is taking the new one back, as it is.
    """

    def __init__(self, params: Params) -> None:
        self._params = params
        self._application = Application(params)
        self._state = self._application.store.read()
        self._target, self._origin = self._choose()

    @property
    def _reverts(self) -> bool:
        pending, active = self._state.pending, self._state.active
        if pending is None or active is None or pending.state == "COMMITTED":
            return False
        return self._params["release"] in (None, active.release)

    def plan(self) -> Plan:
        if self._reverts and self._state.pending:
            before = policy.describe(self._application.store.load(self._state.pending.target.release))
            steps = (f"let release {self._target.id} serve again, which still runs", f"drain and stop {self._state.pending.target.release}")
            return Plan("rollback", before, policy.describe(self._target), steps)
        return self._application.plan("rollback", self._target)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        if not self._reverts or not self._state.pending:
            return self._application.apply(self._application.request(self._target, self._origin, rollback=True))
        # A run that waits at the gate is between two acts: without its lease it makes no further one.
        with self._application.open(steal=self._state.pending.state in ("CANARY", "BAKING")):
            outcome = self._application.machine.revert(self._application.run)
        return self._application.result(self._target, outcome, self._state.pending.target.release)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return self._application.seen(self._target, planned)

    def _choose(self) -> tuple[Release, str | None]:
        store = self._application.store
        if self._reverts and self._state.active:
            return store.load(self._state.active.release), None
        stored = store.load(policy.rollback_target(self._state, self._params["release"])).sized(scaled_to(store.root))
        current = {secret.name: secret for secret in make_secrets(self._params["secrets"] or ())}
        secrets = tuple(current.get(secret.name, secret) for secret in stored.secrets)
        derived = policy.make_release(
            stored.version,
            stored.images,
            stored.files,
            stored.environment,
            secrets,
            stored.services,
            stored.migration,
            stored.concealed,
            stored.support,
            stored.schema,
        )
        return (stored, None) if derived.id == stored.id else (derived, stored.id)
