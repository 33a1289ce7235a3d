# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory: containers, a proxy and probes that watch over the release's invariants."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import Outcome, Settings
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import Machine, Request
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    Answer,
    Canary,
    ComposeFile,
    Container,
    Health,
    Migration,
    Release,
    Schema,
    Secret,
    Server,
    Service,
    Slot,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters

SLOTS = {"a": Slot("a", 20000), "b": Slot("b", 20100)}
MODEL = {"services": {"api": {"image": "shop"}, "worker": {"image": "shop"}}}
CRON = Service("cron", "worker", "r/shop", single=True)


class ManualClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Killed(BaseException):
    """The process is gone; nothing of it handles this."""


class Killer:
    """Is asked at every point that the machine passes, and kills at a chosen one: right before what would happen there."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.points: list[str] = []

    def leave(self, point: str) -> None:
        self.points.append(point)
        if self.at is not None and len(self.points) == self.at:
            raise Killed(point)


class LabStore(Store):
    """A store whose points a killer watches. A kill leaves the lease as it is; the next run takes it like that of any dead process."""

    def __init__(self, root: Path, killer: Killer, clock: ManualClock) -> None:
        super().__init__(root, clock=clock)  # type: ignore[arg-type]
        self._killer = killer

    def leave(self, point: str) -> None:
        super().leave(point)
        self._killer.leave(point)


class World:
    """What is really so on the host, whoever is killed. Plays the engine, the proxy, the probe and the operating system."""

    def __init__(self, replicas: int = 2) -> None:
        self.running: dict[tuple[str, str], str] = {}  # (slot, service): release
        self.counts: dict[tuple[str, str], int] = {}
        self.states = {f"{slot}{number}": "maint" for slot in SLOTS for number in range(1, replicas + 1)}
        self.weights = dict.fromkeys(self.states, 0)  # 0 is the usual one
        self.saved_states = dict(self.states)
        self.in_flight = dict.fromkeys(self.states, 0)
        self.proven: set[tuple[str, str]] = set()
        self.sick: set[str] = set()
        self.migrations: list[str] = []
        self.has_served = False
        self.broken: dict[str, str] = {}  # method: error
        self.rate: dict[str, tuple[int, int, float]] = {}  # release: requests, errors and milliseconds, each time that counters are read
        self.counted = dict.fromkeys(self.states, Counters())
        self.probe_ms = 5.0
        self.former = 0.0  # seconds for which a process from before a reload of the proxy goes on

    def _maybe_fail(self, method: str) -> None:
        if method in self.broken:
            raise OpsError(self.broken[method])

    # engine

    def pull(self, image: str) -> None:
        self._maybe_fail("pull")

    def check(self, release: Release, slot: str) -> None:
        self._maybe_fail("check")

    def migrate(self, release: Release, slot: str) -> None:
        self._maybe_fail("migrate")
        self.migrations.append(release.id)

    def start(self, release: Release, slot: str, kind: str) -> None:
        self._maybe_fail(f"start {kind}")
        for service in release.services:
            if service.kind == kind:
                assert not self._ready(slot) or self.running.get((slot, service.name)) == release.id, "a slot that serves was started anew"
                if self.running.get((slot, service.name)) != release.id and kind == "web":
                    self.proven.discard((slot, release.id))
                self._run(release, slot, service)

    def containers(self) -> list[Container]:
        return [Container(slot, service, release, True) for (slot, service), release in self.running.items() for _each in range(self.counts[slot, service])]

    def grow(self, release: Release, slot: str, kind: str) -> None:
        for service in release.services:
            if service.kind == kind and (slot, service.name) not in self.running:
                self._run(release, slot, service)

    def _run(self, release: Release, slot: str, service: Service) -> None:
        assert not service.single or all(key[0] == slot for key in self.running if key[1] == service.name), f"{service.name} runs twice"
        self.running[slot, service.name] = release.id
        self.counts[slot, service.name] = service.replicas

    def stop(self, slot: str, kind: str, services: Sequence[str] = ()) -> None:
        self._maybe_fail(f"stop {kind}")
        if kind == "web":
            assert not self._ready(slot), "I2: stopped while ready"
            assert not self.former or not any(key[0] == slot for key in self.running), "I2: stopped while the proxy's former process sends requests"
            assert not any(count for name, count in self.in_flight.items() if name.startswith(slot) and self.states[name] == "drain"), (
                "I2: stopped with requests in flight"
            )
        for key in [key for key in self.running if key[0] == slot and (key[1] != "api") == (kind == "worker") and (not services or key[1] in services)]:
            del self.running[key]

    def keep_logs(self, slot: str) -> str:
        self._maybe_fail("keep_logs")
        return f"logs of {slot}"

    def remove(self) -> None:
        self.running.clear()

    # proxy

    def servers(self) -> dict[str, Server]:
        self._maybe_fail("servers")
        return {name: Server(name, state, SLOTS[name[0]].first_port + int(name[1:]) - 1, self.weights[name] > 0) for name, state in self.states.items()}

    def sessions(self) -> dict[str, int]:
        seen = dict(self.in_flight)
        self.in_flight = {name: max(count - 1, 0) if self.states[name] != "ready" else count for name, count in self.in_flight.items()}
        return seen

    def counters(self) -> dict[str, Counters]:
        for name, state in self.states.items():
            requests, errors, mean = self.rate.get(self.running.get((name[0], "api"), ""), (0, 0, 0.0))
            if state == "ready" and requests:
                seen = self.counted[name]
                total = seen.requests + requests
                self.counted[name] = Counters(total, seen.errors + errors, (seen.mean_ms * seen.requests + mean * requests) / total)
        return dict(self.counted)

    def set_states(self, states: Mapping[str, str], weights: Mapping[str, int] | None = None) -> None:
        self._maybe_fail("set_states")
        self.weights |= dict.fromkeys(states, 0) | dict(weights or {})
        for name, state in states.items():
            if state == "ready":
                assert (name[0], self.running.get((name[0], "api"))) in self.proven, f"I3: {name} is ready and never proved its release"
            self.states[name] = state
            self.watch()

    def save(self) -> None:
        self.saved_states = dict(self.states)

    def saved(self) -> dict[str, str]:
        return dict(self.saved_states)

    def lingering(self) -> float:
        left, self.former = self.former, max(self.former - 1.0, 0.0)
        return left

    # probe

    def verify(self, ports: Sequence[int], health: Health, release: str) -> None:
        slot = next(slot for slot in SLOTS if ports[0] in SLOTS[slot].ports(50))
        if self.running.get((slot, "api")) != release or release in self.sick:
            raise OpsError(f"{release} is not healthy")
        self.proven.add((slot, release))

    def measure(self, port: int, health: Health, release: str) -> tuple[bool, float]:
        slot = next(slot for slot in SLOTS if port in SLOTS[slot].ports(50))
        return self.running.get((slot, "api")) == release and release not in self.sick, self.probe_ms

    def serving(self) -> Answer:
        ready = [name for name, state in self.states.items() if state == "ready"]
        releases = {self.running.get((name[0], "api")) for name in ready}
        return Answer(200, releases.pop()) if len(releases) == 1 and None not in releases else Answer(503, error="nothing is ready")

    # operating system

    def require_free_ports(self, ports: Sequence[int]) -> None:
        self._maybe_fail("ports")

    def require_free_space(self) -> None:
        self._maybe_fail("space")

    # invariants

    def _ready(self, slot: str) -> bool:
        return any(state == "ready" for name, state in self.states.items() if name.startswith(slot))

    def watch(self) -> None:
        """I1: once something served, something that proved itself always serves."""
        alive = [name for name, state in self.states.items() if state == "ready" and (name[0], "api") in self.running]
        self.has_served = self.has_served or bool(alive)
        assert alive or not self.has_served, "I1: nothing serves"


def make(version: str, *, replicas: int = 2, secret: str = "1", migration: bool = True, schema: Schema | None = None, more: Sequence[Service] = ()) -> Release:
    worker = Service("worker", "worker", f"r/shop:{version}", stop_grace=30, job_timeout=20)
    services = (Service("api", "web", f"r/shop:{version}", 3000, replicas), worker, *more)
    secrets = (Secret("key", secret, "v" * 10),)
    images = {service.name: f"r/shop@sha256:{version}" for service in services}
    step = Migration("api", ("migrate",)) if migration else None
    return policy.make_release(version, images, [ComposeFile("compose.yml", "services: {}", MODEL)], {"A": "b"}, secrets, services, step, schema=schema)


class Lab:
    """A world, a store, and runs that work on them, one after the other or killed in the middle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World()
        self.clock = ManualClock()
        self.gate = Gate()
        self.canary = Canary()
        self.runs = 0

    def copy(self, folder: Path) -> Lab:
        """The same host a second time."""
        twin = Lab(folder)
        twin.world, twin.clock, twin.runs = copy.deepcopy(self.world), copy.deepcopy(self.clock), self.runs
        twin.gate, twin.canary = self.gate, self.canary
        if self.folder.exists():
            shutil.copytree(self.folder, folder)
        return twin

    @property
    def store(self) -> Store:
        return Store(self.folder / "shop", clock=self.clock)  # type: ignore[arg-type]

    @contextmanager
    def run(self, name: str = "", *, killer: Killer | None = None, keep: int = 5, steal: bool = False) -> Iterator[tuple[Machine, str]]:
        """A machine in a run that holds the lease."""
        self.runs += 1
        name = name or f"run {self.runs}"
        store = LabStore(self.folder / "shop", killer or Killer(), self.clock)
        settings = Settings("shop", SLOTS, Health(), drain_timeout=5.0, keep=keep, gate=self.gate, canary=self.canary)
        world: Any = self.world
        with store.open(name, steal=steal):
            yield Machine(settings, store, world, world, world, world, self.clock), name  # type: ignore[arg-type]

    def release(self, target: Release, *, killer: Killer | None = None, keep: int = 5, **options: Any) -> Outcome:
        with self.run(killer=killer, keep=keep) as (machine, name):
            return machine.release(name, Request(target, **options))

    def machine(self) -> Machine:
        """For questions; without a lease it may change nothing."""
        settings = Settings("shop", SLOTS, Health())
        world: Any = self.world
        return Machine(settings, self.store, world, world, world, world, self.clock)  # type: ignore[arg-type]

    @property
    def serves(self) -> str | None:
        return self.world.serving().release
