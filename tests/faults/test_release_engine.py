# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release on a real host is killed at every point that its code names, and loses its power at each kind of them.

Containers, proxy, files, kills and traffic are real. What is killed is the modules' own machine, in a process on the host that counts the points
it passes. Its neighbor test_release_kills walks the same points, and those of failures and of fleets, on a host in memory.
"""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import RELEASE
from ansible_collections.groundcrew.ops.plugins.modules.compose_release import SPEC
from tests.integration.release_host import ReleaseHost, environment
from tests.integration.remote_modules import FOLDER as MODULES

pytestmark = pytest.mark.slow

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
# The kills are made in so many tests, each of which takes every third point: together they take ten minutes.
PARTS = 3
PROGRAM = """
import dataclasses, json, os, signal, sys

from ansible_collections.groundcrew.ops.plugins.module_utils._release import acts, operations
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import Request
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store

asked = json.loads(sys.argv[1])
wanted, at, how = asked["wanted"], asked["at"], asked["how"]
points, check = [], Store.leave


def leave(store, point):
    check(store, point)
    points.append(point)
    if len(points) == at:
        if how == "wait":
            print("here", flush=True)
            signal.pause()
        os.kill(os.getpid(), signal.SIGKILL)


def stop_before_drain(acting, target, outcome):
    acting.stop(acts.other(acting.pending.target.slot))
    acting.retire(acts.other(acting.pending.target.slot))


Store.leave = leave
if how == "broken":
    acts.ACTS["DRAINED"] = stop_before_drain
application = operations.Application(asked["params"])
store = application.store
token = store.lease().token
if at:  # so that the migration is among what is done
    with store.open("forget"):
        store.write(dataclasses.replace(store.read(), migrated=()))
    points.clear()
