# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scaling reads and does: BullMQ's keys on a scripted Redis, the engine's and the proxy's figures, and a host in memory."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.process import boot
from ansible_collections.groundcrew.ops.plugins.module_utils._release import backlog, scale, signals
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Health, Pending, Release, Server, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaler import Member, Scaler
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaling import Backlog, Queue
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters
from tests.unit.plugins.module_utils._release.worlds import CRON, SLOTS, ManualClock, make


class FakeRedis:
    """Just as much of a server as BullMQ's keys need; speaks RESP to one client."""

    def __init__(self, keys: Mapping[str, Any], now: int = 1000) -> None:
        self._keys = keys
        self._now = now
        ours, self.theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        lines = stream.makefile("rb")
        while head := lines.readline():
            words = []
            for _each in range(int(head[1:])):
                size = int(lines.readline()[1:])
                words.append(lines.read(size + 2)[:-2].decode())
            stream.sendall(_encode(self._answer(*words)))

    def _answer(self, command: str, *words: str) -> Any:
        value = self._keys.get(words[0]) if words else None
        if command == "TIME":
            return [str(self._now), "0"]
        if command == "TYPE":
            return "+" + {list: "list", dict: "zset", str: "string", type(None): "none"}[type(value)]
        if command in ("LLEN", "ZCARD"):
            return len(value) if isinstance(value, list if command == "LLEN" else dict) else "-WRONGTYPE"
        if command == "LINDEX":
            return value[-1] if value else None
        if command == "ZRANGE":
            return list(value or ())[:1]
        if command == "HMGET":
            return [None, None] if value is None else value.split(",")
        return "-ERR unknown"


def _encode(value: Any) -> bytes:
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(_encode(each) for each in value)
    if isinstance(value, int):
        return b":%d\r\n" % value
    if value is None:
        return b"$-1\r\n"
    return f"{value}\r\n".encode() if value[0] in "+-" else f"${len(value)}\r\n{value}\r\n".encode()


def read(keys: Mapping[str, Any], *names: str) -> Backlog:
    return backlog.backlog(backlog.Redis(FakeRedis(keys).theirs, "test"), Queue(names or ("q",)))


def test_the_backlog_is_what_a_worker_could_take() -> None:
    keys = {
        "bull:q:wait": ["3", "2", "1"],  # new jobs come at the left, the right one is next
        "bull:q:prioritized": {"4": 1},
        "bull:q:paused": ["5"],
        "bull:q:delayed": {"6": 1},
        "bull:q:active": ["7"],
        "bull:q:1": "940000,0",
        "bull:q:4": "900000,50000",
        "bull:other:wait": ["1"],
        "bull:other:1": "990000,0",
    }
    assert read(keys) == Backlog(5, 60.0)
    assert read(keys, "q", "other") == Backlog(6, 60.0)
    assert read(keys, "empty") == Backlog(0, 0.0)


def test_a_key_of_another_type_is_named() -> None:
    with pytest.raises(OpsError, match="bull:q:wait is a string"):
        read({"bull:q:wait": "text"})


def test_a_redis_that_is_gone_is_named_without_its_password() -> None:
    with pytest.raises(OpsError, match=r"Redis at 127\.0\.0\.1:1 cannot be asked") as raised, backlog.connect("redis://:hunter2@127.0.0.1:1/0", None):
        raise AssertionError
    assert "hunter2" not in raised.value.message


class Proxy:
    """Servers by name, with what was counted at each look."""

    def __init__(self, *looks: Mapping[str, Counters]) -> None:
        self.looks = list(looks)
        self.states = {f"a{number}": "ready" if number < 3 else "maint" for number in range(1, 5)}
        self.in_flight = {"a2": 2}
        self.said: list[Mapping[str, str]] = []

    def counters(self) -> Mapping[str, Counters]:
        return self.looks.pop(0)

    def servers(self) -> dict[str, Server]:
        return {name: Server(name, state, 19999 + int(name[1:])) for name, state in self.states.items()}

    def sessions(self) -> dict[str, int]:
        seen = dict(self.in_flight)
        self.in_flight = {name: count - 1 for name, count in seen.items() if count > 1}
        return seen

    def lingering(self) -> float:
        return 0.0

    def set_states(self, states: Mapping[str, str], weights: Mapping[str, int] | None = None) -> None:
        self.said.append(dict(states))
        self.states.update(states)

    def save(self) -> None:
        self.said.append({"saved": "yes"})


class Stats:
    def __init__(self, *rows: Mapping[str, str]) -> None:
        self.rows = rows

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        return Completed(tuple(argv), 0, "\n".join(json.dumps(row) for row in self.rows), "")


