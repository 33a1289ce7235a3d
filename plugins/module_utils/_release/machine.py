# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release state machine of one host: tell the proxy, wait until nothing is in flight, stop.

Intent is written before each act (state.json and the journal), every act can be repeated, so a run that was killed at
any point is finished or taken back by the next one: before the switch back, after it forward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import SLOTS, Health, Occupant, Pending, Release, Server, Slot, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Engine, Host, Probe, Proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

DRAIN_INTERVAL = 0.05
STEADY = 1.0
SERVING_TIMEOUT = 10.0


@dataclass
class Outcome:
    """What a run did. seconds: by state. forced: requests that were still in flight when the drain's time was up."""

    verdict: str
    seconds: dict[str, float] = field(default_factory=dict)
    forced: int = 0
    pruned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """How a host releases, apart from what. drain_timeout: seconds. keep: committed releases that stay stored."""

    app: str
    slots: dict[str, Slot]
    health: Health
    drain_timeout: float = 30.0
    keep: int = 5


class Machine:
    """Moves one application on one host from what serves to a target. Its caller holds the store's lock."""

    def __init__(self, settings: Settings, store: Store, engine: Engine, proxy: Proxy, probe: Probe, host: Host, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine
        self._proxy = proxy
        self._probe = probe
        self._host = host
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
        return {name: state for name, state in wanted.items() if name not in servers or servers[name].state != state or saved.get(name) != state}

    # verbs

    def release(self, run: str, target: Release, origin: str | None = None) -> Outcome:
        """End with the target serving, or with an error and what served before.

        origin: the stored release that the target was derived from, if it was.
        """
        self.recover()
        outcome = Outcome("unchanged")
        if self.reasons(target):
            state = self._store.read()
            self._store.write(dataclasses.replace(state, pending=Pending(run, "PREPARED", target.occupy(policy.next_slot(state.active)))))
            outcome.verdict = "released"
            self._store.note("begin", run=run, release=target.id, previous=state.active.release if state.active else None)
            self._advance(PATH, outcome, target, origin)
        elif self.drift():
            outcome.verdict = "repaired"
            self._repair(run, target)
        self._require_serving(target)
        return outcome

    def recover(self) -> None:
        """Finish what a killed run left: forward once the proxy was told and the new slot is healthy, else back."""
        pending = self._store.read().pending
        if pending is None:
            return
        self._store.note("recover", run=pending.run, state=pending.state, release=pending.target.release, slot=pending.target.slot)
        if pending.state in ("DRAINED", "COMMITTED"):
            self._advance(("DRAINED", "COMMITTED"), Outcome("recovered"), self._store.load(pending.target.release), None)
        elif pending.state == "SWITCHED" and self._healthy(pending.target):
            self._advance(("SWITCHED", "DRAINED", "COMMITTED"), Outcome("recovered"), self._store.load(pending.target.release), None)
        else:
            self._revert()

    def remove(self, run: str) -> None:
        """Take the application out of the proxy, stop it, and forget it."""
        self._store.note("begin", run=run, release=None)
        for slot in SLOTS:
            self._retire(slot)
            self._stop(slot)
        self._engine.remove()
        self._store.remove()

    # the path

    def _advance(self, path: tuple[str, ...], outcome: Outcome, target: Release, origin: str | None) -> None:
        pending = self._pending
        for name in path:
            self._enter(name)
            began = self._clock.monotonic()
            try:
                ACTS[name](self, target, origin, outcome)
            except OpsError as error:
                self._note("failed", pending, name, reason=error.message)
                # Once traffic has moved, the new release is the one that passed its checks: the next run goes forward.
                if name in ("DRAINED", "COMMITTED"):
                    raise
                raise self._taken_back(name, error) from error
            outcome.seconds[name] = round(self._clock.monotonic() - began, 3)
            self._note("outcome", pending, name, seconds=outcome.seconds[name])

    def _prepare(self, target: Release, origin: str | None, _outcome: Outcome) -> None:
        slot = self._pending.target.slot
        self._host.require_free_space()
        self._require_servers(self._pending.target)
        for image in sorted(set(target.images.values())):
            self._engine.pull(image)
        self._store.add(target, origin)
        # What an earlier failure left in the idle slot goes first, in the order that loses nothing.
        self._retire(slot)
        self._stop(slot)
        self._host.require_free_ports(self._settings.slots[slot].ports(self._pending.target.servers))
        self._engine.check(target, slot)

    def _migrate(self, target: Release, origin: str | None, _outcome: Outcome) -> None:
        state = self._store.read()
        if target.migration and origin is None and target.id not in state.migrated:
            self._engine.migrate(target, self._pending.target.slot)
            self._store.write(dataclasses.replace(state, migrated=(*state.migrated, target.id)))

    def _start(self, target: Release, _origin: str | None, _outcome: Outcome) -> None:
        self._store.seat(self._pending.target)
        self._engine.start(target, self._pending.target.slot, "web")

    def _verify(self, target: Release, _origin: str | None, _outcome: Outcome) -> None:
        occupant = self._pending.target
        self._probe.verify(self._settings.slots[occupant.slot].ports(occupant.servers), self._settings.health, target.id)
        if target.workers:
            self._engine.start(target, occupant.slot, "worker")
            self._require_steady(occupant, target)

    def _switch(self, _target: Release, _origin: str | None, _outcome: Outcome) -> None:
        new = self._pending.target
        old = self._store.read().active
        states = dict.fromkeys(self._settings.slots[new.slot].servers(new.servers), "ready")
        if old:
            states |= {name: "drain" for name, server in self._proxy.servers().items() if name not in states and server.state == "ready"}
        self._proxy.set_states(states)
        self._proxy.save()

    def _drain(self, _target: Release, _origin: str | None, outcome: Outcome) -> None:
        outcome.forced = self._retire(_other(self._pending.target.slot))

    def _commit(self, target: Release, _origin: str | None, outcome: Outcome) -> None:
        state = self._store.read()
        self._stop(_other(self._pending.target.slot))
        committed = policy.commit(state.committed, state.active.release if state.active else None, target.id, self._store.origin(target.id))
        done = State(active=self._pending.target, committed=committed, migrated=state.migrated)
        keep = policy.kept(done, self._settings.keep)
        outcome.pruned = [name for name in committed if name not in keep]
        done = dataclasses.replace(done, committed=keep, migrated=tuple(name for name in state.migrated if name in keep))
        self._note("committed", self._pending, "COMMITTED", previous=state.active.release if state.active else None)
        self._store.write(done)
        self._store.prune(keep)

    # the way back

    def _taken_back(self, name: str, cause: OpsError) -> OpsError:
        """Revert, and the error that says what serves now."""
        pending = self._pending
        logs = self._engine.keep_logs(pending.target.slot) if name in ("STARTED", "VERIFIED") else None
        self._revert()
        active = self._store.read().active
        serves = f"Release {active.release} serves as before." if active else "No release serves on this host, as before."
        details = {
            **cause.details,
            "verdict": "rolled_back" if active else "failed",
            "failed_state": name,
            "serves": active.release if active else None,
            "logs": logs,
        }
        said = f" What its containers said is in {logs}." if logs else ""
        return OpsError(f"Release {pending.target.release} of {self._settings.app} was not made ({name}): {cause.message} {serves}{said}", **details)

    def _revert(self) -> None:
        self._enter("REVERTING")
        pending = self._pending
        state = self._store.read()
        # Before the switch the proxy was told nothing, so its answer is not needed to go back.
        if pending.switched:
            if state.active:
                self._proxy.set_states(dict.fromkeys(self._settings.slots[state.active.slot].servers(state.active.servers), "ready"))
            self._retire(pending.target.slot)
        self._stop(pending.target.slot)
        self._note("reverted", pending, "REVERTING")
        self._store.write(dataclasses.replace(state, pending=None))

    # steps that several acts share

    def _retire(self, slot: str) -> int:
        """Take a slot out of the proxy: drain, wait until nothing is in flight, then maint. How many requests were cut."""
        servers = self._slot_servers(slot)
        if not any(server.state != "maint" for server in servers.values()):
            return 0
        self._proxy.set_states({name: "drain" for name, server in servers.items() if server.state == "ready"})
        deadline = self._clock.monotonic() + self._settings.drain_timeout
        while (left := self._in_flight(slot)) and self._clock.monotonic() < deadline:
            self._clock.sleep(DRAIN_INTERVAL)
        self._proxy.set_states(dict.fromkeys(servers, "maint"))
        self._proxy.save()
        return left

    def _stop(self, slot: str) -> None:
        """Workers first: they need the longest, and nothing new comes to them from a web service that is out of the proxy."""
        self._engine.stop(slot, "worker")
        self._engine.stop(slot, "web")

    def _repair(self, run: str, target: Release) -> None:
        """Bring the proxy back to what the active release asks for, once its slot has proven itself."""
        active = self._store.read().active
        if active is None:
            return
        drifted = self.drift()
        self._store.note("repair", run=run, servers=drifted)
        self._probe.verify(self._settings.slots[active.slot].ports(active.servers), self._settings.health, target.id)
        self._proxy.set_states({name: state for name, state in drifted.items() if state == "ready"})
        self._retire(_other(active.slot))
        self._proxy.set_states({name: state for name, state in drifted.items() if state == "maint"})
        self._proxy.save()

    def _require_servers(self, occupant: Occupant) -> None:
        slot = self._settings.slots[occupant.slot]
        servers = self._proxy.servers()
        for name, port in zip(slot.servers(occupant.servers), slot.ports(occupant.servers), strict=True):
            if name not in servers or servers[name].port != port:
                raise OpsError(
                    f"The proxy has no server {name} at 127.0.0.1:{port} for {self._settings.app}."
                    f" Give the proxy the same slots and at least {occupant.servers} replicas for this application."
                )

    def _require_steady(self, occupant: Occupant, target: Release) -> None:
        wanted = {service.name: service.replicas for service in target.workers}

        def running() -> dict[str, int]:
            containers = self._engine.containers()
            return {
                name: sum(1 for each in containers if (each.slot, each.service, each.release, each.running) == (occupant.slot, name, target.id, True))
                for name in wanted
            }

        wait_for(
            f"the workers of release {target.id} to run",
            running,
            lambda seen: seen == wanted,
            timeout=self._settings.health.timeout,
            interval=0.5,
            clock=self._clock,
        )
        self._clock.sleep(STEADY)
        seen = running()
        if seen != wanted:
            raise OpsError(f"Workers of release {target.id} started and ended again: {seen} run of {wanted}.")

    def _require_serving(self, target: Release) -> None:
        wait_for(
            f"release {target.id} of {self._settings.app} to answer through the proxy",
            self._probe.serving,
            lambda answer: 200 <= answer.status < 300 and answer.release == target.id,
            timeout=SERVING_TIMEOUT,
            interval=0.1,
            clock=self._clock,
        )

    def _healthy(self, occupant: Occupant) -> bool:
        try:
            self._probe.verify(self._settings.slots[occupant.slot].ports(occupant.servers), self._settings.health, occupant.release)
        except OpsError:
            return False
        return True

    def _slot_servers(self, slot: str) -> dict[str, Server]:
        return {name: server for name, server in self._proxy.servers().items() if name.startswith(slot)}

    def _in_flight(self, slot: str) -> int:
        return sum(count for name, count in self._proxy.sessions().items() if name.startswith(slot))

    @property
    def _pending(self) -> Pending:
        pending = self._store.read().pending
        if pending is None:
            raise OpsError(f"{self._store.root}/state.json lost the release in progress while it was made: something else wrote it.")
        return pending

    def _enter(self, name: str) -> None:
        pending = self._pending
        self._note("intent", pending, name)
        self._store.write(
            dataclasses.replace(self._store.read(), pending=dataclasses.replace(pending, state=name, switched=pending.switched or name == "SWITCHED"))
        )

    def _note(self, kind: str, pending: Pending, name: str, **fields: object) -> None:
        self._store.note(kind, run=pending.run, state=name, release=pending.target.release, slot=pending.target.slot, **fields)


def _other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]


Act = Callable[[Machine, Release, "str | None", Outcome], None]

ACTS: dict[str, Act] = {
    "PREPARED": Machine._prepare,
    "MIGRATED": Machine._migrate,
    "STARTED": Machine._start,
    "VERIFIED": Machine._verify,
    "SWITCHED": Machine._switch,
    "DRAINED": Machine._drain,
    "COMMITTED": Machine._commit,
}
PATH = tuple(ACTS)
