# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a real systemd are killed: a module at each of its acts, plays between a write and what puts it in force. The next run finishes the work."""

from __future__ import annotations

import base64
import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet
from tests.integration.remote_modules import FOLDER, packed

PROGRAM = Path(__file__).with_name("host_unit_kills.py").read_text()
CALLBACKS = Path(__file__).with_name("callbacks")
MARK = "# of the shop"

pytestmark = pytest.mark.slow


class Killable(Host):
    """A host whose plays can be killed."""

    def kill(self, role: str, before: str, variables: dict[str, Any]) -> None:
        """Begin to apply a role, and be gone before the task of this name."""
        kept = self._env
        self._env = {**kept, "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS), "ANSIBLE_CALLBACKS_ENABLED": "kill_play", "GROUNDCREW_KILL_BEFORE": before}
        killed = self.run(main(role), variables)
        self._env = kept
        assert killed.rc == -signal.SIGKILL, killed.output[-3000:]

    def finish(self, role: str, variables: dict[str, Any]) -> set[str]:
        """Prove that the next run does what its dry run says, and that the one after it changes nothing; the tasks that changed something."""
        foretold, done, again = (self.run(main(role), variables, *options) for options in (["--check"], [], []))
        assert [run.rc for run in (foretold, done, again)] == [0, 0, 0], [run.failed for run in (foretold, done, again)]
        assert foretold.changed == done.changed and not again.changed, (foretold.changed, done.changed, again.changed)
        return {task.rpartition(" : ")[2] for _host, task in done.changed}


def main(role: str) -> Verb:
    return Verb(role, "main", lambda _chance: {})


@pytest.fixture(scope="module")
def host(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killable]:
    with droplet(cloud, "kills-1") as address:
        yield Killable("kills-1", address, cloud.cloud.ssh_key, tmp_path_factory.mktemp("kills"), {})


# The module systemd_units.


def unit(name: str, body: str, *, at_boot: str = "") -> dict[str, Any]:
    install = f"[Install]\nWantedBy={at_boot}\n" if at_boot else ""
    return {"name": f"shop-{name}", "content": f"{MARK}\n{body}\n{install}", "started": bool(at_boot)}


def task(name: str, hour: str) -> list[dict[str, Any]]:
    """A service and its timer."""
    service = unit(f"{name}.service", f"[Service]\nType=oneshot\nExecStart=/bin/echo {hour}")
    return [service, unit(f"{name}.timer", f"[Timer]\nOnCalendar=*-*-* {hour}:00:00", at_boot="timers.target")]


def declared(*tasks: str, hour: str) -> list[dict[str, Any]]:
    """Tasks, a service that goes on, and a template of which one instance has failed, so that systemd keeps it in memory."""
    keeper = unit("keeper.service", f"[Service]\nExecStart=/bin/sleep {hour}00", at_boot="multi-user.target")
    return [keeper, unit("failed@.service", f"[Service]\nType=oneshot\nExecStart=/bin/false {hour}"), *(each for name in tasks for each in task(name, hour))]


OLD = declared("a", "b", hour="02")
STORIES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "made": ([], OLD),
    "changed": (OLD, declared("a", "c", hour="05")),
    "template": (OLD, [each | {"content": each["content"].replace("/bin/false 02", "/bin/false 05")} for each in OLD]),
    "removed": (OLD, []),
}
# It stays in memory, with what systemd read of its template.
FAIL_ONE = "systemctl start shop-failed@x.service"


