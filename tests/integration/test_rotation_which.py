# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role rotates what it was asked to and nothing else; the trail of that is exported, and a chain that was broken is named."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from tests.integration.rotation_world import ROOT

DAY = 86400.0
RECIPE = policy.recipe("password", 192, policy.ALPHABET, ())
AGES = {"shop/old": 31, "shop/other": 1, "shop/strict": 3, "shop/young": 2}

PLAY = """
- name: Rotate what is asked for
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    secret_phase: begin
  tasks:
    - name: Begin
      ansible.builtin.include_role: {name: groundcrew.ops.secret, tasks_from: rotate}
      loop:
        - {which: shop/young}
        - {which: due}
        - {which: compromised, names: [shop/other]}
      loop_control: {loop_var: asked}
      vars:
        secret_rotate_which: "{{ asked.which }}"
        secret_names: "{{ asked.names | default([]) }}"

    - name: Export the trail
      groundcrew.ops.secret_trail: {store_path: "{{ secret_store_path }}"}
      register: exported

    - name: Look what it tells
      ansible.builtin.assert:
        that:
          - exported.trail | map(attribute='secret') | unique == ['shop/old', 'shop/other', 'shop/strict', 'shop/young']
          - exported.trail | selectattr('what', 'equalto', 'completed PUBLISHED') | length == 4
          - exported.anchors | length == 4

    - name: Break the chain of a journal
      ansible.builtin.replace: {path: "{{ secret_store_path }}/rotations/shop/other.jsonl", regexp: PUBLISHED, replace: DESTROYED}

    - name: Export the trail of the others
      groundcrew.ops.secret_trail: {store_path: "{{ secret_store_path }}", names: [shop/old, shop/young]}

    - name: Export all of it
      groundcrew.ops.secret_trail: {store_path: "{{ secret_store_path }}"}
      register: broken
      failed_when: broken.msg is not search('shop/other.jsonl does not continue the chain')

    - name: Begin with one that is not declared
      ansible.builtin.include_role: {name: groundcrew.ops.secret, tasks_from: rotate}
      vars: {secret_rotate_which: shop/unknown}
"""


@pytest.mark.slow
def test_what_is_asked_for_is_rotated_and_its_trail_exported(tmp_path: Path) -> None:
    folder, key = tmp_path / "secrets", tmp_path / "key"
    key.write_text("vault\n")
    store = FileStore(folder, VaultLibrary(str(key)))
    for name, days in AGES.items():
        store.create(Secret(name, RECIPE, policy.version(policy.generate(RECIPE, "first"), "first", time.time() - days * DAY, "salt")))
    items = [{"name": name, "allow_auth_gap": True, **({"max_age_days": 2} if name == "shop/strict" else {})} for name in AGES]
    (tmp_path / "vars.json").write_text(json.dumps({"secret_items": items, "secret_store_path": str(folder), "secret_vault_password_file": str(key)}))
    (tmp_path / "play.yml").write_text(PLAY)
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-e", f"@{tmp_path}/vars.json", str(tmp_path / "play.yml")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "secret_rotate_which is shop/unknown, which is no secret of secret_items" in " ".join(said.split()), said
    broken = folder / "rotations" / "shop" / "other.jsonl"
    broken.write_text(broken.read_text().replace("DESTROYED", "PUBLISHED"))
    begun = {name: [entry["at"] for entry in FileRecords(folder).entries(name) if entry["kind"] == "planned"] for name in AGES}
    assert {name: len(each) for name, each in begun.items()} == dict.fromkeys(AGES, 1)
    assert sorted(begun, key=lambda name: begun[name]) == ["shop/young", "shop/old", "shop/strict", "shop/other"], "each was rotated when it was asked for"
