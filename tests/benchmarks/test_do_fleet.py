# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in one task beside one task for each droplet, and the inventory of a large account; each as an operator runs it.

The cloud takes 150 ms for a call and 20 s to boot a droplet. Collections for this API that are in use make one droplet in a task; they
cannot be installed from here, so the loop is made of do_droplet with one name, which leaves out what they take beyond that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from localcloud.records import Served, serving
from tests import figures

COMMAND = "make bench"
LATENCY, BOOT = 0.15, 20.0  # seconds
FLEET = 100
LOOPED = 5  # droplets that the loop makes; the times of a hundred are these times twenty
ACCOUNT = 2000
DROPLET = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1", "fleet_tag": "shop"}
BIN = Path(sys.executable).parent

Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def tell(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return tell


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "cloud", latency_seconds=LATENCY, boot_seconds=BOOT) as served:
        yield served


class Measured:
    """Seconds and calls of a command."""

    def __init__(self, cloud: Served, *command: str, cwd: Path) -> None:
        cloud.control("DELETE", "calls")
        env = {**os.environ, **cloud.env, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's machine keeps what Python compiled
        started = time.monotonic()
        done = subprocess.run([str(BIN / command[0]), *command[1:]], env=env, cwd=cwd, capture_output=True, text=True, check=False)
        self.seconds = time.monotonic() - started
        self.output = done.stdout
        self.calls = int(cloud.control("GET", "calls")["total"])
        assert done.returncode == 0, done.stdout + done.stderr


def play(cloud: Served, work: Path, arguments: Mapping[str, Any], loop: list[str] | None = None) -> Measured:
    task: dict[str, Any] = {"name": "Have the droplets", "groundcrew.ops.do_droplet": {**DROPLET, **arguments}, **({"loop": loop} if loop else {})}
    head = {"name": "Fleet", "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}}
    (work / "play.yml").write_text(json.dumps([{**head, "tasks": [task]}]))
    return Measured(cloud, "ansible-playbook", "play.yml", cwd=work)


def counted(count: int) -> dict[str, Any]:
    return {"name_prefix": "shop", "count": count}


def test_a_hundred_take_little_longer_than_one(cloud: Served, tmp_path: Path, say: Say) -> None:
    started = time.monotonic()
    one = play(cloud, tmp_path, counted(1))
    cloud.world.reset()
    hundred = play(cloud, tmp_path, counted(FLEET))
    assert len(cloud.world.store.all("droplet")) == FLEET
    again = play(cloud, tmp_path, counted(FLEET))
    assert "changed=0" in again.output
    cloud.world.reset()
    names = [f"shop-{number}" for number in range(1, LOOPED + 1)]
    loop = play(cloud, tmp_path, {"names": ["{{ item }}"]}, names)
    loop_again = play(cloud, tmp_path, {"names": ["{{ item }}"]}, names)
    assert len(cloud.world.store.all("droplet")) == LOOPED
    scale = FLEET / LOOPED
    rows = [("one droplet", one, 1.0), (f"a fleet of {FLEET}", hundred, 1.0), ("the same again", again, 1.0)]
    rows += [(f"{FLEET} tasks of one *", loop, scale), ("the same again *", loop_again, scale)]
    say(f"\n{'':<22}{'seconds':>9}{'calls':>7}")
    for what, measured, factor in rows:
        say(f"{what:<22}{measured.seconds * factor:>9.1f}{measured.calls * factor:>7.0f}")
    say(f"* {LOOPED} measured: {loop.seconds:.1f} s, {loop.calls} calls; again {loop_again.seconds:.1f} s, {loop_again.calls} calls")
    ratio, ratio_of_loop = hundred.seconds / one.seconds, loop.seconds * scale / one.seconds
    way = f"one task a droplet, {LOOPED} scaled to {FLEET}"
    held = [
        record("do.fleet_ratio", round(ratio, 2), "times one droplet", 1.3, started, way, round(ratio_of_loop, 1)),
        record("do.fleet_calls", hundred.calls, "calls", 40, started, way, round(loop.calls * scale)),
        record("do.noop_calls", again.calls, "calls", 5, started, way, round(loop_again.calls * scale)),
    ]
    assert held == [True] * 3


def test_the_inventory_of_a_large_account_is_read_quickly_and_whole(cloud: Served, tmp_path: Path, say: Say) -> None:
    cloud.control("PUT", "settings", {"latency_seconds": 0.0, "boot_seconds": 0.0})
    (tmp_path / "droplets.yml").write_text(json.dumps({"plugin": "groundcrew.ops.droplets"}))
    Measured(cloud, "ansible-inventory", "--inventory", "droplets.yml", "--list", cwd=tmp_path)  # the first run of a machine compiles
    for start in range(0, ACCOUNT, 10):
        names = [f"host-{number}" for number in range(start, start + 10)]
        assert cloud.request("POST", "/v2/droplets", {"names": names, **DROPLET, "tags": ["shop"]})[0] == 202
    cloud.control("PUT", "settings", {"latency_seconds": LATENCY})
    started = time.monotonic()
    graph = Measured(cloud, "ansible-inventory", "--inventory", "droplets.yml", "--graph", "tag_shop", cwd=tmp_path)
    assert graph.output.count("--host-") == ACCOUNT
    listed = Measured(cloud, "ansible-inventory", "--inventory", "droplets.yml", "--list", cwd=tmp_path)
    assert len(json.loads(listed.output)["_meta"]["hostvars"]) == ACCOUNT
    assert max(graph.calls, listed.calls) <= 12
    pages = page_by_page(cloud)
    say(f"\n{ACCOUNT} droplets: --graph {graph.seconds:.1f} s, --list {listed.seconds:.1f} s, {listed.calls} calls;")
    say(f"20 to a page, one after the other, reading alone: {pages:.1f} s")
    slower = round(max(graph.seconds, listed.seconds), 1)
    assert record("do.inventory_seconds", slower, "s", 3, started, "pages of 20, one after the other, reading alone", round(pages, 1))


def page_by_page(cloud: Served) -> float:
    """The control: the API's own page size, as a client reads that does not ask for another."""
    started = time.monotonic()
    http = Http(cloud.url, headers={"Authorization": f"Bearer {cloud.env['DIGITALOCEAN_TOKEN']}"})
    found: list[Any] = []
    while len(found) < ACCOUNT:
        found += http.request("GET", f"/v2/droplets?page={len(found) // 20 + 1}").body["droplets"]
    return time.monotonic() - started


def record(figure: str, value: float, unit: str, limit: float, started: float, control: str, other: float) -> bool:
    seen = {"what": control, "value": other, "red": other > limit}
    assert seen["red"], f"the control of {figure} meets the target, so meeting it proves nothing"
    return figures.record(figure, value, unit=unit, target=f"<= {limit:g}", seconds=time.monotonic() - started, command=COMMAND, control=seen)
