# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles that prepare hosts, on a fresh one: the dry run tells the truth, removal removes, an operator cannot be locked out."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import awx_job, checkmode
from tests.integration.awx_standin import prepared, served

# Molecule applies the roles to the older release as well.
IMAGES = ["debian-13-x64"]
NAME = "hosts-1"
USER = {"name": "olive", "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMJx1bRyVYkBh5Ut9HqmQm0h5XH3TSDkYgXHlPN8jBmP olive"], "sudo": True}
UNITS = "Have the services and timers"
# What a host has before the role comes, and what somebody else puts there later.
DAEMON: dict[str, Any] = {"shutdown-timeout": 20, "log-driver": "local"}
LABELS: dict[str, Any] = {"labels": ["rack=1"]}
TASK = {"name": "speaks", "description": "Say something", "command": ["echo", "hello"], "calendar": "daily"}


class World:
    """A fresh host, and playbooks that apply one role to it."""

    def __init__(self, cloud: Any, work: Path, address: str) -> None:
        self.work = work
        self.inventory = work / "hosts.json"
        settings = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": cloud.env["GROUNDCREW_LOCAL_SSH_KEY"],
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        self.inventory.write_text(json.dumps({"all": {"hosts": {NAME: {"ansible_host": address}}, "vars": settings}}))
        self.env = {"ANSIBLE_COLLECTIONS_PATH": f"{work}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":"), "ANSIBLE_PIPELINING": "1"}
        collection = work / "ansible_collections" / "groundcrew" / "ops"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(Path(__file__).resolve().parents[2])

    def say(self, command: str) -> str:
        """What a command says on the host."""
        host = json.loads(self.inventory.read_text())["all"]
        options = [*shlex.split(host["vars"]["ansible_ssh_common_args"]), "-o", "LogLevel=ERROR", "-i", host["vars"]["ansible_ssh_private_key_file"]]
        ssh = ["ssh", *options, f"root@{host['hosts'][NAME]['ansible_host']}", command]
        return subprocess.run(ssh, check=True, capture_output=True, text=True).stdout

    def play(self, role: str, verb: str = "main", **variables: Any) -> Path:
        tasks = [{"name": "Apply the role", "ansible.builtin.include_role": {"name": role, "tasks_from": verb}, "vars": variables}]
        path = self.work / f"{role}-{verb}.json"
        path.write_text(json.dumps([{"name": "Apply one role", "hosts": "all", "tasks": tasks}]))
        return path

    def truthful(self, role: str, verb: str = "main", *, run_again: bool = True, **variables: Any) -> set[str]:
        """Prove that the dry run tells the truth; the tasks that changed something."""
        changed = checkmode.assert_truthful(self.play(role, verb, **variables), self.inventory, env=self.env, run_again=run_again)
        return {task.partition(" : ")[2] for _host, task in changed}

    def run(self, role: str, verb: str = "main", **variables: Any) -> checkmode.Run:
        return checkmode.run(self.play(role, verb, **variables), self.inventory, env=self.env)


@pytest.fixture(scope="module", params=IMAGES)
def world(request: pytest.FixtureRequest, cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    fleet = {"fleet_tag": "hosts", "size": "s-1vcpu-1gb", "region": "fra1", "ssh_keys": [str(cloud.ssh_key())], "names": [NAME]}
    made = cloud.module("groundcrew.ops.do_droplet", {**fleet, "image": request.param})
    assert not made.get("failed"), made
    yield World(cloud, tmp_path_factory.mktemp("hosts"), made["droplets"][0]["public_address"])
    cloud.module("groundcrew.ops.do_droplet", {"fleet_tag": "hosts", "names": [NAME], "state": "absent"})


def test_host(world: World) -> None:
    # That a second run changes nothing is seen below, after what was refused.
    allow = [{"name": "web", "ports": ["80"]}]
    changed = world.truthful("groundcrew.ops.host", run_again=False, host_users=[USER], host_firewall=True, host_firewall_allow=allow)
    assert {"Set the hardening of sshd", "Set the rules of the firewall"} <= changed


@pytest.mark.parametrize(
    "shut", [{"host_sshd_options": {"AllowUsers": "nobody"}}, {"host_firewall": True, "host_firewall_ssh_from": ["192.0.2.1"]}], ids=["sshd", "firewall"]
)
def test_operator_is_not_locked_out(world: World, shut: dict[str, Any]) -> None:
    taken_back = world.run("groundcrew.ops.host", host_users=[USER], **shut)
    assert taken_back.rc != 0
    assert {(host, task.partition(" : ")[2]) for host, task, message in taken_back.failed if "former one is back in force" in message} == {
        (NAME, "Assert that the second connection worked")
    }


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"host_sshd_options": {"NoSuchKeyword": "yes"}}, "refuses its hardening, and nothing was touched"),
        ({"host_firewall": True, "host_firewall_rules": ["tcp dport { accept"]}, "refuses the firewall, which stays as it is"),
    ],
    ids=["sshd", "firewall"],
)
def test_broken_configuration_is_refused_first(world: World, broken: dict[str, Any], words: str) -> None:
    refused = world.run("groundcrew.ops.host", host_users=[USER], **broken)
    assert refused.rc != 0 and not refused.changed
    assert {host for host, _task, message in refused.failed if words in message} == {NAME}


