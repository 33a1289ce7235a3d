# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds of walks: a droplet, whose files and units are damaged and looked at, and the control node with a cloud's account, a store and a folder of secrets."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, make_client
from tests.integration import checkmode
from tests.integration.dryrun_walk import Verb

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("dryrun_snapshot.py").read_text()
FLEET = "dryrun"
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ServerAliveInterval=10"
DAMAGE = {
    "delete": "rm -f {}",
    "lengthen": "printf '\\n' >> {}",
    "lock": "chmod 0600 {}",
    "open": "chmod 0666 {}",
    "empty": "truncate --size 0 {}",
}
# What a release keeps is no file that a role would write anew.
SPARED = ("/opt/groundcrew", "/var/lib")


class Place:
    """Where verbs run, each in a play of its own: one host of an inventory, with variables for every verb."""

    def __init__(self, name: str, work: Path, variables: Mapping[str, Any], env: Mapping[str, str], *, gather: bool) -> None:
        self._book, self._inventory, self._gather = work / "play.json", work / "hosts.json", gather
        self._inventory.write_text(json.dumps({"all": {"children": {"app": {"hosts": {name: dict(variables)}}}}}))
        collection = work / "c" / "ansible_collections" / "groundcrew" / "ops"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(ROOT)
        path = f"{work / 'c'}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        self._env = {**env, "ANSIBLE_COLLECTIONS_PATH": path, "ANSIBLE_ROLES_PATH": str(work / "roles"), "ANSIBLE_PIPELINING": "1"}

    def run(self, verb: Verb, variables: Mapping[str, Any], *options: str) -> checkmode.Run:
        return checkmode.run(self._play(verb, variables), self._inventory, *options, env=self._env)

    def foretold(self, verb: Verb, variables: Mapping[str, Any]) -> set[str]:
        """Prove that the dry run tells what the run then changes; the tasks that did."""
        changed = checkmode.assert_foretold(self._play(verb, variables), self._inventory, env=self._env)
        return {task.rpartition(" : ")[2] for _host, task in changed}

    def _play(self, verb: Verb, variables: Mapping[str, Any]) -> Path:
        task = {"name": "Run the verb", "ansible.builtin.include_role": {"name": verb.of, "tasks_from": verb.verb}, "vars": dict(variables)}
        self._book.write_text(json.dumps([{"name": verb.name, "hosts": "app", "gather_facts": self._gather, "tasks": [task]}]))
        return self._book

    def meanwhile(self, verb: Verb) -> None:
        """Verbs bring about by themselves what they need."""


class Host(Place):
    """shared: variables of the inventory, for every verb."""

    def __init__(self, name: str, address: str, key: Path, work: Path, shared: Mapping[str, Any], port: int = 22) -> None:
        self._root = f"root@{address}"
        self._ssh = ["ssh", "-i", str(key), "-p", str(port), *shlex.split(SSH)]
        there = {
            "ansible_host": address,
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": SSH,
            "ansible_python_interpreter": "/usr/bin/python3",
            **shared,
        }
        super().__init__(name, work, there, {}, gather=True)

    def say(self, command: str, stdin: str = "") -> str:
        done = subprocess.run([*self._ssh, self._root, command], input=stdin, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def snapshot(self) -> dict[str, str]:
        return dict(json.loads(self.say("python3 -", SNAPSHOT)))

    def damage(self, chance: random.Random, written: Iterable[str]) -> str:
        names = [name.partition(" ")[::2] for name in written]
        there = self.snapshot()
        files = [path for kind, path in names if kind == "file" and not path.startswith(SPARED) and there.get(f"file {path}", "").startswith("-")]
        ours = self.say(f"grep --files-with-matches --ignore-case groundcrew {' '.join(map(shlex.quote, files))} || true").split() if files else []
        ours += [path for path in files if "groundcrew" in path and path not in ours]
        units = [name for kind, name in names if kind == "unit" and "groundcrew" in name and there.get(f"unit {name}", "").startswith("active")]
        candidates = [f"{DAMAGE[how].format(path)}" for path in ours for how in sorted(DAMAGE)]
        candidates += [f"systemctl disable --now --quiet {name}" for name in units]
        if not candidates:
            return ""
        command = chance.choice(candidates)
        self.say(command)
        return command


class ControlNode(Place):
    """cloud: whose account verbs work on, as nobody else does meanwhile. folder: of the secrets. bucket: what verbs make in the cloud's store."""

    def __init__(self, cloud: Any, work: Path, folder: Path, bucket: str, shared: Mapping[str, Any]) -> None:
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **shared}
        super().__init__("localhost", work, here, cloud.env, gather=False)
        self._cloud, self._folder, self._bucket = cloud, folder, bucket
        self._s3 = make_client(
            S3Settings("", cloud.env["AWS_ENDPOINT_URL_S3"], "us-east-1", cloud.env["AWS_ACCESS_KEY_ID"], cloud.env["AWS_SECRET_ACCESS_KEY"])
        )

    def snapshot(self) -> dict[str, Any]:
        calls = self._cloud.control("GET", "calls")["calls"].items()
        found: dict[str, Any] = {f"call {call}": count for call, count in calls if not call.startswith("GET ")}
        if self._bucket in (each["Name"] for each in self._s3.list_buckets()["Buckets"]):
            found[f"bucket {self._bucket}"] = ""
            for item in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", []):
                found[f"object {item['Key']}"] = item["ETag"]
        for path in self._folder.rglob("*"):
            found[f"secret {path}"] = path.read_bytes() if path.is_file() else ""
        return found

    def damage(self, chance: random.Random, _written: Iterable[str]) -> str:
        """What somebody does by hand in the cloud's console."""
        fleet = self._cloud.request("GET", f"/v2/droplets?tag_name={FLEET}")[1]["droplets"]
        firewalls = [each for each in self._cloud.request("GET", "/v2/firewalls")[1]["firewalls"] if each["name"].startswith(FLEET)]
        candidates: list[tuple[str, str, Any]] = [("POST", f"/v2/droplets/{each['id']}/actions", {"type": "power_off"}) for each in fleet]
        candidates += [("DELETE", f"/v2/droplets/{each['id']}", None) for each in fleet]
        candidates += [("DELETE", f"/v2/firewalls/{each['id']}", None) for each in firewalls]
        if not candidates:
            return ""
        asked = chance.choice(candidates)
        status, answer = self._cloud.request(*asked)
        assert status < 300, answer
        if asked[0] == "POST":
            self._cloud.wait("the action to be done", f"/v2/actions/{answer['action']['id']}", lambda _status, seen: seen["action"]["status"] == "completed")
        return f"{asked[0]} {asked[1]}"


@contextmanager
def droplet(cloud: Any, name: str, image: str = "debian-13-x64") -> Iterator[str]:
    """The address of a fresh host."""
    body = {"name": name, "size": "s-1vcpu-1gb", "region": "fra1", "ssh_keys": [cloud.ssh_key()], "image": image}
    status, answer = cloud.request("POST", "/v2/droplets", body)
    assert status == 202, answer
    path = f"/v2/droplets/{answer['droplet']['id']}"
    try:
        seen = cloud.wait("the host to be active", path, lambda _status, seen: seen["droplet"]["status"] == "active")
        yield next(one["ip_address"] for one in seen["droplet"]["networks"]["v4"] if one["type"] == "public")
    finally:
        cloud.request("DELETE", path)
