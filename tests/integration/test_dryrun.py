# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dry run tells the truth: walks over the verbs of roles from random states, each step a dry run and the run that it foretold.

GROUNDCREW_DRYRUN_SEED repeats a walk; its seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import figures
from tests.integration import dryrun_vm, dryrun_world_data, dryrun_world_host, release_host
from tests.integration.dryrun_verbs import APPLICATION_VERBS, CONTROL_VERBS
from tests.integration.dryrun_verbs_data import DATA_VERBS
from tests.integration.dryrun_verbs_host import HOST_VERBS
from tests.integration.dryrun_walk import EXCEPTIONS, Tally, Verb, Walk, World
from tests.integration.dryrun_worlds import FLEET, ControlNode, Host, droplet

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("GROUNDCREW_DRYRUN_SEED") or random.SystemRandom().randrange(10**6))
NAME = "dryrun-walk"
BUCKET = "dryrun-made"
WALKS = {"control": CONTROL_VERBS, "application": APPLICATION_VERBS, "vm": dryrun_vm.VM_VERBS, "data": DATA_VERBS, "host": HOST_VERBS}
# Three lies: it writes in check mode, it changes what it did not say, and it changes something else than it said.
LIAR = [
    {"name": "Write in check mode", "ansible.builtin.copy": {"content": "{{ now() }}", "dest": "/etc/liar-1", "mode": "0644"}, "check_mode": False},
    {"name": "Keep silent", "ansible.builtin.copy": {"content": "x", "dest": "/etc/liar-2", "mode": "0644"}, "when": "not ansible_check_mode"},
    {"name": "Say another", "ansible.builtin.copy": {"content": "{{ ansible_check_mode }}", "dest": "/etc/liar-3", "mode": "0644"}},
]
LIES = {"Keep silent", "Say another", "file /etc/liar-1"}


def application(cloud: Any) -> dict[str, Any]:
    """What the inventory says of an application, whose images are in the registry."""
    registry = cloud.env["GROUNDCREW_LOCAL_REGISTRY"]
    for version in ("1.0.0", "1.1.0"):
        image = f"{cloud.env['GROUNDCREW_LOCAL_REGISTRY_PUSH']}/rude:{version}"
        for command in (["build", "-q", "--build-arg", f"VERSION={version}", "-t", image, str(release_host.APP)], ["push", "-q", image]):
            subprocess.run(["docker", *command], check=True, capture_output=True)
    return {"docker_engine_insecure_registries": [registry], **release_host.application(registry)}


def account(cloud: Any, secrets: Path) -> dict[str, Any]:
    """What is the same for every verb on the control node."""
    password = secrets.parent / "password"
    password.write_text("dryrun\n")
    return {
        "backup_repository_endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"],
        "backup_repository_access_key": cloud.env["AWS_ACCESS_KEY_ID"],
        "backup_repository_secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"],
        "backup_repository_addressing_style": "path",
        "backup_repository_signing_key": "0123456789abcdef0123456789abcdef",
        "backup_repository_bucket": BUCKET,
        "backup_repository_databases": [],
        "droplet_fleet_tag": FLEET,
        "droplet_name_prefix": FLEET,
        "droplet_size": "s-1vcpu-1gb",
        "droplet_image": "debian-13-x64",
        "droplet_region": "fra1",
        "droplet_ssh_keys": [str(cloud.ssh_key())],
        "droplet_remove_confirm": FLEET,
        "managed_database_remove_confirm": ["dryrun-cache"],
        "secret_store_path": str(secrets),
        "secret_vault_password_file": str(password),
        "secret_grace": 0,
        "secret_quiet": 0,
        "secret_observe": 0,
    }