def wrong(units: list[dict[str, Any]], seen: dict[str, Any]) -> list[str]:
    """What on the host is not as declared."""
    contents = {each["name"]: each["content"] for each in units}
    found = [f"the file of {name}" for name in sorted({*contents, *seen["files"]}) if contents.get(name) != seen["files"].get(name)]
    started = sorted(each["name"] for each in units if each["started"])
    found += [f"{seen['at_boot']} at boot, not {started}"] * (seen["at_boot"] != started)
    for name, told in seen["units"].items():
        template = f"{name.partition('@')[0]}@.service" if "@" in name else name
        if template not in contents and told["ActiveState"] != "failed":
            found.append(f"{name} is {told['LoadState']} and {told['ActiveState']}")
        if template in contents and told["NeedDaemonReload"] != "no":
            found.append(f"systemd has not read {name}")
        if template in contents and "ExecStart" in told and contents[template].partition("ExecStart=")[2].splitlines()[0] not in told["ExecStart"]:
            found.append(f"{name} would run {told['ExecStart']}")
    for name in started:
        told = seen["units"].get(name, {"ActiveState": "unknown"})
        if told["ActiveState"] != "active" or told["UnitFileState"] != "enabled":
            found.append(f"{name} is {told['ActiveState']}")
        elif name.endswith(".service") and told["runs"] not in contents[name]:
            found.append(f"{name} runs {told['runs']}")
        elif name.endswith(".timer"):
            when = contents[name].partition("OnCalendar=*-*-* ")[2].split()[0]
            if told["SubState"] != "waiting" or when not in told["TimersCalendar"] or when not in told["NextElapseUSecRealtime"]:
                found.append(f"{name} is {told['SubState']} for {told['NextElapseUSecRealtime']}, not {when}")
    return found


@pytest.fixture(scope="module")
def modules(host: Host) -> Host:
    """The host with the collection's modules."""
    host.say(f"mkdir -p {FOLDER} && base64 --decode | tar -xzf - --no-same-owner -C {FOLDER}", base64.b64encode(packed()).decode())
    host.say(f"cat > {FOLDER}/kills.py", PROGRAM)
    return host


def walk(host: Host, story: str, *, control: bool = False) -> Iterator[dict[str, Any]]:
    """Kill the module at each of its acts; what was seen at each."""
    before, after = STORIES[story]
    owner = {"prefix": "shop-", "mark": MARK}
    asked = {"before": {**owner, "units": before}, "after": {**owner, "units": after}, "prepare": FAIL_ONE, "control": control}
    for number in itertools.count(1):
        point = json.loads(host.say(f"python3 {FOLDER}/kills.py point {number}", json.dumps(asked)))
        if point is None:
            return
        assert wrong(before, point["prepared"]) == [], (point["before"], point["first"])
        assert point["code"] == -signal.SIGKILL
        yield point


@pytest.mark.parametrize(("story", "acts"), [("made", 9), ("changed", 12), ("template", 2), ("removed", 8)])
def test_units_are_as_declared_after_a_kill_at_any_act(modules: Host, story: str, acts: int) -> None:
    units = STORIES[story][1]
    passed: list[str] = []
    well: list[str] = []
    for point in walk(modules, story):
        at = point["before"]
        passed.append(at)
        well += [at] * (not wrong(units, point["left"]))
        assert not point["next"].get("failed") and wrong(units, point["mended"]) == [], (at, point["next"])
        assert point["next"]["changed"] is (at not in well), at
        assert point["again"].get("changed") is False and wrong(units, point["kept"]) == [], (at, point["again"])
    assert len(passed) == acts, passed
    # The look is red after every kill but one: systemd forgets by itself a unit without a file that does not run.
    assert well == (["systemctl daemon-reload"] if story == "removed" else [])


def test_a_run_that_goes_by_files_alone_leaves_half_of_it_undone(modules: Host) -> None:
    """The control."""
    undone = [point["before"] for point in walk(modules, "changed", control=True) if wrong(STORIES["changed"][1], point["mended"])]
    assert undone[-3:] == ["systemctl daemon-reload", "systemctl enable", "systemctl restart"]


# Roles: what they have in force is asked of what runs.

ENGINE = "docker info --format '{{.LoggingDriver}} {{.LiveRestoreEnabled}} {{.RegistryConfig.Mirrors}}'"
# A container's clock is that of the machine below, which servers that are none leave alone.
START_CLOCK = """set -e; cd /etc/systemd/system; mkdir systemd-timesyncd.service.d
printf '[Unit]\\nConditionVirtualization=\\n' > systemd-timesyncd.service.d/container.conf
systemctl unmask --quiet systemd-timesyncd; systemctl daemon-reload; systemctl start systemd-timesyncd
"""
FIREWALL_UNREAD = "systemctl show --property=NeedDaemonReload --value groundcrew-firewall"
ASKED_FOR_THE_TIME = "timedatectl show-timesync --property=SystemNTPServers --value"
SEEN_BY_JOURNAL = "journalctl --unit=systemd-journald --output=cat --grep='^(System|Runtime) Journal .* max ' | tail --lines=1"


