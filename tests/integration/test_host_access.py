# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role host leaves whoever runs it the way in and the way to become root, and does not call sshd hardened where another file decides."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import checkmode
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet

MAIN = Verb("host", "main", lambda _chance: {})
CLOUD = "/etc/ssh/sshd_config.d/00-cloud.conf"

pytestmark = pytest.mark.slow


class Accessed(Host):
    """A host that root has prepared, and on which olive works from then on, whom nothing but the configuration of ssh names."""

    def __init__(self, cloud: Any, address: str, work: Path) -> None:
        super().__init__("access-1", address, cloud.cloud.ssh_key, work, {})
        self.olive = {"name": "olive", "keys": [cloud.cloud.ssh_key.with_suffix(".pub").read_text().strip()], "sudo": True}
        prepared = self.main(host_users=[self.olive])
        assert prepared.rc == 0, prepared.failed
        inventory = json.loads(self._inventory.read_text())
        there = inventory["all"]["children"]["app"]["hosts"]["access-1"]
        del there["ansible_user"]
        there["ansible_ssh_common_args"] += " -o User=olive"
        self._inventory.write_text(json.dumps(inventory))

    def main(self, *options: str, **variables: Any) -> checkmode.Run:
        return self.run(MAIN, {"host_time_sync": False, **variables}, *options)

    def by(self, user: str, *options: str, **variables: Any) -> checkmode.Run:
        return self.main(*(["--user", "root"] if user == "root" else []), "--become", *options, **variables)


@pytest.fixture(scope="module")
def host(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accessed]:
    with droplet(cloud, "access-1") as address:
        yield Accessed(cloud, address, tmp_path_factory.mktemp("access"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys_exclusive": True}, "could lock you out"),
        ({"state": "absent"}, "could lock you out"),
        ({"shell": "/usr/sbin/nologin"}, "could lock you out"),
        ({"sudo": False}, "nobody could change that back"),
        ({"name": "pete"}, "nobody could change that back"),
    ],
    ids=["keys", "account", "shell", "sudo", "entry"],
)
def test_who_runs_it_keeps_access_and_root(host: Accessed, change: dict[str, Any], words: str) -> None:
    refused = host.by("olive", host_users=[{**host.olive, **change}])
    assert refused.rc != 0 and not refused.changed
    assert words in refused.output and "as olive" in refused.output, refused.failed


def test_who_has_another_way_may_give_this_one_up(host: Accessed) -> None:
    without = [{**host.olive, "sudo": False}]
    foretold = host.by("root", "--check", host_users=without)
    assert foretold.rc == 0 and foretold.changed, foretold.failed
    host.say("echo 'olive ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/90-cloud")
    try:
        done = host.by("olive", host_users=without)
        assert done.rc == 0 and {task.partition(" : ")[2] for _host, task in done.changed} == {"Declare who may use sudo"}, done.failed
        assert host.by("olive", host_users=[host.olive]).rc == 0
    finally:
        host.say("rm /etc/sudoers.d/90-cloud")


@pytest.mark.parametrize(
    ("overrule", "undo", "said"),
    [
        (f"echo 'PasswordAuthentication yes' > {CLOUD}", f"rm {CLOUD}", f"passwordauthentication yes (by {CLOUD}:1)"),
        (
            "sed -i.kept '1i X11Forwarding = yes' /etc/ssh/sshd_config",
            "mv /etc/ssh/sshd_config.kept /etc/ssh/sshd_config",
            "x11forwarding yes (by /etc/ssh/sshd_config:1)",
        ),
        (
            # The same keyword by its former name.
            f"echo 'ChallengeResponseAuthentication yes' > {CLOUD}",
            f"rm {CLOUD}",
            "kbdinteractiveauthentication yes (by a line that is read before)",
        ),
    ],
    ids=["drop-in", "line", "alias"],
)
def test_what_overrules_the_hardening_is_named(host: Accessed, overrule: str, undo: str, said: str) -> None:
    host.say(overrule)
    try:
        # sshd has the hardening since the first run, and new options would not be in force either.
        for options, more in (([], {}), (["--check"], {}), ([], {"host_sshd_options": {"MaxAuthTries": "4"}})):
            refused = host.by("olive", *options, host_users=[host.olive], **more)
            assert refused.rc != 0 and not refused.changed
            assert [message for _host, _task, message in refused.failed if said in message], refused.failed
    finally:
        host.say(undo)


