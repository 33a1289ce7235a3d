# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report is written by real runs of ansible-playbook on this machine: what Ansible hands a callback is not ours to imagine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SECRET = "correct-horse-battery-staple"
PLAYBOOK = """
- hosts: web
  gather_facts: false
  vars: {{report_step: provision, secret: {secret}}}
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
    - name: Change nothing
      ansible.builtin.assert: {{that: [true]}}
    - name: Tell the answer
      ansible.builtin.set_fact: {{thing_result: {{name: "{{{{ inventory_hostname }}}}", size: 1}}, other: 2}}
    - name: Tell a secret
      ansible.builtin.set_fact: {{secret_result: {{password: "{{{{ secret }}}}"}}}}
      no_log: true
    - name: Use a secret
      ansible.builtin.command: "echo {{{{ secret }}}}"
      no_log: true
- hosts: web
  gather_facts: false
  tasks:
    - name: Change outside of any step
      ansible.builtin.command: "true"
- hosts: one
  gather_facts: false
  vars: {{report_step: provision}}
  tasks:
    - name: Change one more
      ansible.builtin.command: "true"
- hosts: web
  gather_facts: false
  vars: {{report_step: host}}
  tasks:
    - name: Fail and be ignored
      ansible.builtin.fail: {{msg: ignored}}
      ignore_errors: true
    - name: Try
      block:
        - name: Fail and be rescued
          ansible.builtin.fail: {{msg: rescued}}
      rescue:
        - name: Go on
          ansible.builtin.debug: {{msg: rescued}}
- hosts: web
  gather_facts: false
  vars: {{report_step: deploy, secret: {secret}}}
  tasks:
    - name: Break <script>alert(1)</script>
      ansible.builtin.fail: {{msg: the disk is full}}
      when: inventory_hostname == 'two'
    - name: Break with a secret
      ansible.builtin.fail: {{msg: "{{{{ secret }}}}"}}
      no_log: true
"""


SMALL = """
- hosts: one
  gather_facts: false
  vars: {report_step: provision}
  tasks:
    - name: Break
      ansible.builtin.fail:
"""


def run(folder: Path, playbook: str, *arguments: str) -> dict[str, Any]:
    (folder / "hosts").write_text("[web]\none ansible_connection=local\ntwo ansible_connection=local\n")
    (folder / "ansible.cfg").write_text("")
    (folder / "play.yml").write_text(playbook)
    root = Path(__file__).resolve().parents[4]
    collections = folder / "collections" / "ansible_collections" / "groundcrew"
    collections.mkdir(parents=True, exist_ok=True)
    if not (collections / "ops").exists():
        (collections / "ops").symlink_to(root)
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_CALLBACKS_ENABLED": "groundcrew.ops.report",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_HOME": str(folder / "home"),
        "GROUNDCREW_REPORT_DIR": str(folder / "report"),
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run([program, "-i", "hosts", "play.yml", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert "allback" not in done.stderr, done.stderr
    assert done.returncode == 2, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((folder / "report" / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return run(folder, PLAYBOOK.format(secret=SECRET))


def test_plays_are_grouped_by_their_step(report: dict[str, Any]) -> None:
    assert report["schema"] == 1 and report["check"] is False and report["seconds"] > 0
    assert [(step["name"], step["outcome"]) for step in report["steps"]] == [("provision", "ok"), ("host", "ok"), ("deploy", "failed")]
    assert all(sorted(step["hosts"]) == ["one", "two"] for step in report["steps"])
    assert sum(step["seconds"] for step in report["steps"]) < report["seconds"]


def test_changes_are_host_and_task_of_their_step_only(report: dict[str, Any]) -> None:
    provision, host, _deploy = report["steps"]
    assert provision["changed"] == len(provision["changes"]) == 5
    assert {"host": "one", "task": "Change one more"} in provision["changes"]
    assert "Change outside of any step" not in json.dumps(report)
    assert host["changed"] == 0


def test_only_answers_of_roles_are_facts(report: dict[str, Any]) -> None:
    assert report["steps"][0]["facts"] == {host: {"thing_result": {"name": host, "size": 1}} for host in ("one", "two")}


def test_a_failure_has_its_message_and_is_escaped(report: dict[str, Any], folder: Path) -> None:
    assert {"host": "two", "task": "Break <script>alert(1)</script>", "message": "the disk is full"} in report["steps"][2]["failures"]
    page = (folder / "report" / "report.html").read_text()
    assert "the disk is full" in page and "Break &lt;script&gt;" in page and "<script" not in page


def test_secrets_are_in_neither_file(report: dict[str, Any], folder: Path) -> None:
    assert {"host": "one", "task": "Use a secret"} in report["steps"][0]["changes"]
    (failure,) = [failure for failure in report["steps"][2]["failures"] if failure["task"] == "Break with a secret"]
    assert failure["host"] == "one" and failure["message"]
    for file in ("report.json", "report.html"):
        assert SECRET not in (folder / "report" / file).read_text()


def test_a_dry_run_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, SMALL, "--check")["check"] is True
    assert "The dry run found trouble" in (tmp_path / "report" / "report.html").read_text()
