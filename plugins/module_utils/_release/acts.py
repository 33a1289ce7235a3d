# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in each state of a release on one host. Every act can be repeated, and passes a point before each effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate, Source, Watch
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import SLOTS, Canary, Health, Occupant, Pending, Release, Server, Slot
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Engine, Guarded, Host, Probe, Proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters, Side, Traffic

DRAIN_INTERVAL = 0.05
STEADY = 1.0
STANDBY_TIMEOUT = 1.0
PROBES_AT_ONCE = 4


@dataclass
class Outcome:
    """What a run did. seconds: by state. forced: requests that were still in flight when the drain's time was up."""

    verdict: str
    seconds: dict[str, float] = field(default_factory=dict)
    forced: int = 0
    pruned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """How a host releases, apart from what. drain_timeout: seconds. keep: committed releases that stay stored.

    sources: what the gate asks beside the proxy, of replicas by their ports.
    """

    app: str
    slots: dict[str, Slot]
    health: Health
    drain_timeout: float = 30.0
    keep: int = 5
    gate: Gate = field(default_factory=Gate)
    canary: Canary = field(default_factory=Canary)
    sources: Callable[[Sequence[int]], Sequence[Source]] = lambda _ports: ()


class Acts:
    """The acts, on the ports of one host. Each port asks the store for leave before it changes something: a run that lost its lease gets none."""

    def __init__(self, settings: Settings, store: Store, engine: Engine, proxy: Proxy, probe: Probe, host: Host, clock: Clock) -> None:
        self.settings = settings
        self.store = cast(Store, Guarded(store, store.leave))
        self.engine = cast(Engine, Guarded(engine, store.leave))
        self.proxy = cast(Proxy, Guarded(proxy, store.leave))
        self.probe = cast(Probe, Guarded(probe, store.leave))
        self.host = host
        self.clock = clock

    # the path

    def prepare(self, target: Release, _outcome: Outcome) -> None:
        slot = self.pending.target.slot
        self.host.require_free_space()
        self._require_servers(self.pending.target)
        for image in sorted(set(target.images.values())):
            self.engine.pull(image)
        self.store.add(target, self.pending.origin)
        # What an earlier failure left in the idle slot goes first, in the order that loses nothing.
        self.retire(slot)
        self.stop(slot)
        self.host.require_free_ports(self.settings.slots[slot].ports(self.pending.target.servers))
        self.engine.check(target, slot)

    def migrate(self, target: Release, _outcome: Outcome) -> None:
        """A rollback runs none: the schema stays as the newest release made it."""
        state = self.store.read()
        if self.pending.rollback or target.id in state.migrated:
            return
        if target.migration:
            self.engine.migrate(target, self.pending.target.slot)
        self.store.write(policy.migrated(state, target))

    def start(self, target: Release, _outcome: Outcome) -> None:
        if target.migration and not self.pending.rollback and target.id not in self.store.read().migrated:
            raise OpsError(f"The migration of release {target.id} has not run in this fleet, as far as this host was told. Run it before any host switches.")
        self.store.seat(self.pending.target)
        self.engine.start(target, self.pending.target.slot, "web")

    def verify(self, target: Release, _outcome: Outcome) -> None:
        occupant = self.pending.target
        self.probe.verify(self._ports(occupant), self.settings.health, target.id)
        if target.workers:
            if target.singles:
                self.engine.stop(other(occupant.slot), "worker", target.singles)
            self.engine.start(target, occupant.slot, "worker")
            self._require_steady(occupant, target)

    def canary(self, target: Release, _outcome: Outcome) -> None:
        """A share of the traffic for the new slot, until the gate has compared it with the old one beside it."""
        canary, new, old = self.settings.canary, self.pending.target, self.store.read().active
        if canary.weight <= 0 or old is None or not new.servers or not old.servers:
            return
        serving, joining = (self.settings.slots[each.slot].servers(each.servers) for each in (old, new))
        self.proxy.set_states(dict.fromkeys((*serving, *joining), "ready"), policy.weights(canary.weight, joining, serving))
        self.proxy.save()
        gate = dataclasses.replace(self.settings.gate, seconds=canary.seconds)
        self._watch(gate, Traffic(gate, self._side(new, target), self._side(old, self.store.load(old.release))))

    def switch(self, _target: Release, _outcome: Outcome) -> None:
        new = self.pending.target
        old = self.store.read().active
        states = dict.fromkeys(self.settings.slots[new.slot].servers(new.servers), "ready")
        if old:
            states |= {name: "drain" for name, server in self.proxy.servers().items() if name not in states and server.state == "ready"}
        self.proxy.set_states(states)
        self.proxy.save()

    def drain(self, _target: Release, outcome: Outcome) -> None:
        outcome.forced = self.retire(other(self.pending.target.slot))

    def bake(self, target: Release, _outcome: Outcome) -> None:
        """The old slot runs on out of rotation, so the way back is one line to the proxy."""
        if self.settings.gate.seconds <= 0:
            return
        new = self.pending.target
        self._watch(self.settings.gate, Traffic(self.settings.gate, self._side(new, target)))
        if (seen := self._running(new, target)) != (wanted := self._wanted(target)):
            raise OpsError(f"Workers of release {target.id} ended again: {seen} run of {wanted}.")

    def commit(self, target: Release, outcome: Outcome) -> None:
        state = self.store.read()
        self.stop(other(self.pending.target.slot))
        previous = state.active.release if state.active else None
        committed = policy.commit(state.committed, previous, target.id, self.store.origin(target.id), rollback=self.pending.rollback)
        done = dataclasses.replace(state, active=self.pending.target, pending=None, committed=committed)
        keep = policy.kept(done, self.settings.keep)
        outcome.pruned = [name for name in committed if name not in keep]
        done = dataclasses.replace(done, committed=keep, migrated=tuple(name for name in state.migrated if name in keep))
        self.note("committed", self.pending, "COMMITTED", previous=previous, rollback=self.pending.rollback)
        self.store.write(done)
        self.store.prune(keep)

    # the way back

    def turn_back(self) -> None:
        """Let the old release serve again. The new one runs on, out of rotation."""
        began = self.clock.monotonic()
        self.enter("REVERTING")
        pending, active = self.pending, self.store.read().active
        # Before the switch the proxy was told nothing, so its answer is not needed to go back.
        if pending.switched and active:
            self._require_standby(active)
            old = self.settings.slots[active.slot].servers(active.servers)
            new = {name: "drain" for name, server in self._slot_servers(pending.target.slot).items() if server.state == "ready"}
            self.proxy.set_states({**dict.fromkeys(old, "ready"), **new})
            self.proxy.save()
            self.note("turned", pending, "REVERTING", seconds=round(self.clock.monotonic() - began, 4))

    def revert(self) -> None:
        """Let the old release serve again and stop the new one."""
        self.turn_back()
        pending = self.pending
        if pending.switched:
            self.retire(pending.target.slot)
        self.stop(pending.target.slot)
        self._resume_singles(pending.target.release)
        self.note("reverted", pending, "REVERTING")
        self.store.write(dataclasses.replace(self.store.read(), pending=None))

    def _resume_singles(self, target: str) -> None:
        """What may run only once had ended for the target's."""
        active = self.store.read().active
        if active and self.store.has(target) and self.store.load(target).singles:
            self.engine.grow(self.store.load(active.release).sized(active.replicas), active.slot, "worker")

    def retire(self, slot: str) -> int:
        """Take a slot out of the proxy: drain, wait until nothing is in flight, then maint. How many requests were cut."""
        servers = self._slot_servers(slot)
        if not any(server.state != "maint" for server in servers.values()):
            return 0
        self.proxy.set_states({name: "drain" for name, server in servers.items() if server.state == "ready"})
        deadline = self.clock.monotonic() + self.settings.drain_timeout
        while (left := self._in_flight(slot)) and self.clock.monotonic() < deadline:
            self.clock.sleep(DRAIN_INTERVAL)
        self.proxy.set_states(dict.fromkeys(servers, "maint"))
        self.proxy.save()
        return left

    def stop(self, slot: str) -> None:
        """Workers first: they need the longest, and nothing new comes to them from a web service that is out of the proxy."""
        self.engine.stop(slot, "worker")
        if any(each.slot == slot and each.running for each in self.engine.containers()):
            outlast_reload(self.proxy, self.clock)
        self.engine.stop(slot, "web")

    # the record

    @property
    def pending(self) -> Pending:
        pending = self.store.read().pending
        if pending is None:
            raise OpsError(f"{self.store.root}/state.json lost the release in progress while it was made: something else wrote it.")
        return pending

    def enter(self, name: str) -> None:
        pending = self.pending
        self.note("intent", pending, name)
        entered = dataclasses.replace(pending, state=name, switched=pending.switched or name in ("CANARY", "SWITCHED"), since=self.clock.now())
        self.store.write(dataclasses.replace(self.store.read(), pending=entered))

    def note(self, kind: str, pending: Pending, name: str, **fields: object) -> None:
        self.store.note(kind, run=pending.run, state=name, release=pending.target.release, slot=pending.target.slot, **fields)

    # what several acts ask

    def _watch(self, gate: Gate, traffic: Traffic) -> None:
        def note(kind: str, **fields: object) -> None:
            self.note(kind, self.pending, self.pending.state, **fields)

        sources = (traffic, *self.settings.sources(self._ports(self.pending.target)))
        Watch(gate, sources, note, self.clock).run(lambda: self.store.leave("sample"))

    def _side(self, occupant: Occupant, release: Release) -> Side:
        def count() -> dict[str, Counters]:
            return {name: counters for name, counters in self.proxy.counters().items() if name.startswith(occupant.slot)}

        def ask(times: int) -> list[tuple[bool, float]]:
            ports = self._ports(occupant)
            if not ports:
                return [(self._running(occupant, release) == self._wanted(release), 0.0)] * times
            with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
                return list(pool.map(lambda number: self.probe.measure(ports[number % len(ports)], self.settings.health, release.id), range(times)))

        return Side(count, ask)

    def healthy(self, occupant: Occupant) -> bool:
        try:
            self.probe.verify(self._ports(occupant), self.settings.health, occupant.release)
        except OpsError:
            return False
        return True

    def _require_standby(self, old: Occupant) -> None:
        """The old slot should still run; one good answer of each replica proves it. Where it does not, it is started again."""
        quick = dataclasses.replace(self.settings.health, successes=1, timeout=STANDBY_TIMEOUT)
        try:
            self.probe.verify(self._ports(old), quick, old.release)
        except OpsError:
            release = self.store.load(old.release).sized(old.replicas)
            for kind in ("web", "worker"):
                self.engine.start(release, old.slot, kind)
            self.probe.verify(self._ports(old), self.settings.health, old.release)

    def _require_servers(self, occupant: Occupant) -> None:
        slot = self.settings.slots[occupant.slot]
        servers = self.proxy.servers()
        for name, port in zip(slot.servers(occupant.servers), slot.ports(occupant.servers), strict=True):
            if name not in servers or servers[name].port != port:
                raise OpsError(
                    f"The proxy has no server {name} at 127.0.0.1:{port} for {self.settings.app}."
                    f" Give the proxy the same slots and at least {occupant.servers} replicas for this application."
                )

    def _require_steady(self, occupant: Occupant, target: Release) -> None:
        wanted = self._wanted(target)
        wait_for(
            f"the workers of release {target.id} to run",
            lambda: self._running(occupant, target),
            lambda seen: seen == wanted,
            timeout=self.settings.health.timeout,
            interval=0.5,
            clock=self.clock,
        )
        self.clock.sleep(STEADY)
        seen = self._running(occupant, target)
        if seen != wanted:
            raise OpsError(f"Workers of release {target.id} started and ended again: {seen} run of {wanted}.")

    def _wanted(self, target: Release) -> dict[str, int]:
        return {service.name: service.replicas for service in target.workers}

    def _running(self, occupant: Occupant, target: Release) -> dict[str, int]:
        if not target.workers:
            return {}
        up = [each.service for each in self.engine.containers() if (each.slot, each.release, each.running) == (occupant.slot, target.id, True)]
        return {service.name: up.count(service.name) for service in target.workers}

    def _ports(self, occupant: Occupant) -> Sequence[int]:
        return self.settings.slots[occupant.slot].ports(occupant.servers)

    def _slot_servers(self, slot: str) -> dict[str, Server]:
        return {name: server for name, server in self.proxy.servers().items() if name.startswith(slot)}

    def _in_flight(self, slot: str) -> int:
        return sum(count for name, count in self.proxy.sessions().items() if name.startswith(slot))


def outlast_reload(proxy: Proxy, clock: Clock) -> None:
    """Wait until no process of the proxy from before a reload can send anything to servers that are drained by now."""
    while (left := proxy.lingering()) > 0:
        clock.sleep(min(left, 1.0))


def other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]


Act = Callable[[Acts, Release, Outcome], None]

# The path, in its order. A release in progress names the state that it is in.
ACTS: dict[str, Act] = {
    "PREPARED": Acts.prepare,
    "MIGRATED": Acts.migrate,
    "STARTED": Acts.start,
    "VERIFIED": Acts.verify,
    "CANARY": Acts.canary,
    "SWITCHED": Acts.switch,
    "DRAINED": Acts.drain,
    "BAKING": Acts.bake,
    "COMMITTED": Acts.commit,
}
PATH = tuple(ACTS)
PHASES = {"prepare": PATH[:1], "migrate": PATH[1:2], "switch": PATH[2:8], "bake": PATH[7:8], "commit": PATH[8:], "hold": ()}
