# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of the local cloud on which roles release an application, and a load on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localcloud.shell import wait_until
from tests import figures
from tests.integration.remote_modules import RemoteModules
from tests.load.client import Load, Report, sent

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).parent / "release_app"
SSH_OPTIONS = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes -o ConnectTimeout=5"
FOLDER = "/opt/groundcrew/rude"
SLOTS = {"a": 20000, "b": 20100}
PACKAGES = "docker.io docker-cli docker-compose iptables curl"


@dataclass(frozen=True)
class Ran:
    """A play or a module that has ended: its tasks in order, each with what it returned; told: what a play said on the way."""

    failed: bool
    changed: int
    tasks: list[dict[str, Any]]
    told: str = ""

    @property
    def message(self) -> str:
        return " ".join(str(task.get("msg", "")) for task in self.tasks if task.get("failed"))

    @property
    def changed_tasks(self) -> set[str]:
        return {task["task"] for task in self.tasks if task.get("changed")}

    def seconds(self, task: str) -> float:
        """How long a task of a play took."""
        start, end = next((datetime.fromisoformat(each["took"][when]) for when in ("start", "end")) for each in self.tasks if each["task"] == task)
        return (end - start).total_seconds()

    @property
    def result(self) -> dict[str, Any]:
        facts = (task["ansible_facts"]["compose_app_result"] for task in self.tasks if "compose_app_result" in task.get("ansible_facts", {}))
        return next(facts, self.tasks[-1])


def application(registry: str) -> dict[str, Any]:
    """What the role compose_app is given of the application, whose images are in the registry."""
    return {
        "compose_app_name": "rude",
        "compose_app_image": f"{registry}/rude",
        "compose_app_files": [str(APP / "compose.api.yml"), str(APP / "compose.worker.yml")],
        "compose_app_slots": SLOTS,
        "compose_app_services": [
            {"name": "api", "kind": "web", "port": 3000, "replicas": 2},
            {"name": "worker", "kind": "worker", "stop_grace": 20, "job_timeout": 10},
        ],
        "compose_app_environment": environment(),
        "compose_app_secrets": [{"name": "api_key", "version": "1", "value": "a value that is never shown"}],
        "compose_app_registry": {"plain_http": [registry]},
    }


