# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb audit of groundcrew.ops.droplet and groundcrew.ops.managed_database: what is wrong fails, what somebody answers for does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.do_inprocess import Account

ROOT = Path(__file__).resolve().parents[2]
ANYONE = {"addresses": ["0.0.0.0/0", "::/0"]}
RULES = [{"protocol": "tcp", "ports": "443", "sources": ANYONE}]
FLEET = {"fleet_tag": "au", "name_prefix": "au", "count": 2}
CLUSTER = {"name": "au-pg", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "num_nodes": 1, "region": "fra1"}


@pytest.fixture
def objects(account: Account) -> Account:
    """A fleet behind its firewall, which lets nothing out; 45 droplets of others; a cluster that trusts everybody."""

    def made(path: str, body: dict[str, Any]) -> None:
        status, answer = account.request("POST", path, body)
        assert status < 300, answer

    droplet = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
    for first in range(0, 45, 9):
        made("/v2/droplets", {**droplet, "names": [f"other-{number}" for number in range(first, first + 9)], "tags": ["others"]})
    made("/v2/droplets", {**droplet, "names": ["au-1", "au-2"], "tags": ["au", "app"], "monitoring": True, "backups": True})
    made("/v2/firewalls", {"name": "au", "tags": ["au"], "inbound_rules": RULES})
    made("/v2/databases", CLUSTER)
    return account


def verdicts(answer: dict[str, Any], word: str) -> set[str]:
    assert not answer.get("failed"), answer
    return {f"{each['id'].split('.')[1]} {each['subject']}" for each in answer["findings"] if each["verdict"] == word}


def test_the_audits_read_what_is_there_and_change_nothing(objects: Account) -> None:
    before = objects.writes()
    fleet = objects.module("do_droplet_audit", {**FLEET, "tags": ["app"], "inbound_rules": RULES, "image_max_age_days": 36500})
    assert verdicts(fleet, "fail") == set()
    drifted = objects.module("do_droplet_audit", {**FLEET, "count": 3, "tags": [], "inbound_rules": [], "image_max_age_days": 0})
    assert verdicts(drifted, "fail") >= {"count au", "firewall_rules au", "public_ports au-1", "tags au-2", "image_age au-1"}
    databases = objects.module("do_database_audit", {"clusters": [{"name": "au-pg", "trusted_sources": [{"tag": "app"}]}, {"name": "au-none"}]})
    assert verdicts(databases, "fail") >= {"exists au-none", "public au-pg", "trusted_sources au-pg", "standby au-pg"}
    assert verdicts(databases, "pass") >= {"exists au-pg", "version au-pg", "private_network au-pg"}
    assert (verdicts(databases, "unjudged"), verdicts(databases, "unknown")) == ({"maintenance_window au-pg"}, set())
    assert objects.writes() == before


def test_both_roles_fail_on_what_nobody_answers_for(objects: Account, tmp_path: Path) -> None:
    (tmp_path / "c/ansible_collections/groundcrew").mkdir(parents=True)
    (tmp_path / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
    waiver = {"owner": "ann", "expires": "2999-01-01", "reason": "a test"}
    variables = {f"droplet_{key}": value for key, value in FLEET.items()} | {
        "droplet_tags": ["app"],
        "droplet_firewall_inbound_rules": RULES,
        "managed_database_clusters": [{**CLUSTER, "trusted_sources": [{"tag": "app"}]}],
        "managed_database_audit_fail_on": "critical",
        "ansible_python_interpreter": sys.executable,
    }
    waived = {
        "droplet_audit_waivers": [{**waiver, "id": "droplet.firewall_rules"}],
        "managed_database_audit_waivers": [{**waiver, "id": "managed_database.public"}],
    }

    def audit(role: str, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "block": [{"name": "Audit", "ansible.builtin.include_role": {"name": f"groundcrew.ops.{role}", "tasks_from": "audit"}, "vars": given}],
            "rescue": [{"name": "Say so", "ansible.builtin.set_fact": {f"failed_{role}": "{{ ansible_failed_result.msg }}"}}],
        }

    told = {"found": "{{ droplet_result.summary }}", "droplet": "{{ failed_droplet | default('') }}", "database": "{{ failed_managed_database | default('') }}"}
    tasks: list[dict[str, Any]] = []
    for name, given in (("first", {}), ("second", waived)):
        tasks += [audit("droplet", given), audit("managed_database", given)]
        tasks.append(
            {"name": "Keep", "ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": str(tmp_path / name), "mode": "0600"}, "changed_when": False}
        )
        tasks.append({"name": "Forget", "ansible.builtin.set_fact": {"failed_droplet": "", "failed_managed_database": ""}})
    play = {"name": "Audit", "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {**variables, "told": told}, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    collections = f"{tmp_path}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
    env = {**os.environ, **objects.env, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_LOCALHOST_WARNING": "false"}
    done = subprocess.run([Path(sys.executable).parent / "ansible-playbook", "play.yml"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("first", "second"))
    assert "droplet.firewall_rules" in first["droplet"]
    assert "managed_database.public" in first["database"]
    assert "Declare trusted_sources" in first["database"]
    assert (second["droplet"], second["database"]) == ("", "")
    assert second["found"]["waived"] == 1
