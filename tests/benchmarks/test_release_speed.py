# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a release takes beside what people do today: on the same host, with the same image, under the same load, lost requests counted.

The peers are ``docker compose up -d`` behind a port of the host, and a script behind the same proxy that starts the new container, waits for it,
tells the proxy and removes the old one. The application takes two seconds to start.
"""

from __future__ import annotations

import json
import shlex
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import figures
from tests.integration.conftest import cloud
from tests.integration.release_host import APP, ReleaseHost, environment, launch
from tests.load.witness import Witness

__all__ = ["cloud"]
COMMAND = "make bench"
PROXY, APPLICATION = "groundcrew.ops.proxy", "groundcrew.ops.compose_app"
START = 2
ROUNDS = 3
PORT = 18080
PLAIN = "/root/plain"
OPTIONS: dict[str, Any] = {
    "compose_app_files": [str(APP / "compose.api.yml")],
    "compose_app_services": [{"name": "api", "kind": "web", "port": 3000}],
    "compose_app_bake_seconds": 0,
}


PEER = {
    "services": {
        "api": {
            "image": "${IMAGE:?}",
            "ports": [f"{PORT}:3000"],
            "environment": {"RELEASE_ID": "plain-${NUMBER}", "START_SECONDS": str(START)},
        }
    }
}
TELL = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); s.sendall(sys.stdin.buffer.read()); s.recv(9)"
# $1: what to call the release, $2: the slot that is free, $3: the other one, $4: the image.
SCRIPT = f"""
set -e
port=22000; [ $2 = a ] || port=22100
docker run --detach --name script-$2 --publish 127.0.0.1:$port:3000 --env RELEASE_ID=$1 --env START_SECONDS={START} $4 >/dev/null
until curl -sf http://127.0.0.1:$port/health/ready >/dev/null; do sleep 0.1; done
for command in "set server app_script/${{2}}1 state ready" "set server app_script/${{3}}1 state maint"; do
  echo "$command" | python3 -c "{TELL}"
