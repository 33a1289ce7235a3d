# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2 as moto serves it on loopback, with neighbors that nobody may touch, and the role vm run against it."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
REGION = "eu-central-1"
TAG = "groundcrew:fleet"
NETWORK = "127.50.0"


def ssh(asked: socket.socket) -> None:
    """What an SSH server says."""
    asked.sendall(b"SSH-2.0-OpenSSH_test\r\n")


def http(status: int) -> Callable[[socket.socket], None]:
    """What a web server says; who only connects asks for nothing."""

    def answer(asked: socket.socket) -> None:
        asked.settimeout(2)
        if asked.recv(65536):
            asked.sendall(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)

    return answer


@contextmanager
def answering(answer: Callable[[socket.socket], None] = ssh) -> Iterator[int]:
    """Every address of the network answers on one port; yields the port."""
    with selectors.DefaultSelector() as waiting, ExitStack() as opened:
        first = opened.enter_context(socket.create_server((f"{NETWORK}.4", 0), backlog=8))
        port = int(first.getsockname()[1])
        for listening in (first, *(opened.enter_context(socket.create_server((f"{NETWORK}.{host}", port))) for host in range(5, 120))):
            waiting.register(listening, selectors.EVENT_READ)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                for ready, _events in waiting.select(timeout=0.2):
                    asked, _address = ready.fileobj.accept()  # type: ignore[union-attr]
                    with asked, suppress(OSError):
                        answer(asked)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield port
        finally:
            over.set()
            server.join()


class Ec2:
    """An account, and what an operator does in it."""

    def __init__(self, url: str, work: Path) -> None:
        self._work = work
        self.playing = 0
        self.env = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": str(work / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(work / "none"),
        }
        self.client = boto3.client("ec2", region_name=REGION, endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing")
        (work / "c/ansible_collections/groundcrew").mkdir(parents=True)
        (work / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)

        # Addresses of loopback, so that members can answer.
        self.subnet = self._network("shop", f"{NETWORK}.0/24")
        self._network("other", "10.9.0.0/24")

    def _network(self, name: str, addresses: str) -> str:
        """A VPC of a name with a subnet named app; its id."""

        def named(kind: str, name: str) -> list[dict[str, Any]]:
            return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]

        vpc = self.client.create_vpc(CidrBlock=addresses, TagSpecifications=named("vpc", name))["Vpc"]["VpcId"]
        return str(self.client.create_subnet(VpcId=vpc, CidrBlock=addresses, TagSpecifications=named("subnet", "app"))["Subnet"]["SubnetId"])

    def add(self, count: int = 1, tags: Mapping[str, str] | None = None) -> list[str]:
        """Instances that somebody else made, in the same subnet."""
        listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        specification = [{"ResourceType": "instance", "Tags": listed}] if listed else []
        made = self.client.run_instances(
            ImageId=self.image(), MinCount=count, MaxCount=count, InstanceType="t3.nano", SubnetId=self.subnet, TagSpecifications=specification
        )
        return [each["InstanceId"] for each in made["Instances"]]

    def image(self) -> str:
        return str(self.client.describe_images(Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*"]}])["Images"][0]["ImageId"])

    def instances(self) -> dict[str, dict[str, Any]]:
        """Every instance that is alive, by id."""
        pages = self.client.get_paginator("describe_instances").paginate()
        found = [each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]]
        return {each["InstanceId"]: each for each in found if each["State"]["Name"] not in ("terminated", "shutting-down")}

    def fleet(self, tag: str) -> dict[str, dict[str, Any]]:
        """The instances with a fleet's tag, by name."""
        found = {tags_of(each)["Name"]: each for each in self.instances().values() if tags_of(each).get(TAG) == tag}
        return dict(sorted(found.items()))

    def play(self, verb: str, variables: Mapping[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of the role vm."""
        role = {"name": verb, "ansible.builtin.include_role": {"name": "groundcrew.ops.vm", "tasks_from": verb}}
        told = {
            "name": "Keep the result",
            "ansible.builtin.copy": {"content": "{{ vm_result | to_json }}", "dest": str(self._work / "result.json"), "mode": "0600"},
        }
        keep = {**told, "check_mode": False, "changed_when": False}
        tasks = [{"name": "Run", "block": [role], "always": [{**keep, "when": "vm_result is defined"}]}]
        play = {"name": verb, "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        (self._work / "play.yml").write_text(json.dumps([{**play, "vars": {"ansible_python_interpreter": sys.executable, **variables}}]))
        collections = f"{self._work}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        env = {**os.environ, **self.env, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
        with subprocess.Popen(
            [BIN / "ansible-playbook", "play.yml", *options], env=env, cwd=self._work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            self.playing = process.pid
            said, complained = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

    def kill(self) -> None:
        """Kill -9 what plays, with all that it started."""
        found = [self.playing]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def changed(self, verb: str, variables: Mapping[str, Any], *options: str) -> list[str]:
        """Run a verb that has to succeed, and return what it changed, task by task."""
        done = self.play(verb, variables, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        task, changes = "", []
        for line in done.stdout.splitlines():
            if match := re.match(r"TASK \[(.*)\]", line):
                task = match.group(1)
            elif line.startswith("changed:"):
                item = re.search(r"\(item=(.*)\)", line)
                changes.append(task.removeprefix("groundcrew.ops.vm : ") + (f" ({item[1]})" if item else ""))
        return changes

    def inventory(self) -> dict[str, Any]:
        """What Ansible reads by the example of inventories/ec2."""
        command = [str(BIN / "ansible-inventory"), "-i", str(ROOT / "inventories/ec2/aws_ec2.yml"), "--list", "--export"]
        done = subprocess.run(command, env={**os.environ, **self.env}, cwd=self._work, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    def result(self) -> dict[str, Any]:
        """The fact that the last verb set."""
        return dict(json.loads((self._work / "result.json").read_text()))


def tags_of(instance: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
