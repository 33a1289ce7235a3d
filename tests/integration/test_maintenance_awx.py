# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role maintenance over several hosts, whose schedules AWX has once: hosts that disagree are refused, a run that sees some of them takes nothing from the
others. From timers to AWX and back on one host: test_hosts.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration import checkmode
from tests.integration.awx_standin import Awx, prepared, served
from tests.integration.test_awx_schedules import HOSTS, PATCH
from tests.integration.test_awx_schedules import run as asked
from tests.integration.test_hosts import TASK, World

ROLE = "groundcrew.ops.maintenance"
ONE, TWO = "awx-1", "awx-2"
AGREED: dict[str, Any] = {"maintenance_presets": ["apt-cache"], "maintenance_tasks": [TASK]}


class Pair:
    """Two hosts with variables of their own, and the AWX that starts what they have."""

    def __init__(self, world: World, addresses: dict[str, str], awx: Awx, url: str) -> None:
        self.awx = awx
        self.place: dict[str, Any] = {"organization": "Shop", "project": "operations", "inventory": "production", "credentials": ["hosts"], "hosts": "all"}
        self._login = {"controller_host": url, "controller_oauthtoken": "never shown"}
        self._world = world
        self._addresses = addresses

    def run(self, one: dict[str, Any], two: dict[str, Any], *options: str, verb: str = "main") -> checkmode.Run:
        """Apply the role, with variables for each host; those of maintenance_awx get the login."""
        inventory = json.loads(self._world.inventory.read_text())
        inventory["all"]["hosts"] = {name: {"ansible_host": self._addresses[name], **self._declared(own)} for name, own in ((ONE, one), (TWO, two))}
        self._world.inventory.write_text(json.dumps(inventory))
        done = checkmode.run(self._world.play(ROLE, verb), self._world.inventory, *options, env=self._world.env)
        assert "never shown" not in done.output
        return done

    def _declared(self, own: dict[str, Any]) -> dict[str, Any]:
        given = {"maintenance_awx": self.place, **own}
        return {**given, "maintenance_awx": {**self._login, **given["maintenance_awx"]}} if given["maintenance_awx"] else given


