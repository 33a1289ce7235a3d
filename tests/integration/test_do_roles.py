# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles groundcrew.ops.droplet and groundcrew.ops.managed_database, the inventory and the lookup, from nothing and back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NAME = "rx"


def play(cloud: Any, verb: str) -> list[dict[str, Any]]:
    variables = {
        "ansible_python_interpreter": sys.executable,
        "droplet_fleet_tag": NAME,
        "droplet_name_prefix": NAME,
        "droplet_count": 1,
        "droplet_size": "s-1vcpu-1gb",
        "droplet_image": "debian-13-x64",
        "droplet_region": "fra1",
        "droplet_tags": ["rx-app"],
        "droplet_ssh_keys": [str(cloud.ssh_key())],
        "droplet_firewall_inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}}],
        "droplet_remove_confirm": NAME,
        "managed_database_remove_confirm": ["rx-pg"],
        "managed_database_clusters": [
            {
                "name": "rx-pg",
                "engine": "pg",
                "version": "17",
                "size": "db-s-1vcpu-1gb",
                "region": "fra1",
                # Neither the tag nor the droplet is there when the first dry run is made.
                "trusted_sources": [{"tag": "rx-app"}, {"droplet": "rx-1"}],
                "databases": ["shop"],
                "users": ["shop"],
            }
        ],
    }
    roles = [
        {"name": role, "ansible.builtin.include_role": {"name": role, "tasks_from": verb}}
        for role in ("groundcrew.ops.droplet", "groundcrew.ops.managed_database")
    ]
    return [{"name": verb, "hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": roles}]


class Stage:
    def __init__(self, cloud: Any, work: Path) -> None:
        self._cloud = cloud
        self._work = work
        (work / "c/ansible_collections/groundcrew").mkdir(parents=True)
        (work / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
        (work / "droplets.yml").write_text(
            json.dumps({"plugin": "groundcrew.ops.droplets", "tag": NAME, "keyed_groups": [{"key": "do_tags", "prefix": "", "separator": ""}]})
        )

    def tool(self, *argv: str) -> subprocess.CompletedProcess[str]:
        collections = f"{self._work}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        env = {**os.environ, **self._cloud.env, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run([BIN / argv[0], *argv[1:]], env=env, cwd=self._work, capture_output=True, text=True, check=False)

    def changed(self, verb: str, *options: str) -> list[str]:
        """Run a verb of both roles and return what it changed, task by task."""
        (self._work / "play.yml").write_text(json.dumps(play(self._cloud, verb)))
        done = self.tool("ansible-playbook", "play.yml", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "password" not in done.stdout.lower()
        task, changes = "", []
        for line in done.stdout.splitlines():
            if match := re.match(r"TASK \[(.*)\]", line):
                task = match.group(1)
            elif line.startswith("changed:"):
                changes.append(f"{task} {line}")
        return changes


@pytest.fixture
def stage(cloud: Any, tmp_path: Path) -> Stage:
    return Stage(cloud, tmp_path)


@pytest.mark.slow
def test_main_and_remove(stage: Stage) -> None:
    try:
        planned = stage.changed("main", "--check")
        assert planned
        assert stage.changed("main") == planned
        assert stage.changed("main") == []
        groups = json.loads(stage.tool("ansible-inventory", "-i", "droplets.yml", "--list").stdout)
        assert groups["tag_rx_app"]["hosts"] == groups["rx_app"]["hosts"] == ["rx-1"]
        assert groups["_meta"]["hostvars"]["rx-1"]["do_region"]
        asked = "{{ lookup('groundcrew.ops.do_database', 'rx-pg', field='uri', user='shop', database='shop') is match('postgresql://shop:.+@.+/shop') }}"
        said = stage.tool("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", f"msg={asked}")
        assert "true" in said.stdout.lower(), said.stdout + said.stderr
    finally:
        planned = stage.changed("remove", "--check")
        removed = stage.changed("remove")
    assert removed == planned
    assert len(removed) == 3
    assert stage.changed("remove") == []


def test_nothing_is_removed_without_the_confirmation(stage: Stage) -> None:
    (stage._work / "play.yml").write_text(json.dumps(play(stage._cloud, "remove")))
    done = stage.tool("ansible-playbook", "play.yml", "-e", "droplet_remove_confirm=no")
    assert done.returncode != 0
    assert "Nothing was removed" in done.stdout + done.stderr
