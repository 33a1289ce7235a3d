# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback that tells what is under way: a play of real processes that take their time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
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


def run(folder: Path, **env: str) -> tuple[str, str]:
    (folder / "hosts").write_text("one ansible_connection=local\ntwo ansible_connection=local\n")
    (folder / "ansible.cfg").write_text("")
    (folder / "play.yml").write_text(PLAYBOOK)
    (folder / "ansible_collections" / "groundcrew").mkdir(parents=True)
    (folder / "ansible_collections" / "groundcrew" / "ops").symlink_to(ROOT)
    fixed = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run([program, "-i", "hosts", "play.yml"], cwd=folder, env={**os.environ, **fixed, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_what_takes_its_time_is_told_of_on_standard_error(tmp_path: Path) -> None:
    out, err = run(tmp_path, ANSIBLE_CALLBACKS_ENABLED="groundcrew.ops.progress", GROUNDCREW_PROGRESS_SECONDS="1")
    told = [line for line in err.splitlines() if line.startswith("... ")]
    assert any(re.fullmatch(r"\.\.\. Take time, phase commit: \w+ \d+ s, \w+ \d+ s", line) for line in told), err
    assert not re.search(r" 0 s", err), "what is over sooner is not told of"
    assert any(re.fullmatch(r"\.\.\. Fail: two \d+ s", line) for line in told), "the host that has ended is not told of"
    assert "hidden" not in err and "... " not in out
