# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts behind a balancer release an application and reboot, and no request is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.release_host import Ran, ReleaseHost, launch
from tests.load.balancer import Balancer

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
NAMES = ("first", "second")
CONNECTIONS = 64

pytestmark = pytest.mark.slow


class Pair:
    def __init__(self, first: ReleaseHost, second: ReleaseHost, balancer: Balancer) -> None:
        self.hosts = dict(zip(NAMES, (first, second), strict=True))
        self.balancer = balancer
        self._fleet = {"first": {}, "second": {"ansible_host": second.address}}

    def deploy(self, version: str) -> Ran:
        return self.hosts["first"].play(PROXY, APPLICATION, fleet=self._fleet, compose_app_version=version)

    def reboot(self, name: str, *, drain: bool = True) -> Ran:
        """Patch a host whether or not it has to be; without drain, nothing is told to the balancer."""
        hooks = self.balancer.hooks if drain else {}
        always = {
            "patch_hosts": name,
            "host_reboot": "always",
            "host_reboot_timeout": 120,
            "host_health_urls": ["http://127.0.0.1/"],
            "host_health_timeout": 90,
        }
        return self.hosts["first"].playbook("playbooks/patch.yml", self._fleet, **hooks, **always)

    def booted(self, name: str) -> float:
        return float(self.hosts[name].ssh("systemctl show --value --property=UserspaceTimestampMonotonic"))


@pytest.fixture(scope="module")
def pair(cloud: Any, host: ReleaseHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    work = tmp_path_factory.mktemp("pair")
    with launch(cloud, work, "release-2") as second:
        for each in (host, second):
            each.ssh("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends unattended-upgrades >/dev/null")
        balancer = Balancer(work, dict(zip(NAMES, (host.address, second.address), strict=True)))
        made = Pair(host, second, balancer)
        first = made.deploy("1.0.0")
        assert not first.failed, first.message
        with balancer.running():
            yield made


def test_no_request_is_lost_while_one_of_two_hosts_reboots(pair: Pair) -> None:
    with pair.balancer.load("/orders", connections=CONNECTIONS, pause=0.0) as report:
        released = pair.deploy("1.1.0")
        assert not released.failed, released.message
        serving = pair.hosts["second"].serves()
        before = pair.booted("second")
        rebooted = pair.reboot("second")
    assert not rebooted.failed, rebooted.message
    assert pair.booted("second") != before
    assert pair.hosts["second"].serves() == serving, "it serves what it served"
    assert report.failed == 0, report.as_dict()
    assert not pair.deploy("1.1.0").changed, "the reboot left nothing to mend"
    # The control: the same without telling the balancer.
    with pair.balancer.load("/orders", connections=CONNECTIONS, pause=0.0) as control:
        undrained = pair.reboot("second", drain=False)
    assert not undrained.failed, undrained.message
    print(f"{report.requests} requests, {report.failed} failed; without taking the host out {control.failed} of {control.requests}")
    assert control.failed > 0, control.as_dict()