def test_what_was_refused_left_the_host_as_it_was(world: World) -> None:
    again = world.run("groundcrew.ops.host", host_users=[USER])
    assert again.rc == 0 and {task.partition(" : ")[2] for _host, task in again.changed} <= {"Stop the firewall", "Remove the firewall"}


def daemon(world: World, **more: Any) -> dict[str, Any]:
    """The keys of Docker's configuration, after somebody has put more into it."""
    path = "/etc/docker/daemon.json"
    if more:
        merged = json.loads(world.say(f"cat {path}")) | more
        world.say(f"echo {shlex.quote(json.dumps(merged))} > {path}")
    return dict(json.loads(world.say(f"cat {path}")))


@pytest.mark.slow
def test_docker_engine(world: World) -> None:
    world.say(f"mkdir -p /etc/docker && echo '{json.dumps(DAEMON)}' > /etc/docker/daemon.json")
    assert "Configure the daemon" in world.truthful("groundcrew.ops.docker_engine")
    assert daemon(world).items() >= {"shutdown-timeout": 20, "log-driver": "json-file", "live-restore": True}.items()


@pytest.mark.slow
def test_docker_engine_maintain(world: World) -> None:
    """What goes and what stays is seen in test_docker_engine_prune.py."""
    assert "Write the configuration of the timer" in world.truthful("groundcrew.ops.docker_engine", "maintain", docker_engine_prune_images="unused")


@pytest.mark.slow
def test_docker_configuration_that_does_not_work_is_undone(world: World) -> None:
    refused = world.run("groundcrew.ops.docker_engine", docker_engine_daemon_options={"no-such-key": True})
    assert refused.rc != 0 and {host for host, _task, _message in refused.failed} == {NAME}
    again = world.run("groundcrew.ops.docker_engine")
    assert again.rc == 0 and not again.changed


@pytest.mark.slow
def test_docker_keeps_what_others_configure_and_gives_back_what_is_not_declared_any_more(world: World) -> None:
    assert daemon(world, **LABELS)["labels"] == LABELS["labels"]
    declared = world.truthful("groundcrew.ops.docker_engine", docker_engine_daemon_options={"shutdown-timeout": 30, "max-concurrent-uploads": 2})
    assert "Configure the daemon" in declared
    assert daemon(world).items() >= {**LABELS, "shutdown-timeout": 30, "max-concurrent-uploads": 2}.items()
    assert world.run("groundcrew.ops.docker_engine").changed
    assert daemon(world).items() >= {**LABELS, "shutdown-timeout": 20}.items() and "max-concurrent-uploads" not in daemon(world)


