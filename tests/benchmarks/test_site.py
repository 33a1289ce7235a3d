# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs that has nothing to do: the quickstart's own playbooks over three hosts, a second time.

The peer is the same number of tasks on the same hosts that do nothing at all (``ping``, ``debug``, a condition that is false): what Ansible takes for
itself. Then the cost of a host when there are thirty. Hosts and control node share this machine, so all of it is upwards of what operators see.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import quickstart

from localcloud.config import load_cloud
from localcloud.shell import wait_until
from tests import figures
from tests.benchmarks.conftest import Say
from tests.integration.conftest import TestCloud

COMMAND = "make bench"
ROOT = Path(__file__).resolve().parents[2]
BOOKS = [{"name": f"Run {name}", "ansible.builtin.import_playbook": str(ROOT / "playbooks" / f"{name}.yml")} for name in ("provision", "deploy", "maintain")]
HOSTS, MANY, REAL, FORKS = 3, 30, 10, 10
AIM = 12  # seconds
# Nothing of these runs on a host, or in a process of its own.
INSIDE = ("debug", "assert", "set_fact", "fail", "validate_argument_spec", "include_role", "include_tasks", "meta")
ROLE = "groundcrew.ops.host"
# How much more a host may cost among thirty than among three.
FLAT = 1.1


@dataclass(frozen=True)
class Task:
    """A task as a run showed it. runs: on each host, how many times its module ran (a loop may run it several times, or not at all)."""

    action: str
    runs: Mapping[str, int]

    @property
    def inside(self) -> bool:
        return self.action.rpartition(".")[2] in INSIDE


@dataclass(frozen=True)
class Site:
    """A run of playbooks."""

    seconds: float
    changed: int
    tasks: Sequence[Task]

    @property
    def modules(self) -> int:
        return sum(sum(task.runs.values()) for task in self.tasks if not task.inside)

    def __str__(self) -> str:
        ran = sum(any(task.runs.values()) for task in self.tasks)
        return f"{self.seconds:6.1f} s, {len(self.tasks)} tasks of which {ran} ran, {self.modules} runs of a module, {self.changed} changes"


