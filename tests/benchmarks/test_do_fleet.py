# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in one task beside one task for each droplet, and the inventory of a large account; each as an operator runs it.

The cloud takes 150 ms for a call and 20 s to boot a droplet. The peer is community.digitalocean, whose last release is in the package
ansible 11 of the Python Package Index. Its successor digitalocean.cloud is on Galaxy alone, and its client sends a token by https only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud.records import Served, serving
from tests import figures
from tests.benchmarks.conftest import Say

COMMAND = "make bench"
LATENCY, BOOT = 0.15, 20.0  # seconds
FLEET = 100
LOOPED = 2  # droplets that the peer makes; the times of a hundred are these times fifty
ACCOUNT = 2000
KIND = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
PEER = "ansible==11.13.0"
PEER_FILES = "ansible_collections/community/digitalocean/"
PEER_TOKEN = "{{ lookup('ansible.builtin.env', 'DIGITALOCEAN_TOKEN') }}"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "cloud", latency_seconds=LATENCY, boot_seconds=BOOT) as served:
        yield served


@pytest.fixture(scope="session")
def peer() -> Path:
    """Where the peer's collection lies."""
    place = ROOT / "build" / "peers"
    if not (place / PEER_FILES).exists():
        command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--only-binary", ":all:", "--dest", str(place), PEER]
        subprocess.run(command, check=True)
        [package] = place.glob("ansible-*.whl")
        with zipfile.ZipFile(package) as wheel:
            wheel.extractall(place, [name for name in wheel.namelist() if name.startswith(PEER_FILES)])
        package.unlink()
    return place


