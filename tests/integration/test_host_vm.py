# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role host on a machine of its own: swap, the clock and the kernel, which containers leave to the machine below, and a reboot that is one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.integration import virtual_machine
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host
from tests.integration.time_server import time_server

MAIN = Verb("host", "main", lambda _chance: {})
AUDIT = Verb("host", "audit", lambda _chance: {})
# As seen from the machine, QEMU's gateway is the loopback address of the one below.
BELOW = "10.0.2.2"
AHEAD = timedelta(hours=1)
PARAMETERS = {"vm.max_map_count": "262144", "kernel.pid_max": "99999", "net.ipv4.tcp_fin_timeout": "45"}
DECLARED: dict[str, Any] = {
    "host_sysctl": PARAMETERS,
    "host_time_servers": [BELOW],
    "host_sshd_options": {"MaxAuthTries": "4"},
    "host_firewall": True,
    "host_firewall_allow": [{"name": "web", "ports": ["80"]}],
}
# What tells of each that it is in force, asked of the kernel and of what runs.
ASKED = {
    "swap": "tail --lines=+2 /proc/swaps | awk '{print $1, $2, $3}'",
    **{name: f"sysctl --values {name}" for name in PARAMETERS},
    "vm.swappiness": "sysctl --values vm.swappiness",
    "clock": "systemctl is-active systemd-timesyncd",
    "time server": "timedatectl show-timesync --property=ServerName --value",
    "synchronized": "timedatectl show --property=NTPSynchronized --value",
    "sshd": "sshd -T | grep maxauthtries",
    "firewall": "nft list chain inet groundcrew wanted | grep --count 'dport 80 accept'",
    "upgrades": "systemctl is-active apt-daily-upgrade.timer",
}
SEEN_BY_AUDIT = {"host.clock_skew", "host.clock_kept", "host.kernel_parameters", "host.swap", "host.firewall"}

pytestmark = pytest.mark.slow


def in_force(swap_mib: int) -> dict[str, str]:
    """The answers where the role has done its work. The first page of a swap file is no room for swap."""
    return {
        "swap": f"/swapfile file {swap_mib * 1024 - 4}",
        **PARAMETERS,
        "vm.swappiness": "10",
        "clock": "active",
        "time server": BELOW,
        "synchronized": "yes",
        "sshd": "maxauthtries 4",
        "firewall": "1",
        "upgrades": "active",
    }


@dataclass(frozen=True)
class World:
    """A machine, and a role that is applied to it from here."""

    machine: virtual_machine.Machine
    host: Host

    def answers(self) -> dict[str, str]:
        said = self.host.say("; ".join(f'echo "{name}: $({command} 2>/dev/null)"' for name, command in ASKED.items()))
        return {name: answer for name, _, answer in (line.partition(": ") for line in said.splitlines())}

    def has(self, wanted: dict[str, str]) -> None:
        """Soon at least: the clock asks its server in the background."""
        deadline = time.monotonic() + 60
        while (seen := self.answers()) != wanted and time.monotonic() < deadline:
            time.sleep(2)
        assert seen == wanted

    def ahead(self) -> float:
        """By how many seconds the machine's clock is ahead."""
        return float(self.host.say("date +%s")) - time.time()

    def failing(self) -> set[str]:
        """What the audit finds wrong, of what is looked at here."""
        ran = self.host.run(AUDIT, {"host_sysctl": PARAMETERS, "host_audit_fail_on": "info"})
        [(_host, _task, message)] = ran.failed
        return set(re.findall(r"^fail +\w+ +(host\.\w+)", message, re.MULTILINE)) & SEEN_BY_AUDIT


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    work = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch, time_server(), virtual_machine.machine(ahead=AHEAD) as machine:
        # To gather facts takes an emulated machine ten seconds, in every play.
        patch.setenv("ANSIBLE_GATHERING", "smart")
        patch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
        patch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(work / "facts"))
        yield World(machine, Host("machine", virtual_machine.ADDRESS, machine.key, work, {}, port=machine.port))


def test_nothing_of_it_is_in_force_before(world: World) -> None:
    """The control."""
    answers = world.answers()
    assert not {name for name, wanted in in_force(64).items() if answers[name] == wanted}
    assert world.ahead() > AHEAD.total_seconds() / 2
    assert world.failing() == SEEN_BY_AUDIT


def test_dry_run_tells_what_then_is_in_force(world: World) -> None:
    changed = world.host.foretold(MAIN, {**DECLARED, "host_swap_mib": 64})
    assert {"Install the program that sets the clock", "Make the swap file", "Use the swap file now", "Declare kernel parameters"} <= changed
    world.has(in_force(64))
    assert abs(world.ahead()) < 10


def test_what_was_undone_by_hand_is_seen_and_mended_and_swap_gets_another_size(world: World) -> None:
    world.host.say("sysctl --write vm.max_map_count=65530; systemctl stop systemd-timesyncd; nft delete table inet groundcrew")
    assert world.failing() == {"host.kernel_parameters", "host.clock_kept", "host.firewall"}
    # Nothing else changes: what the first run did is done.
    assert world.host.foretold(MAIN, {**DECLARED, "host_swap_mib": 96}) == {
        "Run the program that sets the clock",
        "Look whether rules are in force",
        "Make the swap file",
        "Use the swap file now",
        "Have services read their configuration",
    }
    world.has(in_force(96))


def test_all_of_it_is_in_force_after_a_reboot(world: World) -> None:
    world.machine.reboot()
    world.has(in_force(96))
    assert abs(world.ahead()) < 10 and not world.host.say("systemctl list-units --state=failed --no-legend")
    again = world.host.run(MAIN, {**DECLARED, "host_swap_mib": 96})
    assert again.rc == 0 and not again.changed, (again.failed, again.changed)
    assert not world.failing()
