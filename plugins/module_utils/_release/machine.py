# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release state machine of one host: tell the proxy, wait until nothing is in flight, stop.

Intent is written before each act (state.json and the journal), every act can be repeated, so a run that was killed at
any point is finished or taken back by the next one. A release that is not committed is finished when the same one is asked
for, or when another host of the fleet has committed it; else the host goes back to what it served, which still runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.lease import Fenced
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import ACTS, PATH, PHASES, Acts, Outcome, Settings, other
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import SLOTS, Pending, Release
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Engine, Host, Probe, Proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

SERVING_TIMEOUT = 10.0


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    origin: the stored release that the target was derived from, if it was. rollback: back to a release that was committed before.
    hold: stop before anything is started and leave the rest to later calls; a fleet does that.
    resume: what to do with a release that an earlier run left in progress: "auto", "forward" or "back".
    elsewhere: releases that other hosts of the fleet have committed.
    """

    target: Release
    origin: str | None = None
    rollback: bool = False
    hold: bool = False
    resume: str = "auto"
    elsewhere: tuple[str, ...] = ()


class Machine:
    """Moves one application on one host from what serves to a target. Its caller holds the store's lease."""

    def __init__(self, settings: Settings, store: Store, engine: Engine, proxy: Proxy, probe: Probe, host: Host, clock: Clock) -> None:
        self._settings = settings
        self._acts = Acts(settings, store, engine, proxy, probe, host, clock)
        self._store = self._acts.store
        self._engine = self._acts.engine
        self._proxy = self._acts.proxy
        self._probe = self._acts.probe
        self._clock = clock

    # questions

    def reasons(self, target: Release) -> list[str]:
        """Why the target has to be released; none when it sits in the active slot and runs whole."""
        active = self._store.read().active
        if active is None:
            return ["no release is active"]
        if active.release != target.id:
            return [f"release {active.release} is active"]
        found = [f"{name} has {active.replicas.get(name, 0)} replicas" for name, wanted in target.replicas.items() if active.replicas.get(name) != wanted]
        containers = self._engine.containers()
        for name, wanted in active.replicas.items():
            running = sum(1 for each in containers if (each.slot, each.service, each.release, each.running) == (active.slot, name, active.release, True))
            if running != wanted:
                found.append(f"{running} of {wanted} containers of {name} run")
        return found

    def drift(self) -> dict[str, str]:
        """Servers of the proxy whose state, running or saved, is not what the active release asks for."""
        active = self._store.read().active
        if active is None:
            return {}
        servers, saved = self._proxy.servers(), self._proxy.saved()
        wanted = policy.wanted_states(self._settings.slots, servers, active)
        good = {name for name, server in servers.items() if not server.weighted}
        return {name: state for name, state in wanted.items() if name not in good or servers[name].state != state or saved.get(name) != state}

    def require_schema(self, target: Release, *, rollback: bool) -> None:
        """Raise OpsError with the reason when the database's schema forbids the target."""
        state = self._store.read()
        active = self._store.load(state.active.release) if state.active else None
        if refusal := policy.schema_refusal(state.schema, active, target, rollback=rollback):
            raise OpsError(refusal, verdict="refused")

    # verbs

    def release(self, run: str, asked: Request) -> Outcome:
        """End with the target serving (or held back, see ``Request.hold``), or with an error and what served before."""
        target, outcome = asked.target, Outcome("unchanged")
        self._recover(run, asked, outcome)
        state = self._store.read()
        if state.pending:
            outcome.verdict = "baking"
            return outcome
        if self.reasons(target):
            self.require_schema(target, rollback=asked.rollback)
            place = target.occupy(policy.next_slot(state.active))
            self._store.write(dataclasses.replace(state, pending=Pending(run, "PREPARED", place, rollback=asked.rollback, origin=asked.origin)))
            self._store.note("begin", run=run, release=target.id, previous=state.active.release if state.active else None, rollback=asked.rollback)
            self._advance(PHASES["prepare"] if asked.hold else PATH, outcome, target)
            outcome.verdict = "prepared" if asked.hold else "released"
        elif self.drift():
            outcome.verdict = "repaired"
            self._repair(run, target)
        elif outcome.seconds:
            outcome.verdict = "released"  # an earlier run had begun it
        if not asked.hold:
            self._require_serving(target)
        return outcome

    def advance(self, run: str, phase: str, elsewhere: Sequence[str] = ()) -> Outcome:
        """Go on with what this run holds, by one phase. elsewhere: releases whose migration another host of the fleet has run."""
        pending = self._store.read().pending
        if pending is None:
            return Outcome("unchanged")
        if pending.run != run:
            raise OpsError(f"What is in progress here belongs to run {pending.run}, not to {run}. Prepare first: that finishes it or takes it back.")
        if pending.state not in PATH or (phase == "commit" and PATH.index(pending.state) < PATH.index("BAKING")):
            raise OpsError(f"Release {pending.target.release} is {pending.state} on this host and cannot go on with phase {phase}. Prepare again.")
        target = self._store.load(pending.target.release).sized(pending.target.replicas)
        if target.id in elsewhere:
            self._store.write(policy.migrated(self._store.read(), target))
        reached = "released" if phase == "commit" else "baking" if "BAKING" in (*PHASES[phase], pending.state) else "prepared"
        outcome = Outcome(reached)
        self._advance([name for name in PHASES[phase] if PATH.index(name) >= PATH.index(pending.state)], outcome, target, alone=False)
        if phase == "commit":
            self._require_serving(target)
        return outcome

    def revert(self, run: str) -> Outcome:
        """Take back what is in progress and not committed, whoever began it."""
        pending = self._store.read().pending
        if pending is None or pending.state == "COMMITTED":
            return Outcome("unchanged")
        began = self._clock.monotonic()
        self._acts.note("begin", pending, "REVERTING", by=run)
        self._adopt(run, pending)
        self._acts.revert()
        return Outcome("reverted", {"REVERTING": round(self._clock.monotonic() - began, 3)})

    def remove(self, run: str) -> None:
        """Take the application out of the proxy, stop it, and forget it."""
        self._store.note("begin", run=run, release=None)
        for slot in SLOTS:
            self._acts.retire(slot)
            self._acts.stop(slot)
        self._engine.remove()
        self._store.remove()

    # an earlier run's remains

    def _recover(self, run: str, asked: Request, outcome: Outcome) -> None:
        """Finish or take back what an earlier run left."""
        state = self._store.read()
        pending = state.pending
        if pending is None:
            return
        self._adopt(run, pending)
        self._store.note("recover", run=run, state=pending.state, release=pending.target.release, slot=pending.target.slot)
        wanted = pending.target.release == asked.target.id
        # Once the fleet has decided for a release, or its old slot is being stopped, there is no way back to it.
        if pending.state == "COMMITTED":
            self._advance(PHASES["commit"], outcome, self._store.load(pending.target.release).sized(pending.target.replicas))
        elif policy.goes_forward(state, asked.target.id, asked.resume, asked.elsewhere) and self._acts.healthy(pending.target):
            path = PATH[PATH.index(pending.state) :]
            try:
                self._advance(path[:-1] if wanted and asked.hold else path, outcome, self._store.load(pending.target.release).sized(pending.target.replicas))
            except OpsError:
                # What was asked for is another release, and it can begin from the one that was gone back to.
                if wanted or self._store.read().pending:
                    raise
        else:
            self._acts.revert()

    def _adopt(self, run: str, pending: Pending) -> None:
        self._store.write(dataclasses.replace(self._store.read(), pending=dataclasses.replace(pending, run=run)))

    # the path

    def _advance(self, path: Sequence[str], outcome: Outcome, target: Release, *, alone: bool = True) -> None:
        """Act, state by state. alone: what fails is taken back to its end; a fleet is told first, and reverts every host."""
        pending = self._acts.pending
        for name in path:
            self._acts.enter(name)
            began = self._clock.monotonic()
            try:
                ACTS[name](self._acts, target, outcome)
            except Fenced:
                raise
            except OpsError as error:
                self._acts.note("failed", pending, name, reason=error.message)
                # Here the old slot may be half drained or stopped already, and the new one passed its checks: the next run goes on.
                if name in ("DRAINED", "COMMITTED"):
                    said = f"Release {target.id} of {self._settings.app} serves and is not finished ({name}): {error.message}"
                    raise OpsError(f"{said} Run again: that goes on with it.", **error.details, failed_state=name) from error
                raise self._taken_back(name, error, alone) from error
            outcome.seconds[name] = round(self._clock.monotonic() - began, 3)
            self._acts.note("outcome", pending, name, seconds=outcome.seconds[name])

    def _taken_back(self, name: str, cause: OpsError, alone: bool) -> OpsError:
        """Go back, and the error that says what serves now."""
        pending = self._acts.pending
        said = f"Release {pending.target.release} of {self._settings.app} was not made ({name}): {cause.message}"
        try:
            if alone:
                self._acts.revert()
            else:
                self._acts.turn_back()
        except Fenced:
            raise
        except OpsError as error:
            left = f"It was not taken back to the end: {error.message} Run again: that takes it back."
            return OpsError(f"{said} {left}", **{**cause.details, "verdict": "failed", "failed_state": name})
        logs = self._logs(pending.target.slot) if name in ("STARTED", "VERIFIED", "CANARY", "BAKING") else None
        active = self._store.read().active
        serves = f"Release {active.release} serves as before." if active else "No release serves on this host, as before."
        details = {
            **cause.details,
            "verdict": "rolled_back" if active else "failed",
            "failed_state": name,
            "serves": active.release if active else None,
            "logs": logs,
        }
        kept = f" What its containers said is in {logs}." if logs else ""
        return OpsError(f"{said} {serves}{kept}", **details)

    def _logs(self, slot: str) -> str | None:
        """Once nothing is left to take back: whatever keeps them from being had, they are no reason to serve a bad release on."""
        try:
            return self._engine.keep_logs(slot)
        except OpsError:
            return None

    # what the verbs share

    def _repair(self, run: str, target: Release) -> None:
        """Bring the proxy back to what the active release asks for, once its slot has proven itself."""
        active = self._store.read().active
        if active is None:
            return
        drifted = self.drift()
        self._store.note("repair", run=run, servers=drifted)
        self._probe.verify(self._settings.slots[active.slot].ports(active.servers), self._settings.health, target.id)
        self._proxy.set_states({name: state for name, state in drifted.items() if state == "ready"})
        self._acts.retire(other(active.slot))
        self._proxy.set_states({name: state for name, state in drifted.items() if state == "maint"})
        self._proxy.save()

    def _require_serving(self, target: Release) -> None:
        wait_for(
            f"release {target.id} of {self._settings.app} to answer through the proxy",
            self._probe.serving,
            lambda answer: 200 <= answer.status < 300 and answer.release == target.id,
            timeout=SERVING_TIMEOUT,
            interval=0.1,
            clock=self._clock,
        )
