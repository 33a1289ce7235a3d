# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role docker_engine with the packages of Docker and logins of registries, on a fresh host with a repository like Docker's and a registry of its own."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import docker_repository
from tests.integration.dryrun_worlds import droplet
from tests.integration.test_hosts import World

ROLE = "groundcrew.ops.docker_engine"
REGISTRY, PASSWORD = "127.0.0.1:5000", "never-shown-5a1b"
CONFIG = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": "/srv/registry"}}, "http": {"addr": REGISTRY}}
AUTH = {"auth": {"htpasswd": {"realm": "shop", "path": "/etc/docker/registry/htpasswd"}}}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with droplet(cloud, "docker-1") as address:
        made = World(cloud, tmp_path_factory.mktemp("docker"), address)
        made.say("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install docker-registry apache2-utils gpg-agent >/dev/null 2>&1")
        made.say(f"htpasswd -Bbn shop {PASSWORD} >/etc/docker/registry/htpasswd; echo '{json.dumps(CONFIG | AUTH)}' >/etc/docker/registry/config.yml")
        made.say("install -d -o docker-registry /srv/registry; systemctl restart docker-registry")
        made.say(f"cat >/root/repository.py <<'END'\n{Path(docker_repository.__file__).read_text()}\nEND\npython3 /root/repository.py /srv/docker")
        made.say("systemd-run --quiet --unit=repository python3 -m http.server --bind 127.0.0.1 --directory /srv/docker 8090")
        yield made


DOCKERS: dict[str, Any] = {"docker_engine_packages": "docker", "docker_engine_repository": "http://127.0.0.1:8090/linux"}
LOGIN = {"server": REGISTRY, "username": "shop", "password": PASSWORD}


def installed(world: World) -> set[str]:
    said = world.say("dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n'").splitlines()
    names = {line.removeprefix("installed ") for line in said if line.startswith("installed ")}
    return {name for name in names if name.startswith(("docker-", "docker.", "containerd", "runc"))} - {"docker-registry"}


def test_one_engine_does_not_take_the_place_of_another(world: World) -> None:
    assert world.run(ROLE).rc == 0
    before = installed(world)
    refused = world.run(ROLE, **DOCKERS)
    assert refused.rc != 0 and not refused.changed and installed(world) == before
    assert any("which Docker's packages would remove. Run the verb remove first" in message for _host, _task, message in refused.failed), refused.failed
    assert world.run(ROLE, "remove").rc == 0 and not installed(world)


def test_dockers_packages(world: World) -> None:
    changed = world.truthful(ROLE, **DOCKERS, docker_engine_registries=[LOGIN])
    assert {"Add the repository", "Install Docker Engine, Compose and Buildx", "Configure the daemon", "Log in to registries"} <= changed
    assert installed(world) == {name for name, _sources, _relations in docker_repository.PACKAGES}
    assert world.say("docker info --format '{{.LiveRestoreEnabled}}'; docker compose version --short; docker buildx version").startswith("true\n2.")


def test_login_is_one_that_the_registry_knows(world: World) -> None:
    kept = json.loads(world.say("cat /root/.docker/config.json"))["auths"][REGISTRY]["auth"]
    assert base64.b64decode(kept).decode() == f"shop:{PASSWORD}" and world.say("stat --format=%a /root/.docker/config.json").strip() == "600"
    image = f"{REGISTRY}/shop:1"
    world.say(f"tar --create --file - --files-from /dev/null | docker import - {image} && docker push --quiet {image}")
    with pytest.raises(subprocess.CalledProcessError):
        world.say(f"HOME=/nowhere docker push --quiet {image}")


def test_password_is_not_shown_and_a_wrong_one_is_refused(world: World) -> None:
    wrong = world.run(ROLE, **DOCKERS, docker_engine_registries=[{**LOGIN, "password": "other-never-shown"}])
    assert wrong.rc != 0 and "unauthorized" in wrong.output.lower() and "never-shown" not in wrong.output
    shown = world.run(ROLE, **DOCKERS, docker_engine_registries=[{**LOGIN, "state": "absent"}])
    assert shown.rc == 0 and {task.partition(" : ")[2] for _host, task in shown.changed} == {"Log in to registries"} and PASSWORD not in shown.output
    again = world.run(ROLE, **DOCKERS, docker_engine_registries=[LOGIN])
    assert again.rc == 0 and again.changed and PASSWORD not in again.output


def test_remove(world: World) -> None:
    changed = world.truthful(ROLE, "remove", **DOCKERS, docker_engine_registries=[LOGIN])
    assert {"Log in to registries", "Remove the packages"} <= changed and not installed(world)
    left = world.say("ls /etc/apt/sources.list.d /etc/apt/keyrings; cat /root/.docker/config.json")
    assert "groundcrew" not in left and REGISTRY not in left
