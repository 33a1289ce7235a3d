# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks on a host that take more than they may - memory, processes, time, patience - and what the records and units say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.dryrun_worlds import droplet
from tests.integration.test_hosts import NAME, World

pytestmark = pytest.mark.slow
ROLE = "groundcrew.ops.maintenance"


def task(name: str, *command: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Take something", "command": [*command], "calendar": "2099-01-01", **more}


TAKE = "x = bytearray(300 * 2**20)"
# What was killed is not what the unit runs, which says that all went well.
HIDE = "python3 -c 'x = bytearray(300 * 2**20)' || true"
THREADS = "import threading, time\nfor turn in range(40):\n  threading.Thread(target=time.sleep, args=(1,)).start()"
TASKS = [
    task("takes", "python3", "-c", TAKE, memory_max="64M"),
    task("hides", "sh", "-c", HIDE, memory_max="64M"),
    task("has-room", "python3", "-c", TAKE),
    task("spawns", "python3", "-c", THREADS, tasks_max="20"),
    task("has-threads", "python3", "-c", THREADS),
    task("holds", "sleep", "60"),
    task("waits", "true", wait=1),
    task("reads", "true", beside=True),
]


@pytest.fixture(scope="module")
def host(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with droplet(cloud, NAME) as address:
        made = World(cloud, tmp_path_factory.mktemp("limits"), address)
        made.truthful(ROLE, maintenance_tasks=TASKS, maintenance_presets=[])
        yield made


def ran(host: World, name: str) -> tuple[str, dict[str, Any]]:
    """How the unit ended, and the record."""
    host.say(f"systemctl start groundcrew-{name}.service || true")
    result = host.say(f"systemctl show --value --property=Result groundcrew-{name}.service").strip()
    return result, json.loads(host.say(f"cat /var/lib/groundcrew/maintenance/{name}.json"))


@pytest.mark.parametrize("name", ["takes", "hides"])
def test_too_much_memory_ends_the_task_and_is_recorded(host: World, name: str) -> None:
    result, record = ran(host, name)
    assert (result, record["outcome"], record["exit_code"], record["failures"]) == ("exit-code", "failed", 137, 1), record
    assert record["lines"][-1] == "It was killed: it took more memory than its limit (memory_max) of 67108864 bytes."


def test_too_many_processes_are_refused_and_recorded(host: World) -> None:
    result, record = ran(host, "spawns")
    assert (result, record["outcome"]) == ("exit-code", "failed") and "can't start new thread" in "\n".join(record["lines"]), record
    assert record["lines"][-1] == "It was refused processes and threads beyond its limit (tasks_max) of 20."


@pytest.mark.parametrize("name", ["has-room", "has-threads"])
def test_the_same_is_well_within_the_defaults(host: World, name: str) -> None:
    result, record = ran(host, name)
    assert (result, record["outcome"]) == ("success", "ok"), record
    limits = dict(line.split("=") for line in host.say(f"systemctl show --property=MemoryMax,TasksMax groundcrew-{name}.service").splitlines())
    physical = int(host.say("awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo"))
    assert limits["TasksMax"] == "512" and 0 < int(limits["MemoryMax"]) <= physical // 2 + 2**20, (limits, physical)


def test_what_only_reads_waits_for_nobody_and_waiting_ends(host: World) -> None:
    host.say("systemctl start --no-block groundcrew-holds.service")
    host.say("for turn in $(seq 50); do grep -q running /var/lib/groundcrew/maintenance/holds.json && break; sleep 0.1; done")
    result, record = ran(host, "reads")
    assert (result, record["outcome"]) == ("success", "ok") and record["waited"] < 1, record
    result, record = ran(host, "waits")
    assert (result, record["outcome"]) == ("exit-code", "timed out") and record["lines"] == ["Not started: holds still ran after 1 s."], record
    assert "groundcrew-waits.service" in host.say("systemctl --failed --plain --no-legend")
    host.say("systemctl stop groundcrew-holds.service")