@pytest.mark.slow
def test_docker_configuration_that_cannot_be_read_is_not_lost(world: World) -> None:
    world.say("cp -p /etc/docker/daemon.json /root/kept")
    for damaged in ('{"labels": [', "[1]"):
        world.say(f"echo {shlex.quote(damaged)} > /etc/docker/daemon.json")
        refused = world.run("groundcrew.ops.docker_engine")
        assert not refused.changed and "Make it JSON, or remove it. Nothing was changed." in str(refused.failed)
    world.say("truncate --size 0 /etc/docker/daemon.json")
    assert world.run("groundcrew.ops.docker_engine").rc == 0 and daemon(world)["log-driver"] == "json-file"
    world.say("mv /root/kept /etc/docker/daemon.json")


@pytest.mark.slow
def test_docker_engine_remove(world: World) -> None:
    assert "Remove the packages" in world.truthful("groundcrew.ops.docker_engine", "remove")
    assert daemon(world) == {**DAEMON, **LABELS}


@pytest.mark.slow
def test_maintenance(world: World) -> None:
    declared: dict[str, Any] = {"maintenance_tasks": [TASK], "maintenance_code": True}
    assert UNITS in world.truthful("groundcrew.ops.maintenance", **declared, maintenance_presets=["apt-cache"])
    fewer = world.run("groundcrew.ops.maintenance", **declared, maintenance_presets=[])
    assert {task.partition(" : ")[2] for _host, task in fewer.changed} == {UNITS}


@pytest.mark.slow
def test_a_calendar_does_what_the_host_is_prepared_for(world: World) -> None:
    archive = {"paths": ["/var/log/nowhere/*.gz"], "bucket": "logs", "access_key": "a", "secret_key": "never shown"}
    calendars: dict[str, Any] = {"maintenance_presets": ["disk-forecast", "weekly", "monthly"], "maintenance_code": True, "maintenance_logs": archive}
    done = world.run("groundcrew.ops.maintenance", **calendars)
    assert done.rc == 0 and "never shown" not in done.output, done.failed
    # Nobody prepared tables and an engine: these have no timer. What needs no more than the code is done, and recorded.
    timers = {name for name in world.say("systemctl list-timers --all --no-legend 'groundcrew-*'").split() if name.endswith(".timer")}
    assert timers == {f"groundcrew-{name}.timer" for name in ("apt-cache", "disk-forecast", "logs-verify")}
    # As AWX starts it.
    ran = world.run("groundcrew.ops.maintenance", "maintain", maintenance_run=["disk-forecast"])
    assert ran.rc == 0 and {task.partition(" : ")[2] for _host, task in ran.changed} == {"Start the task"}, ran.failed
    record = json.loads(world.say("cat /var/lib/groundcrew/maintenance/disk-forecast.json"))
    assert record["outcome"] == "ok", record["lines"]
    # The store is none, so this one fails, and says why; the other is on no host.
    failed = world.run("groundcrew.ops.maintenance", "maintain", maintenance_run=["logs-verify"])
    assert failed.rc != 0 and any(message.startswith("logs-verify: failed. It said last: ") for _host, _task, message in failed.failed), failed.failed
    # What runs tasks does nothing: the record is that of the run before.
    world.say("cp /usr/local/sbin/groundcrew-run /root/kept && : >/usr/local/sbin/groundcrew-run")
    silent = world.run("groundcrew.ops.maintenance", "maintain", maintenance_run=["disk-forecast"])
    world.say("cp /root/kept /usr/local/sbin/groundcrew-run")
    assert silent.rc != 0 and any("disk-forecast ended and recorded nothing" in message for _host, _task, message in silent.failed), silent.failed
    nowhere = world.run("groundcrew.ops.maintenance", "maintain", maintenance_run=["apt-cache", "elsewhere"])
    assert nowhere.rc != 0 and not nowhere.changed
    assert any("No host of this play has the task elsewhere" in message for _host, _task, message in nowhere.failed), nowhere.failed
    sample = json.loads(world.say("tail --lines=1 /var/lib/groundcrew/disk.jsonl"))
    assert sample["file_systems"]["/"]["size"] > sample["file_systems"]["/"]["used"] > 0
    assert world.say("stat --format=%a /etc/groundcrew/maintenance/logs.json").strip() == "400"


