# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a real systemd take part in a rotation: nothing old is taken away before each of them uses the new value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from tests.integration import checkmode
from tests.integration.test_hosts import NAME, World

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("shop/report", "shop/mail")
READS = "tail -n 1 /etc/mailer.key > /run/mailer.uses"
UNITS = {
    # Reads its file once, when it begins.
    "reporter": "[Service]\nExecStart=/bin/sh -c 'cat /etc/reporter.key > /run/reporter.uses; exec sleep infinity'\n",
    # Reads it when it is told to, and tells what it uses.
    "mailer": f"[Service]\nExecStart=/bin/sleep infinity\nExecStartPost=/bin/sh -c '{READS}'\nExecReload=/bin/sh -c '{READS}'\n",
}
PREPARE = """
- name: Prepare the services
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the units
      ansible.builtin.copy: {content: "{{ item.value }}", dest: "/etc/systemd/system/{{ item.key }}.service", mode: "0644"}
      loop: "{{ units | dict2items }}"
    - name: Have them read again
      ansible.builtin.systemd_service: {daemon_reload: true}
"""
MAKE = """
- name: Make the secrets
  hosts: all
  gather_facts: false
  tasks:
    - name: Make them
      ansible.builtin.include_role: {name: groundcrew.ops.secret}
    - name: Give them to the services
      ansible.builtin.include_role: {name: groundcrew.ops.secret_service}
"""
LOOK = """
- name: Look what the services use
  hosts: all
  gather_facts: false
  tasks:
    - name: Read it
      ansible.builtin.slurp: {src: "/run/{{ item }}.uses"}
      loop: [reporter, mailer]
      register: uses
    - name: Assert that it is what is current
      ansible.builtin.assert:
        that:
          - (uses.results[0].content | b64decode).strip() == lookup('groundcrew.ops.secret', 'shop/report')
          - (uses.results[1].content | b64decode).strip() == lookup('groundcrew.ops.secret', 'shop/mail', field='fingerprint')
"""


class Services(World):
    """A host with two services that use secrets."""

    def __init__(self, cloud: Any, work: Path, address: str) -> None:
        super().__init__(cloud, work, address)
        (work / "key").write_text("vault\n")
        (work / "key").chmod(0o600)
        self.store = FileStore(work / "secrets", VaultLibrary(str(work / "key")))
        self.records = FileRecords(work / "secrets")
        mail = "lookup('groundcrew.ops.secret', 'shop/mail'"
        services = [
            {
                "secret": "shop/report",
                "unit": "reporter.service",
                "path": "/etc/reporter.key",
                "content": "{{ lookup('groundcrew.ops.secret', 'shop/report') }}",
            },
            {
                "secret": "shop/mail",
                "unit": "mailer.service",
                "path": "/etc/mailer.key",
                "content": "\n".join(["{{ " + mail + ") }}", "{{ " + mail + ", field='fingerprint') }}", ""]),
                "action": "reload",
                "acknowledge": ["cat", "/run/mailer.uses"],
                "timeout": 3,
            },
        ]
        inventory = json.loads(self.inventory.read_text())
        inventory["all"]["children"] = {"app": {"hosts": {}}, "secret_service": {"hosts": {NAME: {}}}}
        inventory["all"]["vars"] |= {
            "secret_store_path": str(work / "secrets"),
            "secret_vault_password_file": str(work / "key"),
            "secret_items": [{"name": name, "allow_auth_gap": True} for name in SECRETS],
            "secret_service_items": services,
            **{f"secret_{name}": 0 for name in ("grace", "quiet", "observe")},
            "secret_force": True,
        }
        self.inventory.write_text(json.dumps(inventory))

    def do(self, playbook: str, **variables: Any) -> checkmode.Run:
        inventory = json.loads(self.inventory.read_text())
        inventory["all"]["vars"] |= variables
        self.inventory.write_text(json.dumps(inventory))
        path = self.work / "play.yml"
        path.write_text(playbook)
        return checkmode.run(path, self.inventory, env=self.env)

    def rotate(self) -> checkmode.Run:
        return checkmode.run(ROOT / "playbooks" / "rotate.yml", self.inventory, "-e", f"backup_hosts={NAME}", env=self.env)

    def rotations(self) -> dict[str, tuple[int, str, Any]]:
        """Of each secret how many there were, and the state and the outcome of the last."""
        told = {}
        for name in SECRETS:
            last = self.records.rotation(name)
            assert last is not None
            assert last.consumers == (f"{NAME} services",)
            told[name] = (len([entry for entry in self.records.entries(name) if entry["kind"] == "planned"]), last.state.value, last.outcome)
        return told


@pytest.fixture(scope="module")
def services(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    fleet = {"fleet_tag": "services", "size": "s-1vcpu-1gb", "region": "fra1", "ssh_keys": [str(cloud.ssh_key())], "names": [NAME]}
    made = cloud.module("groundcrew.ops.do_droplet", {**fleet, "image": "debian-13-x64"})
    assert not made.get("failed"), made
    yield Services(cloud, tmp_path_factory.mktemp("services"), made["droplets"][0]["public_address"])
    cloud.module("groundcrew.ops.do_droplet", {"fleet_tag": "services", "names": [NAME], "state": "absent"})


@pytest.mark.slow
def test_nothing_old_goes_before_every_service_uses_what_is_new(services: Services) -> None:
    assert services.do(PREPARE, units=UNITS).rc == 0
    made = services.do(MAKE)
    assert made.rc == 0, made.failed
    assert services.do(LOOK).rc == 0
    assert not services.do(MAKE).changed

    rotated = services.rotate()
    assert rotated.rc == 0, rotated.failed
    assert services.rotations() == dict.fromkeys(SECRETS, (1, "DESTROYED", "done"))
    assert services.do(LOOK).rc == 0

    # One that reads nothing when it is told to.
    assert services.do(PREPARE, units={**UNITS, "mailer": UNITS["mailer"].replace(f"ExecReload=/bin/sh -c '{READS}'", "ExecReload=/bin/true")}).rc == 0
    deaf = services.rotate()
    assert deaf.rc != 0
    assert "Gave up waiting for mailer.service to acknowledge" in deaf.output
    assert services.rotations() == dict.fromkeys(SECRETS, (2, "PUBLISHED", None)), "something was taken away"

    assert services.do(PREPARE, units=UNITS).rc == 0
    ended = services.rotate()
    assert ended.rc == 0, ended.failed
    assert services.rotations() == dict.fromkeys(SECRETS, (2, "DESTROYED", "done"))
    assert services.do(LOOK).rc == 0
