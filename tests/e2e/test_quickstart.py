# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job from nothing to nothing, in a cloud of its own: a dry run, a run that is killed, the run that completes it,
a dry run and a run that change nothing, what goes wrong, and what is left in the end.

The playbooks run are playbooks/site.yml, which imports all verbs but one, and playbooks/remove.yml.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME, INDEX = "e2e", "2"
STEPS = ["provision", "host", "deploy", "backup", "restore", "rotate", "maintain"]
UNCHANGED = ["provision", "host", "deploy"]
Report = dict[str, Any]


def runner() -> ModuleType:
    """The program itself, for where it keeps what."""
    sys.path.insert(0, str(ROOT / "tests" / "localcloud"))
    return import_module("quickstart")


def quickstart_argv(command: str, *options: str) -> list[str]:
    return [sys.executable, "tests/localcloud/quickstart.py", command, "--name", NAME, "--index", INDEX, *options]


def quickstart(command: str, *options: str) -> str:
    done = subprocess.run(quickstart_argv(command, *options), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def report(folder: str = NAME) -> Report:
    with (ROOT / "build" / folder / "report.json").open() as stream:
        read: Report = json.load(stream)
    return read


def step(of: Report, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in of["steps"] if one["name"] == name)
    return found


def changes(of: Report, name: str) -> list[tuple[str, str]]:
    return sorted((change["host"], change["task"]) for change in step(of, name)["changes"])


def kill_during(play: str) -> None:
    """Start the quickstart and kill it, with everything it started, as soon as Ansible says that a play has begun."""
    log = ROOT / "build" / NAME / "ansible.log"
    log.unlink(missing_ok=True)
    running = subprocess.Popen(quickstart_argv("up"), cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 900
    while not (log.exists() and f"PLAY [{play}]" in log.read_text()):
        assert running.poll() is None, "the quickstart ended before it could be killed"
        assert time.monotonic() < deadline, f"the play {play} never began"
        time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def traces() -> dict[str, set[str]]:
    """What a quickstart could leave on this machine, outside this tree, without what belongs to another cloud."""

    def lines(*argv: str) -> set[str]:
        return set(subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.splitlines())

    def objects(*listing: str, name: str) -> set[str]:
        told = lines(shutil.which("docker") or "true", *listing, "--format", f'{{{{.{name}}}}} {{{{.Label "groundcrew.cloud"}}}}')
        return {line.split()[0] for line in told if line.split()[1:] in ([], [NAME])}

    return {
        "containers": objects("ps", "--all", name="Names"),
        "volumes": objects("volume", "ls", "--filter", "dangling=true", name="Name"),  # those without a name are in use by other clouds' hosts
        "networks": objects("network", "ls", name="Name"),
        "processes": {line for line in lines("ps", "-eo", "args") if f"localcloud/{NAME}" in line or f"build/{NAME}" in line},
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f"localcloud/{NAME}" in line or f"build/{NAME}" in line},
        "files": {str(path) for path in [runner().Quickstart(NAME, int(INDEX)).sockets] if path.exists()},
    }


@dataclass
class World:
    """What the runs before the tests have reported."""

    before: dict[str, set[str]]
    first_check: Report
    killed: Report
    first: Report
    second_check: Report
    second: Report
    env: Mapping[str, str]

    def playbook(self, name: str, *arguments: str, inventory: str = "inventories/local", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook as an operator would, in the quickstart's environment."""
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", inventory, f"playbooks/{name}", *arguments]
        done = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, **self.env, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False
        )
        print(done.stdout)
        return done

    def served(self) -> dict[str, str]:
        """The release that each host serves, as the proofs of a run saw it."""
        return {
            host: facts["compose_app_result"]["serving"]["release"]
            for host, facts in step(self.second, "deploy")["facts"].items()
            if "compose_app_result" in facts
        }


def environment() -> dict[str, str]:
    """What the quickstart gives Ansible, read where it makes it."""
    given: dict[str, str] = runner().cloud_environment(runner().Quickstart(NAME, int(INDEX)))
    return given


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    quickstart("down", "--keep-images")
    shutil.rmtree(ROOT / "build" / NAME, ignore_errors=True)
    before = traces()
    try:
        quickstart("check")
        first_check = report(f"{NAME}-check")
        kill_during("Deploy the application")
        killed = report()
        quickstart("up")
        first = report()
        quickstart("check")
        second_check = report(f"{NAME}-check")
        quickstart("up")
        yield World(
            before, first_check, killed, first, second_check, report(), {**environment(), "GROUNDCREW_REPORT_DIR": str(ROOT / "build" / f"{NAME}-playbooks")}
        )
    finally:
        quickstart("down", "--keep-images")


def test_every_step_went_through_and_the_report_has_its_shape(world: World) -> None:
    for run in (world.first, world.second):
        assert run["schema"] == 1
        assert isinstance(run["started"], str | int | float)
        assert run["seconds"] > 0
        assert [one["name"] for one in run["steps"]] == STEPS
        for one in run["steps"]:
            assert one["outcome"] == "ok", one
            assert set(one) >= {"name", "hosts", "seconds", "changed", "outcome", "facts"}
            assert one["changed"] == len(one["changes"])
    assert (ROOT / "build" / NAME / "report.html").stat().st_size > 1000


def test_a_second_run_changes_nothing_and_the_first_one_did(world: World) -> None:
    assert {name: step(world.second, name)["changed"] for name in UNCHANGED} == dict.fromkeys(UNCHANGED, 0)
    # The control: the same count is red for a run that has something to do.
    assert step(world.killed, "provision")["changed"] > 0
    assert step(world.killed, "host")["changed"] > 0


def test_the_first_dry_run_promises_what_the_run_does(world: World) -> None:
    assert changes(world.first_check, "provision") == changes(world.killed, "provision") != []


@pytest.mark.parametrize("name", STEPS)
def test_the_second_dry_run_promises_what_the_run_does(world: World, name: str) -> None:
    assert changes(world.second_check, name) == changes(world.second, name)


def test_a_killed_quickstart_completes(world: World) -> None:
    assert step(world.killed, "deploy")["outcome"] == "failed"
    assert step(world.first, "deploy")["outcome"] == "ok"


def test_both_hosts_serve_the_release_and_a_worker_does_its_job(world: World) -> None:
    proofs = world.second["proofs"]
    assert len(proofs) == 4
    assert all(proof["holds"] for proof in proofs), proofs
    deployed = {facts["compose_app_result"]["release"] for facts in step(world.second, "deploy")["facts"].values() if "compose_app_result" in facts}
    assert len(world.served()) == 2
    assert set(world.served().values()) == deployed


def test_the_restored_database_equals_its_source(world: World) -> None:
    facts = next(facts["postgresql_result"] for facts in step(world.second, "restore")["facts"].values() if "postgresql_result" in facts)
    assert facts["verdict"] == facts["live_verdict"] == "equal"
    assert facts["source_rows"] == facts["restored_rows"] > 0
    assert {table["name"] for table in facts["tables"]} >= {"public.orders"} or {table["name"] for table in facts["tables"]} >= {"orders"}
    assert all(table["equal"] for table in facts["tables"])


def test_the_password_was_rotated_in_each_run(world: World) -> None:
    versions = []
    for run in (world.first, world.second):
        facts = [facts["secret_result"]["shop/database"] for facts in step(run, "rotate")["facts"].values() if "secret_result" in facts]
        assert [one["state"] for one in facts] == ["STEADY"]
        versions.append(facts[0]["version"])
    assert versions[0] != versions[1]


def test_the_timers_are_there_and_the_backup_timer_works(world: World) -> None:
    cloud = [sys.executable, "-m", "localcloud", "ssh", "--dir", str(ROOT / "build" / "localcloud" / NAME), "shop-1"]

    def ssh(command: str) -> str:
        done = subprocess.run(
            [*cloud, *shlex.split(command)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "localcloud")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "groundcrew-postgresql-backup.timer" in ssh("systemctl list-timers --all groundcrew-*")
    ssh("systemctl start groundcrew-postgresql-backup.service")
    record = json.loads(ssh("cat /var/lib/groundcrew/maintenance/postgresql-backup.json"))
    assert record["outcome"] == "ok", record


def test_one_damaged_byte_and_the_restore_refuses_and_names_the_object(world: World) -> None:
    store = boto3.client(
        "s3",
        endpoint_url=world.env["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=world.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=world.env["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    objects = store.list_objects_v2(Bucket="shop-backups")["Contents"]
    newest = max((each for each in objects if each["Key"].endswith("manifest.json")), key=lambda each: each["LastModified"])["Key"].removesuffix(
        "manifest.json"
    )
    victim = max((each for each in objects if each["Key"].startswith(f"{newest}data/")), key=lambda each: each["Size"])["Key"]
    whole = store.get_object(Bucket="shop-backups", Key=victim)["Body"].read()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 1
    store.put_object(Bucket="shop-backups", Key=victim, Body=bytes(damaged))
    try:
        refused = world.playbook("restore.yml")
    finally:
        store.put_object(Bucket="shop-backups", Key=victim, Body=whole)
    assert refused.returncode != 0
    assert victim.rsplit("/", 1)[-1] in refused.stdout
    assert "Traceback" not in refused.stdout
    # The control: the same bytes as before restore.
    assert world.playbook("restore.yml").returncode == 0


NEW_FLEET = ["-e", "droplet_fleet_tag=other", "-e", "droplet_name_prefix=other"]


@pytest.mark.parametrize(
    ("playbook", "arguments", "env", "said"),
    [
        pytest.param("provision.yml", [], {"DIGITALOCEAN_TOKEN": "dop_v1_wrong"}, ["token", "DIGITALOCEAN_TOKEN"], id="wrong token"),
        pytest.param("provision.yml", [*NEW_FLEET, "-e", "droplet_region=mars1"], {}, ["mars1", "Offered: ", "fra1"], id="unknown region"),
        pytest.param("provision.yml", [*NEW_FLEET, "-e", "droplet_size=s-99vcpu"], {}, ["s-99vcpu", "Offered", "s-1vcpu-2gb"], id="unknown size"),
        pytest.param("deploy.yml", ["-e", "ansible_port=9"], {}, ["UNREACHABLE", "Connection refused"], id="unreachable host"),
        pytest.param("deploy.yml", ["-e", "compose_app_version=9.9.9"], {}, ["shop:9.9.9", "does not exist"], id="no such image"),
        pytest.param("deploy.yml", ["-e", '{"compose_app_free_space": 99999999}', "-e", "compose_app_version=1.1.0"], {}, ["MiB are free"], id="full disk"),
    ],
)
def test_what_goes_wrong_is_said_clearly_and_does_no_damage(world: World, playbook: str, arguments: list[str], env: dict[str, str], said: list[str]) -> None:
    failed = world.playbook(playbook, *arguments, **env)
    assert failed.returncode != 0
    for words in said:
        assert words in failed.stdout
    assert "Traceback" not in failed.stdout


def test_a_missing_variable_is_named_before_anything_happens(world: World, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts"
    inventory.write_text("localhost ansible_connection=local\n")
    failed = world.playbook("provision.yml", inventory=str(inventory))
    assert failed.returncode != 0
    assert "missing required arguments" in failed.stdout
    assert "droplet_fleet_tag" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_after_all_that_the_same_release_serves(world: World) -> None:
    again = world.playbook("deploy.yml", "--check")
    assert again.returncode == 0
    assert "changed=0" in again.stdout.split("PLAY RECAP")[1]


def test_remove_takes_back_what_provision_made(world: World) -> None:
    refused = world.playbook("remove.yml", "-e", "droplet_remove_confirm=nothing", "-e", '{"managed_database_remove_confirm": []}')
    assert refused.returncode != 0
    assert "Nothing was removed" in refused.stdout
    confirmed = world.playbook("remove.yml", "-e", "droplet_remove_confirm=shop-local", "-e", '{"managed_database_remove_confirm": ["shop-db", "shop-cache"]}')
    assert confirmed.returncode == 0

    def left() -> list[str]:
        return [name for name in traces()["containers"] if name.startswith(f"groundcrew-{NAME}-")]

    deadline = time.monotonic() + 30  # the API answers before a host is gone, as DigitalOcean's does
    while left() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not left()


def test_down_leaves_nothing_of_this_cloud(world: World) -> None:
    assert traces() != world.before, "control: something is there to remove"
    quickstart("down", "--keep-images")
    assert traces() == world.before