def test_calendar_that_cannot_be_read_is_refused_first(world: World) -> None:
    refused = world.run("groundcrew.ops.maintenance", maintenance_presets=[], maintenance_tasks=[{**TASK, "calendar": "every now and then"}])
    assert refused.rc != 0 and not refused.changed
    assert {task.partition(" : ")[2] for _host, task, _message in refused.failed} == {"Assert that the calendars can be read"}


@pytest.mark.slow
def test_maintenance_remove(world: World) -> None:
    assert UNITS in world.truthful("groundcrew.ops.maintenance", "remove")


@pytest.mark.slow
def test_maintenance_by_awx(world: World) -> None:
    """From timers to AWX, back again, to AWX and away from there."""
    role = "groundcrew.ops.maintenance"
    awx = prepared("never shown", "maintain_run", "diagnose")
    tasks: dict[str, Any] = {"maintenance_tasks": [TASK], "maintenance_presets": ["apt-cache"]}
    timers = "systemctl list-timers --all --no-legend 'groundcrew-*'"
    assert world.run(role, **tasks).rc == 0
    assert "groundcrew-speaks.timer" in world.say(timers)
    with served(awx) as address:
        login = {"controller_host": address, "controller_oauthtoken": "never shown"}
        place: dict[str, Any] = {**login, "organization": "Shop", "project": "operations", "inventory": "production", "credentials": ["hosts"], "hosts": "all"}
        diagnose = {"name": "diagnose", "calendar": "Mon *-*-* 06:00"}
        by_awx: dict[str, Any] = {**tasks, "maintenance_awx": place, "maintenance_playbooks": [diagnose]}

        # What AWX cannot have is refused before anything is touched.
        refused = world.run(role, **{**by_awx, "maintenance_playbooks": [{**diagnose, "name": "patch"}]})
        assert refused.rc != 0 and not refused.changed and "never shown" not in refused.output
        assert any("has no playbook playbooks/patch.yml" in message for _host, _task, message in refused.failed), refused.failed
        # The page would never be written.
        limited = world.run(role, **{**by_awx, "maintenance_playbooks": [{**diagnose, "limit": "app"}]})
        assert limited.rc != 0 and not limited.changed and any("diagnose_hosts" in message for _host, _task, message in limited.failed), limited.failed

        assert world.truthful(role, **by_awx) == {"Bring the schedules to AWX", UNITS}
        assert awx.names("job_templates") == {"groundcrew production: hosts", "groundcrew production: diagnose"}
        assert awx.names("schedules") == {"apt-cache", "speaks", "diagnose"} and not world.say(timers)
        assert world.say("systemctl show --property=LoadState groundcrew-speaks.service").strip() == "LoadState=loaded"

        # The job of a schedule runs the task under its lock; one whose task has failed fails.
        record = "/var/lib/groundcrew/maintenance/speaks.json"
        template, schedule = awx.named("job_templates", "groundcrew production: hosts"), awx.named("schedules", "speaks")
        code, said = awx_job.start(template, schedule, world.inventory, world.work / "job", world.env)
        assert code == 0 and json.loads(world.say(f"cat {record}"))["lines"] == ["hello"], said
        world.say("mv /usr/bin/echo /usr/bin/echo.away")
        code, said = awx_job.start(template, schedule, world.inventory, world.work / "failing", world.env)
        world.say("mv /usr/bin/echo.away /usr/bin/echo")
        assert code != 0 and "speaks: failed. It said last: " in said and json.loads(world.say(f"cat {record}"))["failures"] == 1, said

        back = world.truthful(role, **tasks, maintenance_awx={**place, "state": "absent"})
        assert back == {"Bring the schedules to AWX", UNITS}
        assert not awx.names("job_templates") | awx.names("schedules") and "groundcrew-speaks.timer" in world.say(timers)

        assert world.run(role, **by_awx).rc == 0 and awx.names("schedules")
        assert "Bring the schedules to AWX" in world.truthful(role, "remove", maintenance_awx=place)
        assert not awx.names("job_templates") | awx.names("schedules")