class ReleaseHost:
    """One host with Docker Engine, over SSH: roles are applied to it, or the modules of their verbs run without a play."""

    def __init__(self, address: str, key: Path, registry: str, work: Path) -> None:
        self.address = address
        self._key = key
        self._work = work
        self._shell = ["ssh", "-i", str(key), "-S", str(work / "ssh"), *SSH_OPTIONS.split(), f"root@{address}"]
        self.connect()
        collections = work / "collections" / "ansible_collections" / "groundcrew"
        collections.mkdir(parents=True)
        (collections / "ops").symlink_to(ROOT)
        path = f"{work / 'collections'}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        # What ansible-playbook runs with; a test may change the control node's time zone here.
        self.env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": path, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_PIPELINING": "1"}
        self._modules = RemoteModules(self._shell, self.env)
        self._variables: dict[str, Any] = {
            "proxy_applications": [{"name": "rude", "slots": SLOTS, "replicas": 3}],
            **application(registry),
            "compose_app_bake_seconds": 1,
        }

    def connect(self) -> None:
        """One connection for all; a host that restarted needs a new one, else it is asked over one for each command."""
        self._disconnect()
        master = [*self._shell, "-M", "-f", "-N", "-o", "ServerAliveInterval=5"]

        def connected() -> bool:
            return subprocess.run(master, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

        wait_until(f"SSH on {self.address}", connected, seconds=60, pause=0.3)

    def _disconnect(self) -> None:
        subprocess.run([*self._shell, "-O", "exit"], check=False, capture_output=True)

    def close(self) -> None:
        self._modules.close()
        self._disconnect()

    def begun(self, command: str) -> subprocess.Popen[str]:
        """A command that goes on beside the test."""
        return subprocess.Popen([*self._shell, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def ssh(self, command: str, *, check: bool = True, stdin: str | None = None) -> str:
        done = subprocess.run([*self._shell, command], input=stdin, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def play(self, *roles: str | Mapping[str, Any], verb: str = "main", check: bool = False, **variables: Any) -> Ran:
        return self.end(self.begin(*roles, verb=verb, check=check, **variables))

    def end(self, process: subprocess.Popen[str]) -> Ran:
        out, errors = process.communicate(timeout=300)
        assert out.lstrip().startswith("{"), out + errors
        played = json.loads(out[out.index("{") :])
        listed = [task for play in played["plays"] for task in play["tasks"]]
        tasks = [{"task": task["task"]["name"], "took": task["task"]["duration"], **host} for task in listed for host in task["hosts"].values()]
        return Ran(process.returncode != 0, sum(stats["changed"] for stats in played["stats"].values()), tasks, errors)

    def begin(
        self,
        *roles: str | Mapping[str, Any],
        verb: str = "main",
        check: bool = False,
        fleet: Mapping[str, Mapping[str, Any]] | None = None,
        **variables: Any,
    ) -> subprocess.Popen[str]:
        """roles: or a task as it is written. fleet: hosts of the inventory with variables of their own; this machine, where these name no other."""
        tasks = [{"ansible.builtin.include_role": {"name": role, "tasks_from": verb}} if isinstance(role, str) else role for role in roles]
        play = {"hosts": "all", "gather_facts": False, "vars": {**self._variables, **variables}, "tasks": tasks}
        return self._play([play], fleet or {"host": {}}, ["--check", "--diff"] if check else [])

    def playbook(self, name: str, fleet: Mapping[str, Mapping[str, Any]], **variables: Any) -> Ran:
        """A playbook of the collection, for the group app of these hosts."""
        (self._work / "variables.json").write_text(json.dumps({**self._variables, **variables}))
        return self.end(self._play([{"import_playbook": str(ROOT / name)}], fleet, ["--extra-vars", f"@{self._work / 'variables.json'}"]))

    def _play(self, plays: Sequence[Mapping[str, Any]], fleet: Mapping[str, Mapping[str, Any]], options: Sequence[str]) -> subprocess.Popen[str]:
        connection = {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self._key),
            "ansible_ssh_common_args": SSH_OPTIONS,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        app = {"app": {"hosts": {name: {**connection, **own} for name, own in fleet.items()}}}
        (self._work / "hosts.json").write_text(json.dumps({"all": {"children": app}}))
        (self._work / "play.json").write_text(json.dumps(plays))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self._work / "hosts.json"), str(self._work / "play.json"), *options]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, verb: str, *, check: bool = False, **variables: Any) -> Ran:
        """The module that a verb of the role compose_app runs, with the arguments that the role gives to it, and without a play."""
        return self.ended(self.start(verb, check=check, **variables))

    def start(self, verb: str, *, check: bool = False, under: str = "", **variables: Any) -> subprocess.Popen[str]:
        return self._modules.begin(verb, {**self._variables, **variables}, check=check, under=under)

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        result = self._modules.end(process)
        return Ran(result.get("failed", False), int(result.get("changed", False)), [result])

    def deploy(self, version: str, **variables: Any) -> Ran:
        return self.run("main", compose_app_version=version, **variables)

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ssh(f"cat {FOLDER}/journal.jsonl").splitlines()]

    def wait_for(self, kind: str, state: str, *, after: int) -> dict[str, Any]:
        """The first entry of a kind and state in the journal after its first ``after`` ones."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for entry in self.journal()[after:]:
                if (entry["kind"], entry.get("state")) == (kind, state):
                    return entry
            time.sleep(0.2)
        raise AssertionError(f"the journal shows no {kind} of {state}")

    def serves(self) -> str:
        """The release that answers through the proxy."""
        return str(json.loads(self.ssh("curl -sf http://127.0.0.1/health/status"))["release"])

    def kill_at(self, state: str) -> subprocess.Popen[str]:
        """Kill -9 the module on the host as soon as the journal shows a new intent for a state; returns once it watches."""
        watcher = subprocess.Popen(
            [*self._shell, f"python3 - {FOLDER} {state}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdin and watcher.stdout
        watcher.stdin.write(KILLER)
        watcher.stdin.close()
        assert watcher.stdout.readline() == "watching\n"
        return watcher

    @contextmanager
    def load(self, *, port: int = 80, path: str = "/orders", **options: Any) -> Iterator[Report]:
        """Requests from outside while the body runs; the report is complete afterwards."""
        with sent(Load(f"http://{self.address}:{port}{path}", **{"seconds": 120.0, "connections": 16, "pause": 0.1, **options})) as report:
            yield report


@contextmanager
def launch(cloud: Any, work: Path, name: str = "release-1") -> Iterator[ReleaseHost]:
    """A droplet with Docker Engine and two versions of the application in the registry, gone afterwards."""
    env = cloud.env
    for version in ("1.0.0", "1.1.0"):
        image = f"{env['GROUNDCREW_LOCAL_REGISTRY_PUSH']}/rude:{version}"
        for command in (["build", "-q", "--build-arg", f"VERSION={version}", "-t", image, str(APP)], ["push", "-q", image]):
            subprocess.run(["docker", *command], check=True, capture_output=True)
    wanted = {"name": name, "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1", "ssh_keys": [cloud.ssh_key()]}
    droplet = cloud.request("POST", "/v2/droplets", wanted)[1]["droplet"]
    path = f"/v2/droplets/{droplet['id']}"
    try:
        active = cloud.wait("the host", path, lambda _, body: body["droplet"]["status"] == "active")["droplet"]
        registry = env["GROUNDCREW_LOCAL_REGISTRY"]
        with closing(ReleaseHost(active["networks"]["v4"][0]["ip_address"], cloud.cloud.ssh_key, registry, work)) as made:
            daemon = json.dumps({"insecure-registries": [registry]})
            made.ssh(f"mkdir -p /etc/docker && echo '{daemon}' > /etc/docker/daemon.json")
            made.ssh(f"apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends {PACKAGES}")
            yield made
    finally:
        cloud.request("DELETE", path)


def record_requests(failed: int, requests: int, control: str, lost: int, seconds: float, command: str) -> None:
    figures.record(
        "release.requests_failed",
        failed,
        unit="requests",
        of=requests,
        target="== 0",
        seconds=seconds,
        command=command,
        control={"what": control, "value": lost, "red": lost > 0},
    )


def environment(**more: str) -> dict[str, str]:
    return {"RUDE_IMAGE": "{{ compose_app_image }}:{{ compose_app_version }}", "GREETING": "don't $stop # me", **more}


KILLER = """
import json, os, sys, time
folder, state = sys.argv[1:]
journal = folder + "/journal.jsonl"
seen = len(open(journal).readlines())
print("watching", flush=True)
end = time.time() + 120
while time.time() < end:
    new = [json.loads(line) for line in open(journal).readlines()[seen:] if line.endswith("\\n")]
    if any((entry["kind"], entry.get("state")) == ("intent", state) for entry in new):
        os.kill(int(json.load(open(folder + "/lease.json"))["process"].partition(":")[0]), 9)
        print("killed", flush=True)
        break
    time.sleep(0.001)
"""