class Measured:
    """Seconds and calls of a command.

    beside: where another collection lies that it uses.
    """

    def __init__(self, cloud: Served, *command: str, cwd: Path, beside: Path | None = None) -> None:
        cloud.control("DELETE", "calls")
        env = {**os.environ, **cloud.env, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's machine keeps what Python compiled
        if beside:
            env["ANSIBLE_COLLECTIONS_PATH"] = f"{beside}:{env.get('ANSIBLE_COLLECTIONS_PATH', '')}"
        started = time.monotonic()
        done = subprocess.run([str(BIN / command[0]), *command[1:]], env=env, cwd=cwd, capture_output=True, text=True, check=False)
        self.seconds = time.monotonic() - started
        self.output = done.stdout
        self.calls = int(cloud.control("GET", "calls")["total"])
        assert done.returncode == 0, done.stdout + done.stderr


def play(cloud: Served, work: Path, task: Mapping[str, Any], beside: Path | None = None) -> Measured:
    head = {"name": "Fleet", "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}}
    (work / "play.yml").write_text(json.dumps([{**head, "tasks": [{"name": "Have the droplets", **task}]}]))
    return Measured(cloud, "ansible-playbook", "play.yml", cwd=work, beside=beside)


def counted(count: int) -> dict[str, Any]:
    return {"groundcrew.ops.do_droplet": {**KIND, "fleet_tag": "shop", "name_prefix": "shop", "count": count}}


def one_by_one(cloud: Served) -> dict[str, Any]:
    """The peer's task. Without unique_name it makes a droplet of the same name again."""
    droplet = {**KIND, "name": "{{ item }}", "unique_name": True, "state": "active", "tags": ["shop"]}
    access = {"baseurl": f"{cloud.url}/v2", "oauth_token": PEER_TOKEN}
    names = [f"shop-{number}" for number in range(1, LOOPED + 1)]
    return {"community.digitalocean.digital_ocean_droplet": {**droplet, **access}, "loop": names}


def test_a_hundred_take_little_longer_than_one(cloud: Served, tmp_path: Path, say: Say, peer: Path) -> None:
    started = time.monotonic()
    one = play(cloud, tmp_path, counted(1))
    cloud.world.reset()
    hundred = play(cloud, tmp_path, counted(FLEET))
    assert len(cloud.world.store.all("droplet")) == FLEET
    again = play(cloud, tmp_path, counted(FLEET))
    assert "changed=0" in again.output
    cloud.world.reset()
    loop = play(cloud, tmp_path, one_by_one(cloud), peer)
    assert "changed=1" in loop.output
    loop_again = play(cloud, tmp_path, one_by_one(cloud), peer)
    assert len(cloud.world.store.all("droplet")) == LOOPED
    scale = FLEET / LOOPED
    rows = [("one droplet", one, 1.0), (f"a fleet of {FLEET}", hundred, 1.0), ("the same again", again, 1.0)]
    rows += [(f"{FLEET} tasks of the peer *", loop, scale), ("the same again *", loop_again, scale)]
    say(f"\n{'':<26}{'seconds':>9}{'calls':>7}")
    for what, measured, factor in rows:
        say(f"{what:<26}{measured.seconds * factor:>9.1f}{measured.calls * factor:>7.0f}")
    say(f"* {LOOPED} measured: {loop.seconds:.1f} s, {loop.calls} calls; again {loop_again.seconds:.1f} s, {loop_again.calls} calls")
    ratio, ratio_of_loop = hundred.seconds / one.seconds, loop.seconds * scale / one.seconds
    way = f"community.digitalocean, one task a droplet, {LOOPED} scaled to {FLEET}"
    held = [
        record("do.fleet_ratio", round(ratio, 2), "times one droplet", 1.3, started, way, round(ratio_of_loop, 1)),
        record("do.fleet_calls", hundred.calls, "calls", 40, started, way, round(loop.calls * scale)),
        record("do.noop_calls", again.calls, "calls", 5, started, way, round(loop_again.calls * scale)),
    ]
    assert held == [True] * 3


# The peer knows neither groups nor the address of a host unless it is told.
PEER_INVENTORY = {
    "plugin": "community.digitalocean.digitalocean",
    "oauth_token": PEER_TOKEN,
    "attributes": ["id", "name", "status", "created_at", "networks", "region", "size_slug", "image", "vpc_uuid", "tags"],
    "keyed_groups": [
        {"prefix": "tag", "key": "do_tags"},
        {"prefix": "region", "key": "do_region.slug"},
        {"prefix": "size", "key": "do_size_slug"},
        {"prefix": "status", "key": "do_status"},
        {"prefix": "vpc", "key": "do_vpc_uuid"},
    ],
    "compose": {"ansible_host": "do_networks.v4 | selectattr('type', 'eq', 'public') | map(attribute='ip_address') | first"},
}


def test_the_inventory_of_a_large_account_is_read_quickly_and_whole(cloud: Served, tmp_path: Path, say: Say, peer: Path) -> None:
    cloud.control("PUT", "settings", {"latency_seconds": 0.0, "boot_seconds": 0.0})
    (tmp_path / "droplets.yml").write_text(json.dumps({"plugin": "groundcrew.ops.droplets"}))
    (tmp_path / "digitalocean.yml").write_text(json.dumps({**PEER_INVENTORY, "baseurl": f"{cloud.url}/v2"}))

    def inventory(file: str, *arguments: str) -> Measured:
        return Measured(cloud, "ansible-inventory", "--inventory", file, *arguments, cwd=tmp_path, beside=peer)

    inventory("droplets.yml", "--list")  # the first run of a machine compiles
    for start in range(0, ACCOUNT, 10):
        names = [f"host-{number}" for number in range(start, start + 10)]
        assert cloud.request("POST", "/v2/droplets", {"names": names, **KIND, "tags": ["shop"]})[0] == 202
    cloud.control("PUT", "settings", {"latency_seconds": LATENCY})
    started = time.monotonic()
    graph, listed = inventory("droplets.yml", "--graph", "tag_shop"), inventory("droplets.yml", "--list")
    others = inventory("digitalocean.yml", "--graph", "tag_shop")
    assert graph.output.count("--host-") == others.output.count("--host-") == ACCOUNT
    assert len(json.loads(listed.output)["_meta"]["hostvars"]) == ACCOUNT
    assert max(graph.calls, listed.calls) <= 12
    say(f"\n{ACCOUNT} droplets: --graph {graph.seconds:.1f} s, --list {listed.seconds:.1f} s, {listed.calls} calls")
    say(f"the peer: --graph {others.seconds:.1f} s, {others.calls} calls")
    # What a play pays, and what the peer is asked for. Beyond that --list writes every variable as indented JSON, by ansible-core's own encoder.
    assert record("do.inventory_seconds", round(graph.seconds, 1), "s", 3, started, "community.digitalocean, --graph", round(others.seconds, 1))


def record(figure: str, value: float, unit: str, limit: float, started: float, control: str, other: float) -> bool:
    seen = {"what": control, "value": other, "red": other > limit}
    assert seen["red"], f"the control of {figure} meets the target, so meeting it proves nothing"
    return figures.record(figure, value, unit=unit, target=f"<= {limit:g}", seconds=time.monotonic() - started, command=COMMAND, control=seen)