def test_signals_are_the_mean_of_a_container() -> None:
    proxy = Proxy({"a1": Counters(100), "a2": Counters(50)}, {"a1": Counters(130, mean_ms=10), "a2": Counters(60, mean_ms=50)})
    stats = Stats({"CPUPerc": "10.00%", "MemPerc": "1%"}, {"CPUPerc": "30.00%", "MemPerc": "3%"})
    seen = signals.measure(("cpu", "memory", "requests", "latency_ms"), ["1", "2"], ["a1", "a2"], stats, proxy, ManualClock())  # type: ignore[arg-type]
    assert seen == {"cpu": 20.0, "memory": 2.0, "requests": 10.0, "latency_ms": 20.0}


def test_what_cannot_be_read_is_not_known() -> None:
    proxy = Proxy({"a1": Counters(100)}, {"a1": Counters(5)})
    seen = signals.measure(("cpu", "requests"), ["1"], ["a1"], Stats({"CPUPerc": "--", "MemPerc": "--"}), proxy, ManualClock())  # type: ignore[arg-type]
    assert seen == {"cpu": None, "requests": None}


class Host:
    """Engine and probe of a host in memory, which refuses what would lose a request."""

    def __init__(self, release: Release, proxy: Proxy) -> None:
        self.proxy = proxy
        self.release = release
        self.containers = [Member(f"api{n}", "api", release.id, n, 19999 + n, True) for n in (1, 2)] + [Member("w1", "worker", release.id, 1, None, True)]
        self.verified: list[int] = []

    def check(self, release: Release, slot: str) -> None:
        self.release = release

    def grow(self, release: Release, slot: str, kind: str) -> None:
        for service in release.services:
            for number in range(1, service.replicas + 1):
                if service.kind == kind and not any((each.service, each.number) == (service.name, number) for each in self.containers):
                    port = 19999 + number if kind == "web" else None
                    self.containers.append(Member(f"{service.name}{number}", service.name, release.id, number, port, True))

    def members(self, slot: str) -> list[Member]:
        return list(self.containers)

    def end(self, containers: Sequence[str]) -> None:
        for each in [each for each in self.containers if each.id in containers]:
            assert each.port is None or self.proxy.states[f"a{each.number}"] == "maint", "stopped before the proxy was told"
            self.containers.remove(each)

    def verify(self, ports: Sequence[int], health: Health, release: str) -> None:
        assert {each.port for each in self.containers if each.port} >= set(ports)
        self.verified = list(ports)


@pytest.fixture
def scaler(tmp_path: Path) -> Iterator[tuple[Scaler, Host, Store, Proxy]]:
    store, release, proxy = Store(tmp_path), make("1.0.0"), Proxy()
    with store.open("lab"):
        store.add(release, None)
        store.write(State(active=release.occupy("a"), committed=(release.id,)))
        host = Host(release, proxy)
        yield Scaler(store, host, proxy, host, SLOTS, Health(), 5.0, ManualClock()), host, store, proxy  # type: ignore[arg-type]


def replicas(store: Store) -> Mapping[str, int]:
    active = store.read().active
    assert active is not None
    return active.replicas


def test_more_replicas_are_proven_before_they_are_ready(scaler: tuple[Scaler, Host, Store, Proxy]) -> None:
    scale_, host, store, proxy = scaler
    scale_.scale("run", "api", 4)
    assert host.verified == [20000, 20001, 20002, 20003]
    assert [name for name, state in proxy.states.items() if state == "ready"] == ["a1", "a2", "a3", "a4"]
    assert proxy.said[-1] == {"saved": "yes"}
    assert replicas(store) == {"api": 4, "worker": 1}
    assert scale_.running("api") == 4


def test_fewer_replicas_are_drained_before_they_stop(scaler: tuple[Scaler, Host, Store, Proxy]) -> None:
    scale_, host, store, proxy = scaler
    scale_.scale("run", "api", 1)
    assert proxy.said[0] == {"a2": "drain"} and proxy.said[1]["a2"] == "maint"
    assert [each.id for each in host.containers] == ["api1", "w1"]
    assert (replicas(store)["api"], scale_.forced, scale_.running("api")) == (1, 0, 1)
    assert next(service.replicas for service in host.release.services if service.name == "api") == 1


def test_workers_come_and_go_without_the_proxy(scaler: tuple[Scaler, Host, Store, Proxy]) -> None:
    scale_, host, store, proxy = scaler
    scale_.scale("run", "worker", 3)
    assert (scale_.running("worker"), replicas(store)["worker"]) == (3, 3)
    scale_.scale("run", "worker", 1)
    assert [each.id for each in host.containers] == ["api1", "api2", "w1"]
    assert proxy.said == []


