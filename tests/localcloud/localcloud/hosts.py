# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Droplets as containers with systemd and sshd: real hosts with an address of their own, in which Docker runs."""

from __future__ import annotations

import io
import shlex
import socket
import tarfile
import time

from localcloud import docker, images
from localcloud.config import Cloud
from localcloud.shell import CloudError, wait_until
from localcloud.store import Document

BOOT_SECONDS = 120
# systemd needs the cgroups and the mount right; Docker inside needs NET_ADMIN, keyrings (seccomp) and a writable /proc/sys.
FLAGS = shlex.split(
    "--restart always --stop-signal SIGRTMIN+3 --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw "
    "--tmpfs /run --tmpfs /run/lock --tmpfs /tmp:exec,mode=1777 --cap-add SYS_ADMIN --cap-add NET_ADMIN "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined -v /var/lib/docker"
)


def container(cloud: Cloud, droplet: Document) -> str:
    return f"groundcrew-{cloud.name}-droplet-{droplet['id']}"


@docker.unless_records_only
def prepare(cloud: Cloud, droplet: Document) -> None:
    """Have the image that the host is made of."""
    images.ensure(images.recipes([droplet["image"]]))


@docker.unless_records_only
def create(cloud: Cloud, droplet: Document) -> None:
    """Make the host and boot it. What a killed attempt left is removed first."""
    name = container(cloud, droplet)
    if docker.inspect("container", name):
        docker.docker("rm", "-fv", name)
    hostname = droplet["name"].split(".")[0]
    flags = ["--label", cloud.label, "--network", cloud.network, "--ip", droplet["address"], *FLAGS]
    docker.docker("create", "--name", name, "--hostname", hostname, *flags, f"groundcrew/droplet:{droplet['image']}")
    docker.docker("cp", "-", f"{name}:/", stdin=_files(droplet))
    docker.docker("start", name)


@docker.unless_records_only
def wait_ready(cloud: Cloud, droplet: Document) -> None:
    """Wait until systemd has booted the host and sshd answers at its address."""
    name = container(cloud, droplet)
    wait_until(f"The boot of {name}", lambda: _booted(name), seconds=BOOT_SECONDS)
    wait_until(f"sshd of {name} at {droplet['address']}:22", lambda: _answers(droplet["address"]), seconds=BOOT_SECONDS)


@docker.unless_records_only
def power(cloud: Cloud, droplet: Document, action: str) -> None:
    """Switch the host as the action says; returns when it is done."""
    name = container(cloud, droplet)
    commands: dict[str, list[tuple[str, ...]]] = {
        "reboot": [("restart", "-t", "20", name)],
        "power_cycle": [("kill", name), ("start", name)],
        "shutdown": [("stop", "-t", "20", name)],
        "power_off": [("kill", name)],
        "power_on": [("start", name)],
    }
    for command in commands[action]:
        docker.docker(*command)
    if action in ("shutdown", "power_off"):
        # A host that was switched off stays off when Docker itself starts again.
        docker.docker("update", "--restart", "no", name)
    else:
        docker.docker("update", "--restart", "always", name)
        wait_ready(cloud, droplet)


@docker.unless_records_only
def rename(cloud: Cloud, droplet: Document, name: str) -> None:
    docker.docker("exec", container(cloud, droplet), "hostname", name.split(".")[0])


@docker.unless_records_only
def restore(cloud: Cloud, droplet: Document) -> None:
    """Switch off again what should be off, and on what should be on, after Docker itself was away."""
    if droplet["status"] in ("off", "active"):
        docker.quietly("stop" if droplet["status"] == "off" else "start", container(cloud, droplet))


def _files(droplet: Document) -> bytes:
    """What the host gets before its first boot, as a tar stream."""
    files = {"root/.ssh/authorized_keys": (0o600, "".join(f"{key}\n" for key in droplet["public_keys"]))}
    if droplet["script"]:
        files["var/lib/cloud/user-data"] = (0o700, droplet["script"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("root/.ssh", "var/lib/cloud"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o700, int(time.time())
            archive.addfile(entry)
        for path, (mode, text) in files.items():
            entry = tarfile.TarInfo(path)
            data = text.encode()
            entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _booted(name: str) -> bool:
    try:
        return docker.docker("exec", name, "sh", "-c", "systemctl is-system-running || true").strip() in ("running", "degraded")
    except CloudError:
        return False


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
