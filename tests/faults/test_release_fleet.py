# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of three hosts: one fails its gate and all go back; its controller dies and the next run goes on."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import PATH
from tests import figures
from tests.integration.release_host import APP, FOLDER, Ran, ReleaseHost, environment, launch

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
NUMBERS = (1, 2, 3)

pytestmark = pytest.mark.slow


class Fleet:
    """The play over three hosts. slow: hosts whose application answers too slowly for the gate, and well enough for its health probe."""

    def __init__(self, hosts: Mapping[int, ReleaseHost]) -> None:
        self.hosts = hosts

    def variables(self, version: str, slow: tuple[int, ...] = (), **more: Any) -> dict[str, Any]:
        return {
            "fleet": {f"h{number}": {"ansible_host": host.address, "fleet_delay": "0.8" if number in slow else "0.0"} for number, host in self.hosts.items()},
            "compose_app_version": version,
            "compose_app_files": [str(APP / "compose.api.yml")],
            "compose_app_services": [{"name": "api", "kind": "web", "port": 3000}],
            "compose_app_environment": environment(DELAY_SECONDS="{{ fleet_delay }}"),
            "compose_app_batches": [1, "100%"],
            "compose_app_bake_seconds": 4,
            "compose_app_migration": {"service": "api", "command": ["true"]},
            **more,
        }

    def begin(self, role: str, version: str, slow: tuple[int, ...] = (), **more: Any) -> subprocess.Popen[str]:
        return self.hosts[1].begin(role, **self.variables(version, slow, **more))

    def play(self, role: str, version: str, slow: tuple[int, ...] = (), **more: Any) -> Ran:
        return self.hosts[1].end(self.begin(role, version, slow, **more))

    def deploy(self, version: str, slow: tuple[int, ...] = (), **more: Any) -> Ran:
        return self.play(APPLICATION, version, slow, **more)

    def serves(self) -> list[str]:
        """The version that each host's application names."""
        return [host.serves().partition("-")[0] for host in self.hosts.values()]

    def lengths(self) -> dict[int, int]:
        return {number: len(host.journal()) for number, host in self.hosts.items()}


