# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts are patched and rebooted one after the other while requests go through the balancer before them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.docker import docker
from tests import figures
from tests.load.patch_fleet import NAMES, Fleet, launch

pytestmark = pytest.mark.slow

HOLD = """systemd-run -q --unit=holder python3 -c 'import fcntl, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
time.sleep(300)' && sleep 1"""


@pytest.fixture(scope="module")
def fleet(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with launch(cloud, tmp_path_factory.mktemp("patch")) as made:
        for name in NAMES:
            made.ssh(name, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends unattended-upgrades >/dev/null")
        # What is pending in the real archive is not part of the test.
        for name in NAMES:
            made.ssh(name, "unattended-upgrade")
        made.publish("1.0")
        for name in NAMES:
            made.ssh(name, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install gc-demo >/dev/null && rm -f /run/reboot-required*")
        yield made


def test_nothing_pending_touches_nothing(fleet: Fleet) -> None:
    before = fleet.booted()
    ran = fleet.patch()
    assert ran.rc == 0 and not ran.changed, ran.failed or ran.changed
    assert fleet.booted() == before


def test_no_request_is_lost_while_every_host_is_patched_and_rebooted(fleet: Fleet) -> None:
    began = time.monotonic()
    fleet.publish("1.1")
    before = fleet.booted()
    foretold = fleet.patch("--check")
    assert {task.partition(" : ")[2] for _host, task in foretold.changed} >= {"Install security upgrades"} and fleet.versions() == ["1.0"] * 3
    with fleet.load() as report:
        ran = fleet.patch()
    assert ran.rc == 0, ran.failed
    assert fleet.versions() == ["1.1"] * 3
    assert all(fleet.booted()[name] != before[name] for name in NAMES)
    assert {host for host, task in ran.changed if task.endswith("Reboot")} == set(NAMES)

    # The control: the same without telling the balancer.
    fleet.publish("1.2")
    with fleet.load() as control:
        undrained = fleet.patch("--limit", NAMES[0], drain=False)
    assert undrained.rc == 0, undrained.failed
    held = figures.record(
        "patch.requests_failed",
        report.failed,
        unit="requests",
        of=report.requests,
        target="== 0",
        seconds=time.monotonic() - began,
        command="make load",
        control={"what": "reboot without taking the host out", "value": control.failed, "red": control.failed > 0},
    )
    assert held and control.failed > 0, (report.as_dict(), control.as_dict())


def test_a_host_that_does_not_come_back_stops_the_play(fleet: Fleet) -> None:
    fleet.publish("1.3")
    container = f"groundcrew-{fleet.cloud.cloud.name}-droplet-{fleet.droplets['p2']}"
    docker("update", "--restart", "no", container)
    with fleet.load() as report:
        ran = fleet.patch(host_reboot_timeout=15)
    assert ran.rc != 0
    stopped = [message for host, _task, message in ran.failed if host == "p2" and "was not patched to the end" in message]
    assert stopped and '"Reboot" failed' in stopped[0] and "not put back behind what is before it" in stopped[0], ran.failed
    assert "p3" not in {host for host, _task in ran.changed}
    assert report.failed == 0, report.as_dict()

    # Repaired, the next run takes it up where it was.
    docker("update", "--restart", "always", container)
    docker("start", container)
    fleet.cloud.wait("p2", f"/v2/droplets/{fleet.droplets['p2']}", lambda *_answer: reachable(fleet, "p2"))
    again = fleet.patch()
    assert again.rc == 0, again.failed
    assert set(fleet.versions()) == {"1.3"} and not fleet.patch().changed


def test_a_unit_that_fails_after_the_patch_keeps_the_host_out(fleet: Fleet) -> None:
    fleet.ssh("p1", "printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/broken.service")
    fleet.ssh("p1", "systemctl enable --quiet broken.service")
    ran = fleet.patch("--limit", "p1", host_reboot="always")
    assert ran.rc != 0 and any("failed since then: broken.service" in message for _host, _task, message in ran.failed), ran.failed
    fleet.ssh("p1", "systemctl disable --quiet broken.service; rm /etc/systemd/system/broken.service; systemctl daemon-reload; systemctl reset-failed")
    assert json.loads(fleet.ssh("p1", "cat /var/lib/groundcrew/patch.json"))["failed_units"] == []
    assert fleet.patch("--limit", "p1").rc == 0


def test_a_held_lock_and_an_interrupted_dpkg_are_refused_or_repaired(fleet: Fleet) -> None:
    fleet.publish("1.4")
    fleet.ssh("p1", HOLD)
    refused = fleet.patch("--limit", "p1", host_apt_lock_timeout=2)
    assert refused.rc != 0 and not refused.changed, refused.changed
    assert any("/var/lib/dpkg/lock-frontend" in message and "lockf" in message for _host, _task, message in refused.failed), refused.failed
    fleet.ssh("p1", "systemctl stop holder; dpkg --unpack /srv/security/gc-demo_1.4.deb; rm -f /run/reboot-required*")
    assert "gc-demo" in fleet.ssh("p1", "dpkg --audit")
    repaired = fleet.patch("--limit", "p1", host_reboot="never")
    assert repaired.rc == 0 and any(task.endswith("Make apt ready") for _host, task in repaired.changed), repaired.failed
    assert fleet.ssh("p1", "dpkg --audit") == "" and fleet.versions()[0] == "1.4"


def reachable(fleet: Fleet, name: str) -> bool:
    try:
        return bool(fleet.ssh(name, "systemctl is-system-running || true"))
    except AssertionError:
        return False