class Ground:
    """A quickstart of its own, whose playbooks are run as operators do."""

    def __init__(self, work: Path) -> None:
        self.made = quickstart.Quickstart("site", 7)
        self._work = work
        quickstart.prepare_state(self.made)
        quickstart.localcloud(self.made, "up")
        self.env = {**os.environ, **quickstart.cloud_environment(self.made), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_FORKS": str(FORKS)}
        quickstart.build_application(self.env)

    def down(self) -> None:
        quickstart.close_connections(self.made.sockets)
        quickstart.down(self.made, keep_images=True)

    def play(self, name: str, plays: Sequence[Mapping[str, Any]], inventory: str = "inventories/local") -> Site:
        book = self._work / f"{name}.json"
        book.write_text(json.dumps(plays))
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", inventory, str(book), "-e", f"droplet_count={HOSTS}"]
        began = time.monotonic()
        done = subprocess.run(argv, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=3000, check=False)
        seconds = time.monotonic() - began
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        said = json.loads(done.stdout[done.stdout.index("{\n") :])
        tasks = [_seen(task) for play in said["plays"] for task in play["tasks"] if task["hosts"]]
        return Site(seconds, sum(host["changed"] for host in said["stats"].values()), tasks)


def _seen(task: Mapping[str, Any]) -> Task:
    runs = {host: 0 if result.get("skipped") else len(result.get("results", [result])) for host, result in task["hosts"].items()}
    action = next((each["action"] for each in task["hosts"].values() if "action" in each), "")
    return Task(str(action), runs)


def nothing(task: Task) -> dict[str, Any]:
    """A task that does nothing, as often and on as many hosts as another one did something."""
    runs = {host: count for host, count in task.runs.items() if count}
    action = {"ansible.builtin.debug": {"msg": "nothing"}} if task.inside else {"ansible.builtin.ping": {}}
    most = max(runs.values(), default=0)
    return {**action, "when": f"inventory_hostname in {sorted(runs)}", **({"loop": [*range(most)]} if most > 1 else {})}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = Ground(tmp_path_factory.mktemp("site"))
    try:
        yield made
    finally:
        made.down()


def test_a_second_run(ground: Ground, say: Say) -> None:
    began = time.monotonic()
    first = ground.play("site", BOOKS)
    again = ground.play("site", BOOKS)
    names = sorted({host for task in again.tasks for host in task.runs})
    assert first.changed and again.changed == 0 and len(names) == HOSTS + 1
    # A task for localhost alone is one for a single host; which one does not matter here.
    hosts = [name for name in names if name != "localhost"]
    tasks = [nothing(Task(task.action, {hosts[0]: task.runs["localhost"]} if "localhost" in task.runs else task.runs)) for task in again.tasks]
    idle = ground.play("nothing", [{"name": "Nothing", "hosts": "app", "gather_facts": False, "tasks": tasks}])
    say(f"\nfirst run   {first}\nsecond run  {again}, {again.seconds / HOSTS:.1f} s a host")
    say(f"nothing     {idle}, {idle.seconds / again.seconds:.0%} of the second run")
    figures.record(
        "site.second_run_seconds",
        round(again.seconds, 1),
        unit=f"s for {HOSTS} hosts, {len(again.tasks)} tasks; {idle.seconds:.0f} s for as many that do nothing",
        target=f"<= {AIM}",
        seconds=time.monotonic() - began,
        command=COMMAND,
    )


@pytest.fixture(scope="module")
def fleet(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An inventory of thirty hosts that nobody has prepared yet; three of them are the group few.

    Thirty that boot would need more of the kernel (inotify instances) than it gives by default, so each of ten has three names. The forks come to
    all ten before they come to one again.
    """
    work = tmp_path_factory.mktemp("fleet")
    cloud = TestCloud(load_cloud(ground.made.cloud), work)
    request = cloud.request
    body = {"size": "s-1vcpu-1gb", "region": "fra1", "image": "debian-13-x64", "ssh_keys": [cloud.ssh_key()], "tags": ["many"]}
    status, answer = request("POST", "/v2/droplets", {**body, "names": [f"many-{number}" for number in range(REAL)]})
    assert status == 202, answer
    there: dict[str, str] = {}

    def active() -> bool:
        droplets = request("GET", "/v2/droplets?tag_name=many&per_page=200")[1]["droplets"]
        there.update({each["name"]: _address(each) for each in droplets if each["status"] == "active"})
        return len(there) == REAL

    wait_until("the hosts", active, seconds=600, pause=2)
    variables = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_private_key_file": str(cloud.cloud.ssh_key)}
    hosts = {f"{name}-{again}": {"ansible_host": address} for again in range(MANY // REAL) for name, address in sorted(there.items())}
    few: dict[str, Any] = {"hosts": {name: {} for name in list(hosts)[:HOSTS]}}
    real: dict[str, Any] = {"hosts": {name: {} for name in list(hosts)[:REAL]}}
    inventory = work / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": variables, "hosts": hosts, "children": {"few": few, "real": real}}}))
    yield inventory
    request("DELETE", "/v2/droplets?tag_name=many")


def _address(droplet: Mapping[str, Any]) -> str:
    return next(str(each["ip_address"]) for each in droplet["networks"]["v4"] if each["type"] == "public")


def test_a_host_costs_as_much_among_thirty(ground: Ground, fleet: Path, say: Say) -> None:
    began = time.monotonic()

    def prepared(hosts: str, **keywords: Any) -> Site:
        play = {"name": "Prepare", "hosts": hosts, "tasks": [{"name": "Prepare", "ansible.builtin.import_role": {"name": ROLE}}], **keywords}
        return ground.play("prepare", [play], str(fleet))

    assert prepared("real").changed
    few, many, single = prepared("few"), prepared("all"), prepared("few", serial=1)
    assert few.changed == many.changed == single.changed == 0
    cost, among_many, alone = few.seconds / HOSTS, many.seconds / MANY, single.seconds / HOSTS
    say(f"\n{HOSTS} hosts    {few}\n{MANY} hosts   {many}\none by one {single}\nseconds a host: {cost:.1f}, {among_many:.1f}, {alone:.1f}")
    figures.record(
        "site.host_cost_ratio",
        round(among_many / cost, 2),
        unit=f"x the seconds a host of {MANY} takes, against one of {HOSTS}, at {FORKS} forks",
        target=f"<= {FLAT}",
        seconds=time.monotonic() - began,
        command=COMMAND,
        control={"what": "the same three, one after the other", "value": round(alone / cost, 2), "red": alone / cost > FLAT},
    )