def test_more_than_the_proxy_has_servers_for_is_refused_before_anything_starts(scaler: tuple[Scaler, Host, Store, Proxy]) -> None:
    scale_, host, store, _proxy = scaler
    with pytest.raises(OpsError, match="no server a5"):
        scale_.scale("run", "api", 5)
    assert len(host.containers) == 3 and replicas(store)["api"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"service": "w"}, "needs one of replicas, queue and signals, and has 0"),
        ({"service": "w", "replicas": 1, "signals": {"cpu": {"up": 1, "down": 0}}}, "has 2"),
        ({"service": "w", "replicas": 0}, "at least 1"),
        ({"service": "w", "signals": {"cpu": {"up": 1, "down": 0}}, "minimum": 3, "maximum": 2}, "not below the minimum"),
    ],
)
def test_rules_that_say_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        scale.make_rule(given)


def test_a_release_keeps_the_number_that_was_scaled_to(tmp_path: Path) -> None:
    services = make("1.0.0").services
    assert scale.as_scaled(services, tmp_path) == services
    (tmp_path / "scale.json").write_text(json.dumps({"worker": {"replicas": 6, "changed": 1.0}}))
    assert scale.as_scaled(services, tmp_path) == (services[0], dataclasses.replace(services[1], replicas=6))


def operation(scaler: tuple[Scaler, Host, Store, Proxy], monkeypatch: pytest.MonkeyPatch, **rule: Any) -> scale.Scale:
    _scaler, host, store, proxy = scaler
    monkeypatch.setattr(scale, "Compose", lambda *_arguments: host)
    monkeypatch.setattr(scale, "make_proxy", lambda *_arguments: proxy)
    options = {"proxy": {"backend": None, "socket": "", "state_file": "", "url": "", "host": None}, "health": {}, "drain_timeout": 1.0, "redis": None}
    params = {"name": "shop", "root": str(store.root), "slots": {"a": 20000, "b": 20100}, "rules": [{"service": "worker", **rule}], **options}
    return scale.Scale(params, clock=ManualClock())  # type: ignore[arg-type]


def test_nothing_is_scaled_while_a_release_is_on(scaler: tuple[Scaler, Host, Store, Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    store, state = scaler[2], scaler[2].read()
    assert state.active
    held = operation(scaler, monkeypatch, replicas=3)
    planned = held.plan()  # this very test holds the lease
    assert not planned.changed and held.result(planned)["reasons"]["worker"].startswith("frozen: run lab of")
    store.write(dataclasses.replace(state, pending=Pending("run", "BAKING", make("2.0.0").occupy("b"))))
    planned = (pending := operation(scaler, monkeypatch, replicas=3)).plan()
    assert not planned.changed and "frozen: release 2.0.0" in pending.result(planned)["reasons"]["worker"]
    store.write(state)
    store._lease.drop()
    assert operation(scaler, monkeypatch, replicas=3).plan().after == {"replicas": {"worker": 3}}


@pytest.mark.parametrize(("passed", "same_boot", "wanted"), [(299.0, True, 3), (300.0, True, 2), (1.0, False, 2)])
def test_the_cooldown_is_time_that_passed_whatever_the_clock_says(
    scaler: tuple[Scaler, Host, Store, Proxy], monkeypatch: pytest.MonkeyPatch, passed: float, same_boot: bool, wanted: int
) -> None:
    store = scaler[2]
    scaler[0].scale("run", "worker", 3)
    store._lease.drop()
    clock = ManualClock()
    record = {"replicas": 3, "changed": clock.now() + 3600, "monotonic": clock.monotonic() - passed, "boot": boot() if same_boot else "another one"}
    (store.root / "scale.json").write_text(json.dumps({"worker": record}))
    monkeypatch.setattr(scale.Scale, "_backlog", lambda *_arguments: (Backlog(0), ""))
    idle = operation(scaler, monkeypatch, maximum=5, step=1, cooldown=300.0, queue={"names": ["orders"], "per_worker": 50})
    assert idle.plan().after == {"replicas": {"worker": wanted}}


def test_a_service_that_is_not_released_is_named(scaler: tuple[Scaler, Host, Store, Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OpsError, match="cron is no service of release"):
        operation(scaler, monkeypatch, service="cron", replicas=1)


def test_what_may_run_only_once_is_not_scaled(scaler: tuple[Scaler, Host, Store, Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    store, release = scaler[2], make("1.1.0", more=[CRON])
    store.add(release, None)
    store.write(State(active=release.occupy("a")))
    assert operation(scaler, monkeypatch, service="worker", replicas=1)  # the control
    with pytest.raises(OpsError, match="cron may run only once on a host"):
        operation(scaler, monkeypatch, service="cron", replicas=2)
