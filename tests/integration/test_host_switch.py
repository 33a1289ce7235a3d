# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose sshd or firewall lets nobody in any more takes that back by itself, and what a killed run left unproven is proven by the next one."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.shell import wait_until
from tests.integration import checkmode
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet

SCRIPT = (Path(__file__).resolve().parents[2] / "roles" / "host" / "files" / "guarded_switch.sh").read_text()
MAIN = Verb("host", "main", lambda _chance: {})
NOT_IN_TIME = 3


@dataclass(frozen=True)
class Part:
    """shut: a configuration that lets nobody in. seen: what is in force, as a command tells it. asked: by which task a run says what it found unproven."""

    name: str
    target: str
    check: str
    apply: str
    shut: str
    seen: str
    asked: str


PARTS = [
    Part(
        "sshd",
        "/etc/ssh/sshd_config.d/10-groundcrew.conf",
        "sshd -t",
        "systemctl reload ssh",
        "AllowUsers nobody\n",
        "sshd -T | sort",
        "Look for a hardening that nobody proved",
    ),
    Part(
        "firewall",
        "/etc/groundcrew/firewall/rules.nft",
        "true",
        "systemctl reload-or-restart groundcrew-firewall",
        "table inet groundcrew\ndelete table inet groundcrew\ntable inet groundcrew {\nchain shut {\n"
        "type filter hook prerouting priority mangle; policy accept;\nct state established accept\ntcp dport 22 drop\n}\n}\n",
        "nft --stateless list table inet groundcrew",
        "Look for rules that nobody proved",
    ),
]

pytestmark = pytest.mark.slow


class Guarded(Host):
    """A host that the role has prepared, with a firewall."""

    def __init__(self, cloud: Any, address: str, work: Path) -> None:
        super().__init__("switch-1", address, cloud.cloud.ssh_key, work, {})
        self.cloud = cloud
        prepared = self.main()
        assert prepared.rc == 0, prepared.failed

    def main(self, *options: str, **variables: Any) -> checkmode.Run:
        return self.run(MAIN, {"host_firewall": True, "host_time_sync": False, **variables}, *options)

    def lets_in(self) -> bool:
        return subprocess.run([*self._ssh, "-o", "ConnectTimeout=2", self._root, "true"], capture_output=True, check=False).returncode == 0

    def switch(self, part: Part, content: str, seconds: int) -> None:
        """As a run does it that is killed before it says to keep it."""
        self.say("cat > /root/candidate", content)
        self.say(f"sh -s {shlex.join(['switch', part.name, part.target, part.apply, '/root/candidate', part.check, str(seconds)])}", SCRIPT)

    def tell(self, verb: str, part: Part) -> int:
        return int(self.say(f"sh -s {verb} {part.name} {part.target} {shlex.quote(part.apply)} >&2; echo $?", SCRIPT))

    def content(self, part: Part) -> str:
        return self.say(f"cat {part.target}")

    def left(self) -> str:
        """Of a switch: what would restore something later."""
        files = (
            "/var/lib/groundcrew/*.former* /var/lib/groundcrew/*.undo* /etc/systemd/system/groundcrew-*-restore.* /etc/systemd/system/*/groundcrew-*-restore.*"
        )
        return self.say(f"ls -d {files} 2>/dev/null; systemctl list-units --all --no-legend 'groundcrew-*-restore.*'")


@pytest.fixture(scope="module")
def host(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with droplet(cloud, "switch-1") as address:
        yield Guarded(cloud, address, tmp_path_factory.mktemp("switch"))


@pytest.fixture(params=PARTS, ids=[part.name for part in PARTS])
def part(request: pytest.FixtureRequest) -> Part:
    return request.param


def tasks(run: checkmode.Run) -> set[str]:
    return {task.partition(" : ")[2] for _host, task in run.changed}


def test_a_host_that_nobody_gets_into_takes_it_back(host: Guarded, part: Part) -> None:
    before = host.content(part), host.say(part.seen)
    host.switch(part, part.shut, seconds=6)
    assert not host.lets_in(), "the control: it is shut"
    wait_until("the host to let us in", host.lets_in, seconds=30, pause=0.5)
    wait_until("the way back to be at its end", lambda: not host.left(), seconds=10, pause=0.5)
    assert (host.content(part), host.say(part.seen)) == before
    # A control node that comes back then has nothing to restore, and nothing to keep.
    assert host.tell("restore", part) == 0
    assert host.tell("keep", part) == NOT_IN_TIME
    assert (host.content(part), host.say(part.seen)) == before


def test_a_host_that_starts_anew_in_between_takes_it_back_too(host: Guarded, part: Part) -> None:
    before = host.content(part), host.say(part.seen)
    host.switch(part, part.shut, seconds=12)
    status, answer = host.cloud.request("POST", f"/v2/droplets/{droplet_id(host)}/actions", {"type": "power_cycle"})
    assert status < 300, answer
    host.cloud.wait("the host to start", f"/v2/actions/{answer['action']['id']}", lambda _status, seen: seen["action"]["status"] == "completed")
    wait_until("the host to let us in", host.lets_in, seconds=60, pause=0.5)
    wait_until("the way back to be at its end", lambda: not host.left(), seconds=20, pause=0.5)
    assert (host.content(part), host.say(part.seen)) == before


def droplet_id(host: Guarded) -> int:
    return next(int(each["id"]) for each in host.cloud.request("GET", "/v2/droplets?per_page=200")[1]["droplets"] if each["name"] == "switch-1")


def test_what_a_killed_run_left_is_proven_by_the_next_one(host: Guarded, part: Part) -> None:
    declared = host.content(part)
    host.switch(part, "" if part.name == "sshd" else part.shut.replace("dport 22", "dport 23"), seconds=600)
    assert host.tell("keep", part) == 0 and not host.left()
    host.switch(part, declared, seconds=600)
    assert tasks(host.main("--check")) == {part.asked} and part.name in host.left()
    done = host.main()
    assert done.rc == 0 and tasks(done) == {part.asked}, done.failed
    assert host.content(part) == declared and not host.left()
    again = host.main()
    assert again.rc == 0 and not again.changed


def test_a_proof_that_comes_too_late_is_no_success(host: Guarded, part: Part) -> None:
    before = host.content(part), host.say(part.seen)
    other: dict[str, Any] = {"host_sshd_options": {"MaxAuthTries": "4"}} if part.name == "sshd" else {"host_firewall_allow": [{"name": "web", "ports": ["80"]}]}
    late = host.main(**other, host_restore_after=0)
    assert late.rc != 0 and [message for _host, _task, message in late.failed if f"has put the former {part.target} back in force by itself" in message], (
        late.failed
    )
    assert (host.content(part), host.say(part.seen)) == before and not host.left()


def test_a_firewall_that_nobody_proved_is_removed_for_good(host: Guarded) -> None:
    firewall = PARTS[1]
    host.switch(firewall, host.content(firewall), seconds=600)
    foretold, done = (host.main(*options, host_firewall=False) for options in (["--check"], []))
    assert foretold.rc == done.rc == 0 and foretold.changed == done.changed and firewall.asked in tasks(done), done.failed
    assert not host.left() and "groundcrew" not in host.say("nft list ruleset; ls /etc/groundcrew || true")
