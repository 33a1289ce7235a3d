# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of a host that is operated: it has services of its own that use secrets, and upgrades are published for it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet
from tests.load.patch_fleet import PUBLISH

NAME = "dryrun-walk"
FACT = "dryrun_result"
SECRETS = ("dryrun/report", "dryrun/mail")
SERVICES = {"groundcrew-reporter.service": "/etc/groundcrew-reporter.key", "groundcrew-mailer.service": "/etc/groundcrew-mailer.key"}
# Of the mailer, which tells by this what it uses. It begins without its file too, which may have been damaged.
READS = "tail -n 1 /etc/groundcrew-mailer.key > /run/mailer.uses"
PREPARE = f"""set -eu
cd /etc/systemd/system
printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > groundcrew-reporter.service
printf '[Service]\\nExecStart=/bin/sleep infinity\\nExecStartPost=-/bin/sh -c "{READS}"\\nExecReload=/bin/sh -c "{READS}"\\n' > groundcrew-mailer.service
# They are masked in the image. So they can be started, and do nothing while a walk looks.
for timer in apt-daily apt-daily-upgrade; do
  systemctl unmask --quiet $timer.timer
  mkdir -p $timer.timer.d
  printf '[Timer]\\nOnCalendar=\\nOnCalendar=2099-01-01\\nPersistent=false\\n' > $timer.timer.d/never.conf
done
systemctl daemon-reload
apt-get -qq update
"""
# What somebody does there by hand, or leaves half done.
BY_HAND = (
    "dpkg --unpack $(ls -t /srv/security/*.deb | head -n 1)",
    "systemctl disable --now --quiet apt-daily.timer",
    "systemctl mask --now --quiet apt-daily-upgrade.timer",
    "ln -sf /usr/share/zoneinfo/America/Lima /etc/localtime",
    "rm -rf /etc/systemd/journald.conf.d",
    "apt-get -qqy purge tree",
    "userdel --remove olive || true",
)
FOUND = {
    "well": [{"id": "ssh.keys", "severity": "high", "subject": NAME, "verdict": "pass", "evidence": "seen", "remedy": "none"}],
    "ill": [{"id": "ssh.roots", "severity": "high", "subject": NAME, "verdict": "fail", "evidence": "seen", "remedy": "mend"}],
}


class OperatedHost(Host):
    """secrets: the folder for them on the control node."""

    def __init__(self, cloud: Any, address: str, work: Path, secrets: Path) -> None:
        store = {"store_path": str(secrets), "vault_password_file": str(secrets.parent / "password")}
        Path(store["vault_password_file"]).write_text("dryrun\n")
        for secret in SECRETS:
            made = cloud.module("groundcrew.ops.secret", {**store, "name": secret})
            assert not made.get("failed"), made
        shared = {FACT: FOUND, **{f"secret_{name}": value for name, value in store.items()}}
        super().__init__(NAME, address, cloud.cloud.ssh_key, work, shared)
        self._published = 0
        self.say("sh -s", PREPARE)
        self._publish()
        self.say("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install gc-demo > /dev/null; rm -f /run/reboot-required*")

    def meanwhile(self, verb: Verb) -> None:
        """An upgrade, that wishes for a reboot, is pending when the host is patched."""
        if verb.name == "host.maintain":
            self._publish()

    def damage(self, chance: random.Random, written: Iterable[str]) -> str:
        if chance.random() < 0.7:
            return super().damage(chance, written)
        command = chance.choice(BY_HAND)
        self.say(command)
        return command

    def _publish(self) -> None:
        self._published += 1
        self.say(f"sh -s 1.{self._published}", PUBLISH)


@contextmanager
def operated(cloud: Any, work: Path, secrets: Path) -> Iterator[OperatedHost]:
    """A fresh one."""
    with droplet(cloud, NAME) as address:
        yield OperatedHost(cloud, address, work, secrets)
