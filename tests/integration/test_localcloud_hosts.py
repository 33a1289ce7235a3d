# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local cloud promises is real: hosts, power, keys, user data, and that it survives its own end."""

from __future__ import annotations

import http.client
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PREFIX = "hosts-"
USER_DATA = """#cloud-config
write_files:
  - {path: /root/written, content: hello, permissions: '0600'}
runcmd:
  - [touch, /root/ran]
"""


def address(droplet: dict[str, Any]) -> str:
    return str(droplet["networks"]["v4"][0]["ip_address"])


def ssh(cloud: Any, droplet: dict[str, Any], command: str, key: Path | None = None) -> subprocess.CompletedProcess[str]:
    options = shlex.split(
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=5"
    )
    line = ["ssh", "-i", str(key or cloud.cloud.ssh_key), *options, f"root@{address(droplet)}", command]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def containers(cloud: Any, droplet_id: int) -> str:
    return subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"name=groundcrew-{cloud.cloud.name}-droplet-{droplet_id}$"], capture_output=True, text=True, check=True
    ).stdout.strip()


def volumes() -> set[str]:
    return set(subprocess.run(["docker", "volume", "ls", "-q"], capture_output=True, text=True, check=True).stdout.split())


def act(cloud: Any, droplet: dict[str, Any], kind: str, **details: Any) -> dict[str, Any]:
    """Carry out an action and return the droplet afterwards."""
    path = f"/v2/droplets/{droplet['id']}"
    status, answer = cloud.request("POST", f"{path}/actions", {"type": kind, **details})
    assert status == 201, answer
    done = cloud.wait(kind, f"/v2/actions/{answer['action']['id']}", lambda _, body: body["action"]["status"] != "in-progress")
    assert done["action"]["status"] == "completed"
    return dict(cloud.request("GET", path)[1]["droplet"])


def create(cloud: Any, name: str, **more: Any) -> dict[str, Any]:
    body = {"name": f"{PREFIX}{name}", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "ssh_keys": [cloud.ssh_key()], **more}
    status, answer = cloud.request("POST", "/v2/droplets", body)
    assert status == 202, answer
    return dict(answer["droplet"])


def ready(cloud: Any, droplet: dict[str, Any]) -> dict[str, Any]:
    return dict(cloud.wait("The droplet", f"/v2/droplets/{droplet['id']}", lambda status, body: body["droplet"]["status"] == "active")["droplet"])


@pytest.fixture(scope="module")
def droplet(cloud: Any) -> Iterator[dict[str, Any]]:
    made = create(cloud, "one", user_data=USER_DATA)
    yield ready(cloud, made)
    cloud.request("DELETE", f"/v2/droplets/{made['id']}")


def test_the_key_given_opens_the_host_and_no_other_does(cloud: Any, droplet: dict[str, Any], tmp_path: Path) -> None:
    assert ssh(cloud, droplet, "hostname").stdout == f"{droplet['name']}\n"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    assert "Permission denied" in ssh(cloud, droplet, "true", tmp_path / "other").stderr


def test_user_data_was_carried_out(cloud: Any, droplet: dict[str, Any]) -> None:
    done = ssh(
        cloud,
        droplet,
        "for i in $(seq 50); do [ -e /var/lib/cloud/user-data.done ] && break; sleep 0.2; done; cat /root/written; stat -c %a /root/written; ls /root/ran",
    )
    assert done.stdout.splitlines() == ["hello600", "/root/ran"]


def test_a_host_reaches_debian_the_registry_and_s3(cloud: Any, droplet: dict[str, Any]) -> None:
    registry, s3 = cloud.env["GROUNDCREW_LOCAL_REGISTRY"], cloud.env["AWS_ENDPOINT_URL_S3"]
    done = ssh(cloud, droplet, f"apt-get update -q >/dev/null && curl -fsS http://{registry}/v2/ && curl -s -o /dev/null -w %{{http_code}} {s3}")
    assert (done.returncode, done.stdout) == (0, "{}403"), done.stderr


def test_power_is_real(cloud: Any, droplet: dict[str, Any]) -> None:
    boot = "systemctl show --value -p UserspaceTimestampMonotonic"
    before = ssh(cloud, droplet, boot).stdout
    assert act(cloud, droplet, "reboot")["status"] == "active"
    assert ssh(cloud, droplet, boot).stdout != before
    assert act(cloud, droplet, "shutdown")["status"] == "off"
    assert ssh(cloud, droplet, "true").returncode == 255
    assert act(cloud, droplet, "resize", size="s-2vcpu-4gb", disk=True)["size_slug"] == "s-2vcpu-4gb"
    assert act(cloud, droplet, "power_on")["status"] == "active"
    assert ssh(cloud, droplet, "cat /root/written").stdout == "hello"


def test_what_runs_cannot_be_resized(cloud: Any, droplet: dict[str, Any]) -> None:
    status, answer = cloud.request("POST", f"/v2/droplets/{droplet['id']}/actions", {"type": "resize", "size": "s-1vcpu-2gb"})
    assert (status, answer["message"]) == (422, "Droplet must be powered off to perform this action.")


def test_a_deleted_droplet_leaves_no_host_and_no_volume(cloud: Any) -> None:
    before = volumes()
    made = ready(cloud, create(cloud, "gone"))
    assert containers(cloud, made["id"])
    during = volumes() - before
    assert during
    assert cloud.request("DELETE", f"/v2/droplets/{made['id']}")[0] == 204
    assert cloud.request("GET", f"/v2/droplets/{made['id']}")[0] == 404
    cloud.wait("The end of the host", "/v2/account", lambda *_: not containers(cloud, made["id"]) and not during & volumes(), 60)


def test_the_api_killed_at_work_goes_on_where_it_was(cloud: Any, droplet: dict[str, Any]) -> None:
    new = create(cloud, "killed")
    cloud.restart()
    assert address(cloud.request("GET", f"/v2/droplets/{droplet['id']}")[1]["droplet"]) == address(droplet)
    new = ready(cloud, new)
    assert ssh(cloud, new, "hostname").stdout == f"{new['name']}\n"
    assert cloud.request("DELETE", f"/v2/droplets/{new['id']}")[0] == 204
    cloud.restart()  # a removal that was noted is carried out all the same
    cloud.wait("The end of the host", "/v2/account", lambda *_: not containers(cloud, new["id"]), 60)


def test_a_lost_answer_leaves_what_was_done(cloud: Any) -> None:
    cloud.control("POST", "faults", {"method": "POST", "path": "/v2/tags", "drop": True})
    with pytest.raises((OSError, http.client.HTTPException)):
        cloud.request("POST", "/v2/tags", {"name": f"{PREFIX}lost"})
    assert cloud.request("GET", f"/v2/tags/{PREFIX}lost")[0] == 200
    assert cloud.request("DELETE", f"/v2/tags/{PREFIX}lost")[0] == 204