result = application.apply(Request(store.load(wanted)))
state = store.read()
running = {each.slot for each in application.machine._engine.containers() if each.running}
print(json.dumps({
    "points": points,
    "serving": result["serving"],
    "pending": state.pending is not None,
    "drift": application.machine.drift(),
    "stored": all(store.has(release) for release in state.committed) and wanted in state.committed,
    "fenced": store.lease().token > token,
    "slots": running == {state.active.slot},
}))
"""


class Engine:
    """The host with two committed releases of an application, and runs of the machine on it."""

    def __init__(self, host: ReleaseHost, cloud: Any) -> None:
        self.host = host
        self._cloud = cloud
        options = {"name": "rude", "slots": {"a": 20000, "b": 20100}, "drain_timeout": 5.0, "health": {"successes": 2}}
        self._params = ArgumentSpecValidator(merge(RELEASE, SPEC)).validate(options).validated_parameters
        variables: dict[str, Any] = {
            "compose_app_migration": {"service": "api", "command": ["true"]},
            "compose_app_bake_seconds": 0,
            "compose_app_environment": environment(SLOW_SECONDS="1.5"),
        }
        self.releases = []
        for version in ("1.0.0", "1.1.0"):
            made = host.play(PROXY, APPLICATION, compose_app_version=version, **variables)
            assert not made.failed, made.message
            self.releases.append(made.result["release"])

    def _command(self, wanted: str, at: int, how: str) -> str:
        asked = {"params": self._params, "wanted": wanted, "at": at, "how": how}
        return f"PYTHONPATH={MODULES} python3 -c {shlex.quote(PROGRAM)} {shlex.quote(json.dumps(asked))}"

    def run(self, wanted: str, at: int = 0, how: str = "kill") -> dict[str, Any] | None:
        """What a run came to; None for one that was killed."""
        said = self.host.ssh(self._command(wanted, at, how), check=False).strip()
        return dict(json.loads(said)) if said else None

    def cut_power(self, wanted: str, at: int) -> None:
        """Let the host lose its power when a run is at a point, and wait until it serves again."""
        [droplet] = [each for each in self._cloud.request("GET", "/v2/droplets")[1]["droplets"] if each["networks"]["v4"][0]["ip_address"] == self.host.address]
        path = f"/v2/droplets/{droplet['id']}/actions"
        with self.host.begun(self._command(wanted, at, "wait")) as process:
            assert process.stdout and process.stdout.readline() == "here\n", f"it never came to point {at}"
            status, answer = self._cloud.request("POST", path, {"type": "power_cycle"})
            process.kill()
        assert status == 201, answer
        self._cloud.wait("the power to be back", f"{path}/{answer['action']['id']}", lambda _status, body: body["action"]["status"] == "completed")
        self.host.connect()
        deadline = time.monotonic() + 180
        while not self.host.ssh("curl -sf http://127.0.0.1/", check=False):
            assert time.monotonic() < deadline, "nothing serves after the reboot"
            time.sleep(0.5)

    @property
    def serves(self) -> str:
        return self.host.serves()

    def other(self) -> str:
        return str(self.releases[1 - self.releases.index(self.serves)])

    def points(self) -> list[str]:
        """What an undisturbed run passes."""
        complete = self.run(self.other(), at=10_000)
        assert complete, "an undisturbed run failed"
        named: list[str] = complete["points"]
        assert {"Haproxy.set_states", "Haproxy.save", "Compose.start", "Compose.stop", "Compose.migrate", "Store.write", "Store.note"} <= set(named)
        return named

    def mended(self, wanted: str) -> str | None:
        """What is wrong after the run that follows, if anything is."""
        seen = self.run(wanted)
        if seen is None:
            return "the next run failed"
        serving = seen["serving"]
        if (serving["status"], serving["release"], self.serves, seen["pending"]) != (200, wanted, wanted, False):
            return f"between two releases: {seen}"
        wrong = [name for name in ("stored", "fenced", "slots") if not seen[name]] + (["drift"] if seen["drift"] else [])
        return f"{', '.join(wrong)}: {seen}" if wrong else None


@pytest.fixture(scope="module")
def engine(host: ReleaseHost, cloud: Any) -> Engine:
    return Engine(host, cloud)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_every_point_of_a_real_release_is_mended_by_the_next_run(engine: Engine, part: int) -> None:
    points = engine.points()
    numbers = range(1 + part, len(points) + 1, PARTS)
    began, wrong = time.monotonic(), []
    # Answers that take longer than a stop that waits for nothing, so that some are in flight whenever something is stopped.
    with engine.host.load(path="/slow", seconds=600.0) as report:
        for turn, number in enumerate(numbers):
            old, new = engine.serves, engine.other()
            assert engine.run(new, at=number) is None, f"not killed at {number}"
            assert engine.serves in (old, new)
            found = engine.mended(new if turn % 2 else old)
            if found or report.failed:
                wrong.append(f"killed at {number}, {points[number - 1]}: {found}, {report.failed} requests failed")
                break
    print(f"{len(numbers)} of {len(points)} points in {time.monotonic() - began:.0f} s; {report.requests} requests, {report.failed} failed")
    assert not wrong and report.failed == 0, (wrong, report.as_dict())


def test_without_the_drain_the_same_harness_sees_lost_requests(engine: Engine) -> None:
    """The control of the kills."""
    with engine.host.load(path="/slow", connections=64, pause=0.0) as control:
        engine.run(engine.other(), how="broken")
    print(f"{control.failed} of {control.requests} requests failed")
    assert control.failed > 0, control.as_dict()


def test_a_power_cut_at_each_kind_of_point_is_mended_by_the_next_run(engine: Engine) -> None:
    points = engine.points()
    last = {point: number for number, point in enumerate(points, 1)}  # of a kind, the last one: by then the most has happened
    for turn, (point, number) in enumerate(last.items()):
        old, new = engine.serves, engine.other()
        engine.cut_power(new, number)
        assert engine.serves in (old, new), point
        found = engine.mended(new if turn % 2 else old)
        assert found is None, f"without power at {number}, {point}: {found}"
    print(f"{len(last)} kinds of {len(points)} points")
