# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that tells what is under way: a play of real processes that take their time."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.plugins.plays import played

PLAYBOOK = """
- hosts: all
  gather_facts: false
  vars: {word: phase commit, secret: hidden}
  tasks:
    - name: "Take time, {{ word }}"
      ansible.builtin.command: sleep 3
      environment: {VALUE: "{{ secret }}"}
    - name: Fail
      ansible.builtin.shell: sleep {{ 0 if inventory_hostname == 'one' else 3 }}; false
      ignore_errors: true
"""


def test_what_takes_its_time_is_told_of_on_standard_error(tmp_path: Path) -> None:
    out, err = played(tmp_path, PLAYBOOK, "one", "two", ANSIBLE_CALLBACKS_ENABLED="groundcrew.ops.progress", GROUNDCREW_PROGRESS_SECONDS="1")
    told = [line for line in err.splitlines() if line.startswith("... ")]
    assert all(re.fullmatch(r"\.\.\. (Take time, phase commit|Fail): \w+ \d+ s(, \w+ \d+ s)?", line) for line in told), err
    assert any(re.fullmatch(r"\.\.\. Take time, phase commit: \w+ \d+ s, \w+ \d+ s", line) for line in told), err
    assert not re.search(r" 0 s", err), "what is over sooner is not told of"
    assert any(re.fullmatch(r"\.\.\. Fail: two \d+ s", line) for line in told), "the host that has ended is not told of"
    assert "hidden" not in err and "... " not in out