def test_what_comes_later_or_adds_to_it_overrules_nothing(host: Accessed) -> None:
    later = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
    host.say(f"printf 'PasswordAuthentication yes\\nAllowUsers root\\n' > {later}")
    try:
        options = {"host_sshd_options": {"AllowUsers": "root olive", "Ciphers": "+aes256-cbc", "LoginGraceTime": "1m"}}
        done = host.by("olive", host_users=[host.olive], **options)
        assert done.rc == 0 and done.changed, done.failed
        assert set(shlex.split(host.say("sshd -T | grep -E '^(passwordauthentication|logingracetime)' | cut -d' ' -f2"))) == {"no", "60"}
        again = host.by("olive", host_users=[host.olive], **options)
        assert again.rc == 0 and not again.changed
    finally:
        host.say(f"rm {later}")


def test_what_is_declared_no_longer_goes(host: Accessed) -> None:
    shop, office = ({"name": name, "paths": [f"/var/log/{name}/*.log"]} for name in ("shop", "office"))
    servers = "cat /etc/systemd/timesyncd.conf.d/10-groundcrew-timesyncd.conf"
    before = host.main("--user", "root", host_users=[host.olive], host_time_sync=True, host_time_servers=["192.0.2.1"], host_logrotate=[shop, office])
    assert before.rc == 0 and "NTP=192.0.2.1" in host.say(servers), before.failed
    fewer: dict[str, Any] = {"host_users": [host.olive], "host_time_sync": True, "host_logrotate": [shop]}
    foretold, done, again = (host.main("--user", "root", *options, **fewer) for options in (["--check"], [], []))
    assert foretold.rc == done.rc == again.rc == 0 and foretold.changed == done.changed and not again.changed, done.failed
    assert "NTP" not in host.say(servers) and host.say("ls /etc/logrotate.d").split().count("groundcrew-shop") == 1
    assert "groundcrew-office" not in host.say("ls /etc/logrotate.d")


def test_services_that_run_on_with_what_was_upgraded_are_named(host: Accessed) -> None:
    """A library is replaced under a service that runs; what an upgrade does not do is to restart it."""
    assert "$nrconf{restart} = 'l';" in host.say("cat /etc/needrestart/conf.d/*.conf")
    library = host.say("grep --only-matching --max-count=1 '/[^ ]*/libcrypto[^ ]*' /proc/$(systemctl show --property=MainPID --value ssh)/maps").strip()
    waits = Verb("host", "maintain", lambda _chance: {})
    calm = host.run(waits, {"host_reboot": "never"}, "--user", "root")
    assert calm.rc == 0 and "still running by files" not in calm.output, calm.failed
    host.say(f"cp -p {library} {library}.new && mv {library}.new {library}")
    named = host.run(waits, {"host_reboot": "never"}, "--user", "root")
    assert named.rc == 0 and all(words in named.output for words in ("waits for it: ", "ssh.service", "still running by files")), named.output[-2000:]
    # Drained and rebooted, as for a kernel; then nothing is left to do.
    foretold, done, again = (host.run(waits, {}, "--user", "root", *options) for options in (["--check"], [], []))
    assert foretold.rc == done.rc == again.rc == 0 and foretold.changed == done.changed and not again.changed, done.failed
    assert {task.partition(" : ")[2] for _host, task in done.changed} == {"Reboot"}
