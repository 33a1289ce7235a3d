# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that writes how far it is, in a play of real processes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.plugins.plays import played

ACTION = """
from ansible_collections.groundcrew.ops.plugins.plugin_utils.told_action import ToldAction

class ActionModule(ToldAction):
    every = 0.3

    def file(self, options):
        return options.get("path")

    def words(self, document):
        return document["state"]
"""
MODULE = """
import time
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"path": {"type": "str"}, "says": {"type": "list", "elements": "str"}}, supports_check_mode=True)
for words in module.params["says"]:
    Path(module.params["path"] or "/dev/null").write_text(words)
    time.sleep(1)
module.exit_json(changed=True)
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Work
      work: {path: "{{ playbook_dir }}/how far.json", says: ['{"state": "STARTED"}', '{"state": "VERIFIED"}']}
    - name: Write what cannot be read
      work: {path: "{{ playbook_dir }}/nonsense.json", says: ["", "no JSON", "[]", "{}"]}
    - name: Write nothing
      work: {says: ['{"state": "STARTED"}']}
    - name: Predict
      work: {path: "{{ playbook_dir }}/how far.json", says: ['{"state": "STARTED"}']}
      check_mode: true
"""


def test_each_change_is_told_once_on_standard_error_and_nothing_else_is(tmp_path: Path) -> None:
    for name, content in (("action_plugins/work.py", ACTION), ("library/work.py", MODULE)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    out, err = played(tmp_path, PLAYBOOK, "one")
    told = [re.sub(r"\d+ s$", "N s", line) for line in err.splitlines() if line.startswith("... ")]
    assert told == ["... Work: one STARTED, N s", "... Work: one VERIFIED, N s"]
    assert "changed=4" in out and "... " not in out
