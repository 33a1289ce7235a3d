# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose disk is full: upgrades are refused before they begin, and a configuration is written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.dryrun_worlds import droplet
from tests.integration.test_hosts import NAME, World

pytestmark = pytest.mark.slow
HOST, ENGINE = "groundcrew.ops.host", "groundcrew.ops.docker_engine"


@pytest.fixture(scope="module")
def world(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with droplet(cloud, NAME) as address:
        made = World(cloud, tmp_path_factory.mktemp("full"), address)
        assert made.run(HOST).rc == 0 and made.run(ENGINE).rc == 0
        yield made


@contextmanager
def full(world: World, folder: str) -> Iterator[None]:
    """A folder on a file system of its own, with what it had, and no byte more."""
    world.say(f"apt-get clean && cp -a {folder} /root/kept && mount -t tmpfs -o size=1m full {folder}")
    try:
        world.say(f"cp -a /root/kept/. {folder}/ && {{ dd if=/dev/zero of={folder}/.filler bs=4k status=none 2>/dev/null || true; }}")
        yield
    finally:
        world.say(f"umount {folder} && rm -rf /root/kept")


def test_upgrades_are_refused_before_they_begin(world: World) -> None:
    with full(world, "/var/cache/apt/archives"):
        ran = world.run(HOST, "maintain")
    assert ran.rc != 0 and not ran.changed and "/var/cache/apt/archives has 0 MiB free" in str(ran.failed)


@pytest.mark.parametrize(
    ("folder", "role", "more", "look"),
    [
        ("/etc/ssh", HOST, {"host_sshd_options": {"Banner": f"/{'x' * 8192}"}}, "sshd -T | sort; cat /etc/ssh/*.d/*"),
        ("/etc/docker", ENGINE, {"docker_engine_daemon_options": {"labels": ["x" * 8192]}}, "docker info --format '{{json .Labels}}'; cat /etc/docker/*.json"),
    ],
    ids=["sshd", "docker"],
)
def test_a_configuration_is_written_whole_or_not_at_all(world: World, folder: str, role: str, more: dict[str, Any], look: str) -> None:
    before = world.say(look)
    with full(world, folder):
        ran = world.run(role, **more)
        assert ran.rc != 0 and "No space left on device" in str(ran.failed)
        assert world.say(look) == before
    again = world.run(role)
    assert again.rc == 0 and not again.changed, "something of the failed run was left"
