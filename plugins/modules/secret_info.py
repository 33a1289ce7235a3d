#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_info
short_description: Tell the age, version and rotation state of secrets
version_added: 0.1.0
description:
  - Lists the secrets of a store with their age, who uses them, when they were last proven, and when they are due for rotation. It never returns a value.
  - It runs on the control node, whatever the host of the task, by the Python of C(ansible-playbook).
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.secret_store
  - groundcrew.ops.secret_store.schedule
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  action:
    description: Runs on the control node.
    support: full
options:
  names:
    description:
      - The secrets to tell about; one that does not exist is an error. Empty means all of the store.
    type: list
    elements: str
    default: []
  policies:
    description:
      - "What single secrets have for themselves, by their names: C(max_age_days), C(slack_days), C(jitter_days), C(windows). Nothing else of each dictionary is
        looked at, so the entries of the role's C(secret_items) will do."
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look which secrets are due
  groundcrew.ops.secret_info:
    store_path: "{{ inventory_dir }}/secrets"
    vault_password_file: ~/.config/groundcrew/vault-password
  register: secrets

- name: Fail when one is late
  ansible.builtin.assert:
    that: secrets.secrets | selectattr('late') | length == 0
"""

RETURN = r"""
secrets:
  description: One entry for each secret, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: Its kind.
      type: str
    version:
      description: The id of the current version.
      type: str
    fingerprint:
      description: HMAC-SHA-256 of the current value with a salt of its own.
      type: str
    age_days:
      description: Days since the current version was made.
      type: float
    due:
      description: Whether a rotation would begin now. Outside of O(windows) it would not.
      type: bool
    late:
      description: Whether it has reached RV(secrets[].max_age_days).
      type: bool
    max_age_days:
      description: From which age on it is late, in days.
      type: float
    next_due:
      description: From when on a rotation may begin, in UTC.
      type: str
    strategy:
      description: How it was rotated last; null when it never was.
      type: str
    consumers:
      description: Who had to acknowledge it then.
      type: list
      elements: str
    proven:
      description: When its current version was last seen at work by a rotation, in UTC.
      type: str
    state:
      description: The state of the rotation in progress, or V(STEADY).
      type: str
"""