@pytest.fixture(scope="module")
def fleet(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with ExitStack() as stack:
        made = Fleet({number: stack.enter_context(launch(cloud, tmp_path_factory.mktemp("fleet"), f"fleet-{number}")) for number in NUMBERS})
        for role in (PROXY, APPLICATION):
            first = made.play(role, "1.0.0")
            assert not first.failed, first.message
        yield made


def test_a_failed_gate_in_the_second_batch_takes_every_host_back(fleet: Fleet) -> None:
    began = time.monotonic()
    assert fleet.serves() == ["1.0.0"] * 3
    before = fleet.lengths()
    failed = fleet.deploy("1.1.0", slow=(3,))
    assert failed.failed and "h3: " in failed.message and "answers took" in failed.message, failed.message
    assert fleet.serves() == ["1.0.0"] * 3
    cause = fleet.hosts[3].wait_for("failed", "BAKING", after=before[3])["at"]
    turned = [host.wait_for("turned", "REVERTING", after=before[number])["at"] for number, host in fleet.hosts.items()]

    # The control: the same failure, with the others told to wait. They go on serving what the third one refused.
    paused = fleet.deploy("1.1.0", slow=(3,), compose_app_on_failure="pause")
    assert paused.failed
    since = time.monotonic()
    time.sleep(10)
    waiting = fleet.serves()
    held = figures.record(
        "release.fleet_revert_seconds",
        round(max(turned) - cause, 2),
        unit="s from the failed gate until every host serves the old release",
        of=len(turned),
        target="<= 10",
        seconds=time.monotonic() - began,
        command="make faults",
        control={"what": "compose_app_on_failure: pause", "value": round(time.monotonic() - since, 1), "red": waiting == ["1.1.0", "1.1.0", "1.0.0"]},
    )
    assert held and waiting == ["1.1.0", "1.1.0", "1.0.0"], (turned, waiting)

    again = fleet.deploy("1.1.0", compose_app_resume="forward")
    assert not again.failed, again.message
    assert fleet.serves() == ["1.1.0"] * 3
    assert fleet.deploy("1.1.0").changed == 0


def test_a_host_is_taken_out_of_what_is_before_it_while_it_switches(fleet: Fleet, tmp_path: Path) -> None:
    """The tasks around a switch run on each host, one batch after the other; a failure in one takes all back."""
    old = fleet.serves()[0]
    new = "1.1.0" if old == "1.0.0" else "1.0.0"
    files = {}
    for moment in ("before", "after", "broken"):
        command = "false" if moment == "broken" else f"date +'%s.%N {moment} {{{{ inventory_hostname }}}}' >> /root/order"
        files[moment] = tmp_path / f"{moment}.yml"
        files[moment].write_text(json.dumps([{"name": moment, "ansible.builtin.shell": command}]))
    refused = fleet.deploy(new, compose_app_before_host=str(files["broken"]))
    assert refused.failed and "h1: " in refused.message
    assert fleet.serves() == [old] * 3
    done = fleet.deploy(new, compose_app_before_host=str(files["before"]), compose_app_after_host=str(files["after"]))
    assert not done.failed, done.message
    assert fleet.serves() == [new] * 3
    said = sorted(line for host in fleet.hosts.values() for line in host.ssh("cat /root/order; rm /root/order").splitlines())
    order = [line.partition(" ")[2] for line in said]
    assert order[:2] == ["before h1", "after h1"]
    assert sorted(order[2:4]) == ["before h2", "before h3"] and sorted(order[4:]) == ["after h2", "after h3"]


def kill_the_controller(fleet: Fleet, number: int, state: str) -> tuple[str, str]:
    """Kill the whole play once a host has done what belongs to a state; the version that served, and the one that was to come."""
    old = fleet.serves()[0]
    new = "1.1.0" if old == "1.0.0" else "1.0.0"
    before = fleet.lengths()
    play = fleet.begin(APPLICATION, new)
    fleet.hosts[number].wait_for("outcome", state, after=before[number])
    os.killpg(play.pid, signal.SIGKILL)
    play.communicate()
    assert set(fleet.serves()) <= {old, new}
    return old, new


# Every state of the fleet, on one host after the other; the migration is on the first one alone.
@pytest.mark.parametrize(("number", "state", "same"), list(zip(itertools.cycle((3, 1, 2)), PATH, itertools.cycle((True, False)), strict=False)))
def test_a_dead_controller_leaves_every_host_serving_and_the_next_run_goes_on(fleet: Fleet, number: int, state: str, same: bool) -> None:
    """The next run takes over at once: it comes from the machine of the dead one, where it is seen to be gone."""
    old, new = kill_the_controller(fleet, number, state)
    wanted = new if same else old
    resumed = fleet.deploy(wanted)
    assert not resumed.failed, resumed.message
    assert fleet.serves() == [wanted] * 3
    infos = [json.loads(host.ssh(f"cat {FOLDER}/state.json")) for host in fleet.hosts.values()]
    assert [info["pending"] for info in infos] == [None] * 3


def test_where_nobody_can_tell_that_a_controller_is_dead_the_message_says_what_to_do(fleet: Fleet) -> None:
    old, _new = kill_the_controller(fleet, 1, "BAKING")
    foreign = 'sed -i \'s/"controller": "[^"]*"/"controller": "of another machine"/\' /opt/groundcrew/rude/lease.json'
    fleet.hosts[1].ssh(foreign)
    refused = fleet.deploy(old)
    assert refused.failed
    for said in ("run ", " of root ", "between two steps", "its lease is over in ", "-e compose_app_resume=forward", "-e compose_app_resume=back"):
        assert said in refused.message, refused.message
    back = fleet.deploy(old, compose_app_resume="back")
    assert not back.failed and fleet.serves() == [old] * 3, back.message
