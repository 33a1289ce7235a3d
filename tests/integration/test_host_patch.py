# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with containers, a unit and addresses that does not come back as it was says which of them, and why. Traffic is sent in tests/load/test_patch.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.checkmode import Run
from tests.integration.dryrun_worlds import droplet
from tests.integration.test_hosts import NAME, World

pytestmark = pytest.mark.slow
ROLE = "groundcrew.ops.host"
RECORD = "/var/lib/groundcrew/patch.json"
PREPARE = """set -eu
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends unattended-upgrades docker.io docker-cli iptables >/dev/null 2>&1
unattended-upgrade
rm -f /run/reboot-required*
mkdir -p /srv/site && touch /srv/site/index.html
tar --create --file - --files-from /dev/null | docker import - nothing:1 >/dev/null
printf '[Service]\\nExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv/site 8080\\n[Install]\\nWantedBy=multi-user.target\\n' \
  >/etc/systemd/system/site.service
printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/broken.service
systemctl enable --now --quiet site.service
"""
HERE = " ".join(f"--volume={path}:{path}:ro" for path in ("/usr", "/bin", "/lib", "/lib64", "/run"))


class Host(World):
    def start(self, name: str, *options: str) -> None:
        self.say(f"docker run --detach --network=none --name={name} {' '.join(options)} {HERE} nothing:1 /usr/bin/sleep infinity >/dev/null")

    def patch(self, **variables: Any) -> Run:
        return self.run(ROLE, "maintain", host_reboot_timeout=60, host_health_timeout=20, **variables)


def of_slot(slot: str) -> str:
    labels = {"com.docker.compose.project": f"shop-{slot}", "com.docker.compose.service": "api", "groundcrew.application": "shop", "groundcrew.service": "api"}
    return " ".join(f"--label={key}={value}" for key, value in labels.items())


@pytest.fixture(scope="module")
def host(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with droplet(cloud, NAME) as address:
        made = Host(cloud, tmp_path_factory.mktemp("patch"), address)
        made.say(PREPARE)
        yield made


def told(ran: Run) -> str:
    assert ran.rc != 0
    [message] = [message for _host, _task, message in ran.failed if "was not patched to the end" in message]
    return message


def test_an_engine_that_is_down_is_refused_before_the_host_is_taken_out(host: Host) -> None:
    hook = host.work / "take-out.yml"
    hook.write_text(json.dumps([{"name": "Take it out", "ansible.builtin.file": {"path": "/run/taken-out", "state": "touch", "mode": "0644"}}]))
    host.say("systemctl stop docker.socket docker.service")
    refused = host.patch(host_reboot="always", host_before_patch=str(hook))
    host.say("systemctl start docker.service")
    assert refused.rc != 0 and any("Docker is installed here, and does not say which containers run" in each for _host, _task, each in refused.failed)
    assert not refused.changed and host.say(f"ls /run/taken-out {RECORD} 2>/dev/null || true") == ""


def test_a_hook_that_fails_for_one_of_several_says_for_which(host: Host) -> None:
    hook = host.work / "loop.yml"
    told_why = {"name": "Take it out", "ansible.builtin.command": "sh -c 'echo {{ item }} has no such member >&2; test {{ item }} = one'"}
    hook.write_text(json.dumps([{**told_why, "loop": ["one", "two"], "changed_when": False}]))
    failed = host.patch(host_reboot="always", host_before_patch=str(hook))
    message = told(failed)
    assert f"{NAME} is patched under traffic" not in failed.output and "no address is asked: host_health_urls is empty" in failed.output
    assert '"Take it out" failed: two: ' in message and "two has no such member" in message and "one has" not in message
    host.say(f"rm {RECORD}")


@pytest.fixture(scope="module")
def message(host: Host) -> str:
    """Of a patch after which nothing is as it was."""
    host.say("touch /run/well")
    check = "--health-cmd='test -e /run/well' --health-interval=1s --health-retries=1"
    host.start("checked", "--restart=unless-stopped", check)
    host.start("once")
    host.start("shop-a-api-1", "--restart=unless-stopped", of_slot("a"))
    host.say("for turn in $(seq 20); do docker inspect -f '{{.State.Health.Status}}' checked | grep -q healthy && break; sleep 1; done")
    host.say("systemctl enable --quiet broken.service")
    urls = ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/none", "http://127.0.0.1:8081/"]
    return told(host.patch(host_reboot="always", host_health_urls=urls))


def test_a_container_that_is_missing_is_named(message: str) -> None:
    assert "once (exited, exit code " in message and "shop-a-api-1" not in message


def test_an_unhealthy_container_is_named(message: str) -> None:
    assert "checked (unhealthy)" in message


def test_a_failed_unit_is_named(message: str) -> None:
    assert "failed since then: broken.service (" in message


def test_addresses_are_named_with_status_or_error(message: str) -> None:
    assert "http://127.0.0.1:8080/none answered 404, not 200" in message and "http://127.0.0.1:8080/ " not in message
    assert "http://127.0.0.1:8081/ did not answer: " in message and "refused" in message


def test_what_was_released_meanwhile_does_not_block_the_next_run(host: Host, message: str) -> None:
    assert {"name": "shop-a-api-1", "service": "shop/api", "well": True} in json.loads(host.say(f"cat {RECORD}"))["containers"]
    host.say("systemctl disable --quiet broken.service; systemctl reset-failed; touch /run/well; docker start once >/dev/null")
    host.say("docker stop --time=1 shop-a-api-1 >/dev/null")
    host.start("shop-b-api-1", "--restart=unless-stopped", of_slot("b"))
    again = host.patch(host_reboot="never", host_health_urls=["http://127.0.0.1:8080/"])
    assert again.rc == 0, again.failed
    assert f"{NAME} is patched under traffic" in again.output and "no address is asked" not in again.output
    assert host.say(f"ls {RECORD} 2>/dev/null || true") == "" and not host.patch(host_reboot="never").changed