@pytest.fixture(scope="module")
def pair(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    fleet = {"fleet_tag": "awx", "size": "s-1vcpu-1gb", "region": "fra1", "ssh_keys": [str(cloud.ssh_key())], "names": [ONE, TWO], "image": "debian-13-x64"}
    made = cloud.module("groundcrew.ops.do_droplet", fleet)
    assert not made.get("failed"), made
    addresses = {each["name"]: each["public_address"] for each in made["droplets"]}
    awx = prepared("never shown", "maintain_run", "diagnose")
    with served(awx) as url:
        yield Pair(World(cloud, tmp_path_factory.mktemp("awx"), addresses[ONE]), addresses, awx, url)
    cloud.module("groundcrew.ops.do_droplet", {"fleet_tag": "awx", "names": [ONE, TWO], "state": "absent", "max_delete": 2})


def green(done: checkmode.Run) -> set[tuple[str, str]]:
    assert done.rc == 0, done.failed or done.output[-3000:]
    return {(host, task.partition(" : ")[2]) for host, task in done.changed}


def declared(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**AGREED, "maintenance_tasks": [TASK, *tasks], **more}


def test_what_others_may_have_declared_stays() -> None:
    """The module where only a part is declared: what is missing is made, and nothing that is there changes, but that a template without schedules gets one."""
    awx = prepared("known", "maintain_run", "patch")
    backups: dict[str, Any] = {**HOSTS, "name": "backups", "schedules": []}
    with served(awx) as address:

        def declare(*templates: dict[str, Any], **more: Any) -> dict[str, Any]:
            return asked(env={"CONTROLLER_HOST": address, "CONTROLLER_OAUTH_TOKEN": "known"}, templates=list(templates), **more)

        assert declare(HOSTS, backups, PATCH)["kept"] == []
        whole = awx.held()
        narrower = {**HOSTS, "limit": "one", "schedules": [{**HOSTS["schedules"][0], "calendar": "Sat *-*-* 04:00"}]}
        part = {**backups, "schedules": [{**HOSTS["schedules"][1], "name": "drill"}]}
        said = declare(narrower, part, exclusive=False, check=True)
        assert awx.held() == whole
        done = declare(narrower, part, exclusive=False)
        assert said["changed"] and done["changed"] and said["diff"] == done["diff"]
        assert done["kept"] == ["groundcrew production: hosts", "groundcrew production: hosts / apt-cache"]
        drill, takes = awx.named("schedules", "drill"), awx.named("job_templates", "groundcrew production: backups")
        takes_variables = {**whole["job_templates"][takes["id"]], "ask_variables_on_launch": True}
        assert awx.held() == {
            "job_templates": {**whole["job_templates"], takes["id"]: takes_variables},
            "schedules": {**whole["schedules"], drill["id"]: drill},
        }
        assert not declare(narrower, part, exclusive=False)["changed"]
        # The control: where it is all that is declared.
        assert declare(narrower, part)["kept"] == []
        assert awx.names("schedules") == {"apt-cache", "drill"}
        assert awx.named("job_templates", "groundcrew production: hosts")["limit"] == "one"


@pytest.mark.slow
def test_hosts_that_disagree_are_named_before_anything_is_changed(pair: Pair) -> None:
    diagnose = {"name": "diagnose", "calendar": "Mon *-*-* 06:00"}
    both = {**AGREED, "maintenance_playbooks": [diagnose]}
    green(pair.run(both, both))
    before = pair.awx.held()
    assert pair.awx.names("schedules") == {"apt-cache", "speaks", "diagnose"}
    rare, paused, staging = {**TASK, "calendar": "monthly"}, {**diagnose, "enabled": False}, {**pair.place, "inventory": "staging"}
    for other, words in (
        ({"maintenance_tasks": [rare]}, f'task speaks: calendar is "daily" on {ONE}, "monthly" on {TWO}'),
        ({"maintenance_tasks": [{**TASK, "description": "Shout"}]}, f'task speaks: description is "Say something." on {ONE}, "Shout." on {TWO}'),
        ({"maintenance_playbooks": [paused]}, f"playbook diagnose: enabled is true on {ONE}, false on {TWO}"),
        ({"maintenance_awx": staging}, f'maintenance_awx: inventory is "production" on {ONE}, "staging" on {TWO}'),
        ({"maintenance_awx": {}, "maintenance_playbooks": []}, f"maintenance_awx: given is true on {ONE}, false on {TWO}"),
    ):
        refused = pair.run(both, {**both, **other})
        assert refused.rc != 0 and not refused.changed, words
        assert any(words in message for _host, _task, message in refused.failed), (words, refused.failed)
        assert pair.awx.held() == before, words
    # The control: the same calendar for both is a change, and a task that one of them has alone is none to disagree on.
    had = pair.awx.named("schedules", "speaks")["rrule"]
    green(pair.run({**both, "maintenance_tasks": [rare]}, {**both, "maintenance_tasks": [rare, {**TASK, "name": "own"}]}))
    assert pair.awx.named("schedules", "speaks")["rrule"] != had
    assert pair.awx.names("schedules") == {"apt-cache", "speaks", "diagnose", "own"}


@pytest.mark.slow
def test_a_run_that_sees_some_hosts_takes_nothing_from_the_others(pair: Pair) -> None:
    here, there = {**TASK, "name": "here"}, {**TASK, "name": "there"}
    green(pair.run(declared(here), declared(there)))
    before = pair.awx.held()
    assert pair.awx.names("schedules") == {"apt-cache", "speaks", "here", "there"}

    # Of these, the other host has speaks and here still, and each host has to be among those that AWX starts them on.
    fewer = {**AGREED, "maintenance_tasks": [{**TASK, "calendar": "monthly"}, {**TASK, "name": "new"}], "maintenance_awx": {**pair.place, "hosts": TWO}}
    foretold = pair.run(declared(here), fewer, "--check", "--limit", TWO)
    assert pair.awx.held() == before
    limited = pair.run(declared(here), fewer, "--limit", TWO)
    assert green(limited) == green(foretold) and any(task == "Bring the schedules to AWX" for _host, task in green(limited))
    kept = ("groundcrew production: hosts", "groundcrew production: hosts / speaks")
    assert f"{', '.join(kept)}: declared otherwise than AWX has it, and left alone" in limited.output
    new = pair.awx.named("schedules", "new")
    assert pair.awx.held() == {**before, "schedules": {**before["schedules"], new["id"]: new}}

    # To leave AWX is for all. A host that goes alone leaves it to the others.
    held = pair.awx.held()
    absent = {**AGREED, "maintenance_awx": {**pair.place, "state": "absent"}}
    refused = pair.run(absent, absent, "--limit", TWO)
    assert refused.rc != 0 and not refused.changed and any("takes the schedules of all hosts" in message for _host, _task, message in refused.failed)
    assert {host for host, _task in green(pair.run(AGREED, AGREED, "--limit", TWO, verb="remove"))} == {TWO}
    assert pair.awx.held() == held

    # The control: each of these without --limit.
    green(pair.run(AGREED, AGREED))
    assert pair.awx.names("schedules") == {"apt-cache", "speaks"}
    assert {host for host, _task in green(pair.run(AGREED, AGREED, verb="remove"))} == {ONE, TWO}
    assert pair.awx.held() == {"job_templates": {}, "schedules": {}}