done
docker rm --force script-$3 >/dev/null 2>&1 || true
"""


@dataclass(frozen=True)
class Switch:
    """One change of version. traffic: seconds until the new one answered. whole: until the command ended. lost: requests of those sent."""

    traffic: float
    whole: float
    lost: int
    sent: int

    def __str__(self) -> str:
        return f"{self.traffic:5.2f} s to traffic, {self.whole:5.2f} s in all, {self.lost} of {self.sent} requests lost"


@dataclass
class Bench:
    """A host with the application and both peers. Each change says when it began and which release answers from then on."""

    host: ReleaseHost
    image: str = ""
    states: list[dict[str, float]] = field(default_factory=list)

    def ours(self, number: int, **options: Any) -> tuple[float, str]:
        """A change of a variable, from the start of the module on."""
        process = self.host.start("main", **OPTIONS, compose_app_version="1.0.0", compose_app_environment=variables(number), **options)
        began = time.time()
        done = self.host.ended(process)
        assert not done.failed, done.message
        self.states.append(done.result["seconds"])
        return began, str(done.result["release"])

    def hesitant(self, number: int) -> tuple[float, str]:
        """The control: a release that looks once a second whether the application is ready."""
        return self.ours(number, compose_app_health={"interval": 1.0})

    def compose_up(self, number: int) -> tuple[float, str]:
        began = time.time()
        self.host.ssh(f"cd {PLAIN} && IMAGE={self.image} NUMBER={number} docker compose --project-name plain up --detach")
        return began, f"plain-{number}"

    def script(self, number: int) -> tuple[float, str]:
        free, other = ("a", "b") if number % 2 else ("b", "a")
        began = time.time()
        self.host.ssh(f"sh /root/script script-{number} {free} {other} {self.image}")
        return began, f"script-{number}"

    def start(self, _number: int) -> tuple[float, str]:
        """What the application needs by itself: ``docker compose up -d`` where nothing runs."""
        self.host.ssh(f"cd {PLAIN} && IMAGE=none NUMBER=0 docker compose --project-name plain down --timeout 1")
        return self.compose_up(0)

    def observed(self, change: Callable[[int], tuple[float, str]], port: int, number: int, loaded: int | None = None) -> Switch:
        """loaded: the port that the load is on, where it is another."""
        witness = Witness(f"{self.host.address}:{port}", pause=0.01)
        with self.host.load(port=loaded or port, connections=8, pause=0.02) as report:
            witness.start()
            time.sleep(1)
            began, release = change(number)
            whole = time.time() - began
            deadline = time.monotonic() + 60
            while not witness.saw(release, began) and time.monotonic() < deadline:
                time.sleep(0.1)
            witness.stop()
        return Switch(witness.seconds(release, began), whole, report.failed, report.requests)


def variables(number: int) -> dict[str, str]:
    return environment(START_SECONDS=str(START), NUMBER=str(number))


@pytest.fixture(scope="module")
def bench(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """With a first release each."""
    with launch(cloud, tmp_path_factory.mktemp("bench")) as host:
        applications = [
            {"name": "rude", "slots": {"a": 20000, "b": 20100}, "replicas": 1},
            {"name": "script", "slots": {"a": 22000, "b": 22100}, "replicas": 1, "port": 8081},
        ]
        proxied = host.play(PROXY, proxy_applications=applications)
        assert not proxied.failed, proxied.message
        made = Bench(host)
        made.ours(0)
        made.image = host.ssh("docker inspect --format '{{.Config.Image}}' $(docker ps -q --filter label=groundcrew.service=api)").strip()
        host.ssh(f"mkdir -p {PLAIN} && printf %s {shlex.quote(json.dumps(PEER))} > {PLAIN}/compose.yml && printf %s {shlex.quote(SCRIPT)} > /root/script")
        made.script(0)
        made.states.clear()
        yield made


def test_a_release_costs_little_more_than_the_start_of_the_application(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it under the same load."""
    began = time.monotonic()
    rounds = range(1, ROUNDS + 1)
    starts = [bench.observed(bench.start, PORT, number, loaded=80).traffic for number in rounds]
    seen = {
        name: [bench.observed(change, port, number) for number in rounds]
        for name, change, port in (("compose_app", bench.ours, 80), ("docker compose up -d", bench.compose_up, PORT), ("script", bench.script, 8081))
    }
    states = {state: statistics.median(each[state] for each in bench.states) for state in bench.states[0]}
    start = statistics.median(starts)
    overhead = statistics.median(switch.traffic for switch in seen["compose_app"]) - start
    control = bench.observed(bench.hesitant, 80, ROUNDS + 1).traffic - start
    lost = {name: sum(switch.lost for switch in switches) for name, switches in seen.items()}
    held = figures.record(
        "release.overhead_seconds",
        round(overhead, 2),
        unit="s from the start of the module to traffic on the new release, beyond the application's own start",
        target="<= 1.5",
        seconds=time.monotonic() - began,
        command=COMMAND,
        control={"what": "a replica is asked once a second", "value": round(control, 2), "red": control > 1.5},
    )
    with capsys.disabled():
        print(f"\nthe application's own start: {start:.2f} s")
        for name, switches in seen.items():
            print("\n".join(f"{name:<22} {switch}" for switch in switches))
        for state, seconds in states.items():
            print(f"{state:<10} {seconds:.2f} s")
    assert lost["compose_app"] == 0 and lost["docker compose up -d"] > 0, lost
    assert held, overhead


def test_the_same_release_again_is_quick(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """In the module. What Ansible adds to it in a play is told. The control: a release that changes something."""
    began = time.monotonic()
    number = ROUNDS + 2

    def seconds() -> float:
        since, _release = bench.ours(number)
        return time.time() - since

    control = seconds()
    again = statistics.median(seconds() for _round in range(ROUNDS))
    assert bench.states[-ROUNDS:] == [{}] * ROUNDS, "something was done"
    held = figures.record(
        "release.noop_seconds",
        round(again, 2),
        unit="s of the module that releases what is there",
        target="<= 1.5",
        of=ROUNDS,
        seconds=time.monotonic() - began,
        command=COMMAND,
        control={"what": "a changed variable", "value": round(control, 2), "red": control > 1.5},
    )
    played = bench.host.play(APPLICATION, **OPTIONS, compose_app_version="1.0.0", compose_app_environment=variables(number))
    assert (played.failed, played.changed) == (False, 0), played.message
    with capsys.disabled():
        print(f"\nthe same release again: {again:.2f} s, as a task {played.seconds('groundcrew.ops.compose_app : Release the application'):.2f} s")
    assert held, again