def declared() -> set[str]:
    """Every verb of every role."""
    specs = {path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    return {f"{role}.{verb}" for role, spec in specs.items() for verb in spec}


def walked() -> set[str]:
    return {verb.name for verbs in WALKS.values() for verb in verbs}


@pytest.mark.slow
def test_every_verb_is_walked() -> None:
    assert declared() == walked()
    assert {each["verb"] for each in yaml.safe_load(EXCEPTIONS.read_text())} <= walked()


@pytest.fixture(scope="module")
def seen() -> dict[str, Tally]:
    """What each walk found, and the control."""
    return {}


@pytest.fixture
def world(request: pytest.FixtureRequest, cloud: Any, tmp_path: Path) -> Iterator[World]:
    """Where a walk goes; nothing of it is left."""
    secrets, work = tmp_path / "secrets", tmp_path / "work"
    secrets.mkdir()
    work.mkdir()
    try:
        if request.param == "control":
            yield ControlNode(cloud, work, secrets, BUCKET, account(cloud, secrets))
        elif request.param == "host":
            with dryrun_world_host.operated(cloud, work, secrets) as ready:
                yield ready
        elif request.param == "data":
            with dryrun_world_data.backing_up(cloud, work) as ready:
                yield ready
        elif request.param == "vm":
            with dryrun_vm.account(work) as ready:
                yield ready
        else:
            shared = application(cloud) if request.param == "application" else {}
            with droplet(cloud, NAME) as address:
                yield Host(NAME, address, cloud.cloud.ssh_key, work, shared)
    finally:
        clear(cloud)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "world"), [(name, name) for name in WALKS], indirect=["world"], ids=list(WALKS))
def test_every_dry_run_says_what_its_run_then_does(name: str, world: World, seen: dict[str, Tally]) -> None:
    began = time.monotonic()
    print(f"GROUNDCREW_DRYRUN_SEED={SEED}")
    tally = seen[name] = Walk(world, WALKS[name], SEED).all(1)
    tally.seconds = time.monotonic() - began
    print(f"{tally.steps.total()} steps, {tally.failed.total()} of which failed as foretold, {tally.compared} changes, excepted: {tally.excepted}")
    assert [verb for verb, count in tally.steps.items() if tally.failed[verb] == count] == [], "they never succeeded, so nothing was compared"
    assert tally.mismatches == [], f"GROUNDCREW_DRYRUN_SEED={SEED}: " + "\n".join(tally.mismatches)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["control of the test"], indirect=True)
def test_lies_are_counted(world: World, seen: dict[str, Tally], tmp_path: Path) -> None:
    tasks = tmp_path / "work" / "roles" / "liar" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(json.dumps(LIAR))
    walk = Walk(world, [], SEED)
    walk.step(Verb("liar", "main", lambda _chance: {}, collection=""))
    seen["liar"] = walk.tally
    assert {lie for lie in LIES if any(lie in line for line in walk.tally.mismatches)} == LIES, walk.tally.mismatches


@pytest.mark.slow
def test_no_dry_run_lies(seen: dict[str, Tally]) -> None:
    """Of all walks, so this file runs whole."""
    assert set(seen) == {*WALKS, "liar"}
    found = [seen[name] for name in WALKS]
    figures.record(
        "dryrun.mismatches",
        sum(len(each.mismatches) for each in found),
        unit=f"changes by {len(walked())} of {len(declared())} verbs",
        of=sum(each.compared for each in found),
        target="== 0",
        seconds=sum(each.seconds for each in found),
        command="make test-full",
        control={"what": "a role with three lies", "value": len(seen["liar"].mismatches), "red": True},
    )


def clear(cloud: Any) -> None:
    """Nothing of the walks is left in the account."""
    for each in cloud.request("GET", "/v2/databases")[1]["databases"]:
        if each["name"].startswith("dryrun-"):
            cloud.request("DELETE", f"/v2/databases/{each['id']}")
    cloud.request("DELETE", f"/v2/droplets?tag_name={FLEET}")
    for each in cloud.request("GET", "/v2/firewalls")[1]["firewalls"]:
        if each["name"].startswith(FLEET):
            cloud.request("DELETE", f"/v2/firewalls/{each['id']}")
