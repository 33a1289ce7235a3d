# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role docker_engine left on the hosts: an engine that runs containers."""

from __future__ import annotations

import json

from testinfra.host import Host


def test_daemon_runs_with_the_configuration(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running and service.is_enabled
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["DefaultAddressPools"] == [{"Base": "172.29.0.0/16", "Size": 24}]
    assert info["RegistryConfig"]["IndexConfigs"]["192.0.2.1:5000"]["Secure"] is False


def test_compose_is_version_2(host: Host) -> None:
    assert host.check_output("docker compose version --short").startswith("2.")
    assert host.run("docker buildx version").rc == 0


def test_containers_survive_the_daemon(host: Host, image: str) -> None:
    name = host.check_output(f"docker run --detach {image} /busybox sleep 300")
    try:
        limits = json.loads(host.check_output(f"docker inspect --format '{{{{json .HostConfig.LogConfig.Config}}}}' {name}"))
        assert limits == {"max-file": "5", "max-size": "7m"}
        started = host.check_output(f"docker inspect --format '{{{{.State.StartedAt}}}}' {name}")
        host.check_output("systemctl restart docker")
        assert host.check_output(f"docker inspect --format '{{{{.State.Running}}}} {{{{.State.StartedAt}}}}' {name}") == f"true {started}"
    finally:
        host.check_output(f"docker rm --force {name}")


def test_only_the_plugins_are_borrowed(host: Host) -> None:
    if host.system_info.codename != "bookworm":
        assert not host.file("/etc/apt/preferences.d/groundcrew-docker-plugins").exists
        return
    assert host.package("docker.io").version.startswith("20.10")
    assert host.run("apt-get --simulate upgrade").stdout.count("trixie") == 0
