# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud's life: up, down and what is seen in between."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from localcloud import docker, engine, images, registry, s3
from localcloud.client import Client
from localcloud.config import Cloud
from localcloud.process import Process, python, require_free
from localcloud.shell import CloudError, run, step, wait_until

START_SECONDS = 30
NEEDED_GIB = 6


def up(cloud: Cloud) -> None:
    """Start what does not run. Safe to repeat, and to repeat after a kill at any point."""
    _require_space(cloud.dir, Path("/var/lib"))
    if not _api_process(cloud).pid:
        require_free("127.0.0.1", {"API": cloud.api_port})
    registry.require_ports(cloud)
    s3.require_ports(cloud)
    engine.up()
    images.ensure([*images.recipes([images.DEFAULT]), images.database()])
    _network(cloud)
    if not cloud.ssh_key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"localcloud-{cloud.name}", "-f", str(cloud.ssh_key)])
    s3.up(cloud)
    registry.up(cloud)
    _api(cloud)


def down(cloud: Cloud) -> None:
    """Remove all of it. Safe to repeat."""
    with step(f"cloud '{cloud.name}' removed"):
        for process in [_api_process(cloud), s3.process(cloud), *registry.processes(cloud).values()]:
            process.stop(seconds=2)  # what it would still save is removed
        if not engine.answers():
            if shutil.which("dockerd"):
                engine.up()  # containers cannot be removed without it
            else:
                shutil.rmtree(cloud.dir)
                return
        for container in docker.names("container", cloud.label):
            docker.docker("rm", "-fv", container)
        for volume in docker.names("volume", cloud.label):
            docker.docker("volume", "rm", volume)
        for network in docker.names("network", cloud.label):
            docker.docker("network", "rm", network)
        shutil.rmtree(cloud.dir)


def kill_api(cloud: Cloud) -> None:
    """End the API at once, as a crash would; its hosts and servers go on."""
    process = _api_process(cloud)
    if process.pid:
        os.kill(process.pid, signal.SIGKILL)
        wait_until("The end of the API", lambda: process.pid is None, seconds=10)


def remove_images() -> None:
    """Remove the images that recipes made, but those that another cloud uses."""
    docker.docker("image", "prune", "--all", "--force", "--filter", "label=groundcrew.recipe")


def status(cloud: Cloud) -> dict[str, str]:
    """What runs, by part."""
    processes = {"api": _api_process(cloud), "s3": s3.process(cloud), **{process.name: process for process in registry.processes(cloud).values()}}
    parts = {name: f"pid {process.pid}" if process.pid else "not running" for name, process in processes.items()}
    parts["docker"] = "answers" if engine.answers() else "not running"
    if parts["docker"] == "answers":
        parts["containers"] = str(len(docker.names("container", cloud.label)))
    return parts


def droplet_address(cloud: Cloud, which: str) -> str:
    """The address of a droplet by name or number."""
    droplets = Client(cloud).request("GET", "/v2/droplets?per_page=200")[1]["droplets"]
    for droplet in droplets:
        if which in (droplet["name"], str(droplet["id"])) and droplet["networks"]["v4"]:
            return str(droplet["networks"]["v4"][0]["ip_address"])
    raise CloudError(f"No droplet '{which}' is up; there are: {', '.join(droplet['name'] for droplet in droplets) or 'none'}.")


def _network(cloud: Cloud) -> None:
    found = docker.inspect("network", cloud.network)
    if found and found["IPAM"]["Config"][0]["Subnet"] == cloud.subnet:
        return
    with step(f"network {cloud.subnet}"):
        docker.docker("network", "create", "--label", cloud.label, "--subnet", cloud.subnet, "--gateway", cloud.gateway, cloud.network)


def _api(cloud: Cloud) -> None:
    process = _api_process(cloud)
    if process.pid and Client(cloud).answers():
        return
    with step(f"DigitalOcean API at {cloud.api_url}"):
        process.stop()
        process.start([python(), "-m", "localcloud.serve", str(cloud.dir)], {"PYTHONPATH": str(Path(__file__).parents[1])})
        process.wait_for(lambda: Client(cloud).answers(), START_SECONDS)


def _api_process(cloud: Cloud) -> Process:
    return Process("api", cloud.dir)


def _require_space(*places: Path) -> None:
    for place in places:
        free = shutil.disk_usage(place).free / 2**30
        if free < NEEDED_GIB:
            raise CloudError(f"Only {free:.1f} GiB are free at {place}; the local cloud needs {NEEDED_GIB} GiB. Free some space, then run this again.")
