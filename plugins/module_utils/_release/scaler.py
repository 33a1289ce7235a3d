# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change how many containers of the release that serves run. The order is the release's: tell the proxy, wait until nothing is in flight, stop.

The number is written where recovery looks for it: before containers go, after they have come. A run that was killed in between is
mended by the next one, which compares what runs with what was written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import outlast_reload
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Health, Occupant, Release, Slot
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Probe, Proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

DRAIN_INTERVAL = 0.05


@dataclass(frozen=True)
class Member:
    """A container of a slot. number: Compose's, from 1. port: on loopback, of a web service."""

    id: str
    service: str
    release: str
    number: int
    port: int | None
    running: bool


class Fleet(Protocol):
    """What scaling asks of the engine."""

    def check(self, release: Release, slot: str) -> None:
        """Write what the slot adds to the user's files, and let Compose read it."""

    def grow(self, release: Release, slot: str, kind: str) -> None:
        """Start what is missing, and touch nothing that runs."""

    def members(self, slot: str) -> list[Member]:
        """The containers of a slot."""

    def end(self, containers: Sequence[str]) -> None:
        """Tell containers to end, wait as long as their grace allows, and remove them."""


class Scaler:
    """Its caller holds the lease, and no release is in progress."""

    def __init__(
        self, store: Store, engine: Fleet, proxy: Proxy, probe: Probe, slots: dict[str, Slot], health: Health, drain_timeout: float, clock: Clock
    ) -> None:
        self._store = store
        self._engine = engine
        self._proxy = proxy
        self._probe = probe
        self._slots = slots
        self._health = health
        self._drain_timeout = drain_timeout
        self._clock = clock
        self.forced = 0

    def running(self, service: str) -> int:
        """How many containers of a service of the active release run and, of a web service, are in the proxy."""
        active = self._active()
        members = [each for each in self._members(active, service) if each.running]
        if service != active.web:
            return len(members)
        servers = self._proxy.servers()
        ready = {server.port for name, server in servers.items() if name.startswith(active.slot) and server.state == "ready"}
        return sum(1 for each in members if each.port in ready)

    def scale(self, run: str, service: str, replicas: int) -> None:
        active = self._active()
        self._store.note("intent", run=run, state="SCALE", release=active.release, slot=active.slot, service=service, replicas=replicas)
        wanted = dataclasses.replace(active, replicas={**active.replicas, service: replicas})
        release = self._store.load(active.release).sized(wanted.replicas)
        if replicas < len(self._members(active, service)):
            self._write(wanted)
            self._shrink(wanted, service, replicas)
            self._engine.check(release, active.slot)
        else:
            if service == active.web:
                self._require_servers(wanted)
            self._engine.check(release, active.slot)
            self._grow(release, wanted, service)
            self._write(wanted)
        self._store.note("outcome", run=run, state="SCALE", release=active.release, slot=active.slot, service=service, replicas=replicas, forced=self.forced)

    def _grow(self, release: Release, wanted: Occupant, service: str) -> None:
        web = service == wanted.web
        self._engine.grow(release, wanted.slot, "web" if web else "worker")
        if not web:
            self._require_running(wanted, service)
            return
        slot = self._slots[wanted.slot]
        self._probe.verify(slot.ports(wanted.servers), self._health, wanted.release)
        self._proxy.set_states(dict.fromkeys(slot.servers(wanted.servers), "ready"))
        self._proxy.save()

    def _shrink(self, wanted: Occupant, service: str, replicas: int) -> None:
        members = self._members(wanted, service)
        if service == wanted.web:
            slot = self._slots[wanted.slot]
            kept = set(slot.ports(replicas))
            leaving = [each for each in members if each.port not in kept]
            self._drain([name for name, server in self._proxy.servers().items() if name.startswith(wanted.slot) and server.port not in kept])
        else:
            # A signal to end is what tells a worker to take no more jobs and finish those that it has.
            leaving = sorted(members, key=lambda each: each.number)[replicas:]
        self._engine.end([each.id for each in leaving])

    def _drain(self, servers: Sequence[str]) -> None:
        states = self._proxy.servers()
        self._proxy.set_states({name: "drain" for name in servers if states[name].state == "ready"})
        deadline = self._clock.monotonic() + self._drain_timeout
        while (left := sum(self._proxy.sessions().get(name, 0) for name in servers)) and self._clock.monotonic() < deadline:
            self._clock.sleep(DRAIN_INTERVAL)
        self.forced += left
        self._proxy.set_states(dict.fromkeys(servers, "maint"))
        self._proxy.save()
        outlast_reload(self._proxy, self._clock)

    def _require_servers(self, wanted: Occupant) -> None:
        servers = self._proxy.servers()
        missing = [name for name in self._slots[wanted.slot].servers(wanted.servers) if name not in servers]
        if missing:
            raise OpsError(
                f"The proxy has no server {', '.join(missing)}. Give the proxy as many replicas for this application as it may be scaled to.", servers=missing
            )

    def _require_running(self, wanted: Occupant, service: str) -> None:
        wait_for(
            f"{wanted.replicas[service]} containers of {service} to run",
            lambda: sum(1 for each in self._members(wanted, service) if each.running),
            lambda seen: seen == wanted.replicas[service],
            timeout=self._health.timeout,
            interval=0.5,
            clock=self._clock,
        )

    def _members(self, active: Occupant, service: str) -> list[Member]:
        return [each for each in self._engine.members(active.slot) if (each.service, each.release) == (service, active.release)]

    def _active(self) -> Occupant:
        active = self._store.read().active
        if active is None:
            raise OpsError("No release is active on this host, so there is nothing to scale. Deploy first.")
        return active

    def _write(self, occupant: Occupant) -> None:
        self._store.seat(occupant)
        self._store.write(dataclasses.replace(self._store.read(), active=occupant))