def test_the_engine_has_what_a_killed_run_has_written(host: Killable) -> None:
    restart = "Start Docker, again if its configuration is newer"
    mirrored: dict[str, Any] = {"docker_engine_registry_mirrors": ["https://mirror.example"]}
    # The package has started the engine without any of it.
    host.kill("docker_engine", restart, mirrored)
    assert "mirror.example" in host.say("cat /etc/docker/daemon.json")
    assert host.say(ENGINE).split() == ["json-file", "false", "[]"]
    assert host.finish("docker_engine", mirrored) == {restart}
    assert host.say(ENGINE).split() == ["json-file", "true", "[https://mirror.example/]"]

    local: dict[str, Any] = {"docker_engine_daemon_options": {"log-driver": "local"}, "docker_engine_live_restore": False}
    host.kill("docker_engine", restart, local)
    assert host.say(ENGINE).split() == ["json-file", "true", "[https://mirror.example/]"]
    assert host.finish("docker_engine", local) == {restart}
    assert host.say(ENGINE).split() == ["local", "false", "[]"]


def test_the_host_has_in_force_what_a_killed_run_has_written(host: Killable) -> None:
    def in_force() -> list[str]:
        return [host.say(how).strip() for how in (SEEN_BY_JOURNAL, "sysctl -n net.ipv4.tcp_fin_timeout", ASKED_FOR_THE_TIME, "locale --all-locales")]

    before = {"host_journal_max_use": "80M", "host_sysctl": {"net.ipv4.tcp_fin_timeout": 50}, "host_time_servers": ["192.0.2.1"], "host_firewall": True}
    made = host.run(main("host"), before)
    assert made.rc == 0, made.failed
    host.say(START_CLOCK)
    old = in_force()
    assert "max 80M" in old[0] and old[1:3] == ["50", "192.0.2.1"]

    meant = {"host_journal_max_use": "70M", "host_sysctl": {"net.ipv4.tcp_fin_timeout": 45}, "host_time_servers": ["192.0.2.2"], "host_firewall": True}
    after = {**meant, "host_locale": "en_US.UTF-8"}
    host.kill("host", "Look for the locale", after)
    host.kill("host", "Look for configurations that services have not read", meant)
    host.say("echo >> /etc/systemd/system/groundcrew-firewall.service && systemctl daemon-reload")
    host.kill("host", "Make the folder of the rules", meant)
    assert in_force() == old and host.say(FIREWALL_UNREAD) == "yes\n"
    finished = {"Set the locale", "Generate the locale", "Have services read their configuration", "Look whether systemd has read the unit"}
    assert host.finish("host", after) == finished
    new = in_force()
    assert host.say(FIREWALL_UNREAD) == "no\n"
    assert "max 70M" in new[0] and new[1:3] == ["45", "192.0.2.2"] and "en_US.utf8" in new[3]


def test_the_proxy_has_read_what_a_killed_run_has_written(host: Killable) -> None:
    shop, other = ({"name": name, "slots": {"a": first, "b": first + 100}, "port": port} for name, first, port in (("shop", 20000, 80), ("other", 20200, 8081)))
    made = host.run(main("proxy"), {"proxy_applications": [shop]})
    assert made.rc == 0, made.failed
    both = {"proxy_applications": [shop, other]}
    look = "Look whether an earlier run has left HAProxy or systemd with what they had read before"
    host.say("echo >> /etc/systemd/system/haproxy.service.d/groundcrew-reload.conf && systemctl daemon-reload")
    host.kill("proxy", look, both)
    listens, reads = "ss -Hltn sport = :8081", "systemctl show --property=NeedDaemonReload --value haproxy"
    assert not host.say(listens) and host.say(reads) == "yes\n"
    assert host.finish("proxy", both) == {look, "Reload HAProxy"}
    assert host.say(listens) and host.say(reads) == "no\n"


def test_the_packages_of_a_source_that_a_killed_run_has_added_are_found(cloud: Any, tmp_path: Path) -> None:
    with droplet(cloud, "kills-12", "debian-12-x64") as address:
        host = Killable("kills-12", address, cloud.cloud.ssh_key, tmp_path, {})
        install = "Install Docker Engine, Compose and Buildx"
        host.kill("docker_engine", install, {})
        assert not host.say("apt-cache policy docker-buildx")
        assert install in host.finish("docker_engine", {})
