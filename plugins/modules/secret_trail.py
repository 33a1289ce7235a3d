#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_trail
short_description: Export the audit trail of secrets
version_added: 0.1.0
description:
  - Tells who rotated which secret when, from which fingerprint to which, step by step. It never returns a value, and opens no secret.
  - Each journal is a chain of hashes, which is checked; one that was changed, or that entries were taken out of, is refused by its name and line.
  - That the last entry is the last one only somebody else can know. Keep what RV(anchors) returned where whoever can write to the store cannot, and give it to
    the next export.
  - It runs on the control node, whatever the host of the task, by the Python of C(ansible-playbook).
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.secret_store
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
      - The secrets to tell about. Empty means all that were ever rotated, also those that were removed.
    type: list
    elements: str
    default: []
  anchors:
    description:
      - What RV(anchors) of an earlier export said. A journal that does not hold that entry any more is an error.
    type: list
    elements: dict
    default: []
    suboptions:
      secret:
        description: The name of the secret.
        type: str
        required: true
      seq:
        description: The number of the entry.
        type: int
        required: true
      hash:
        description: Its hash.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Export the audit trail
  groundcrew.ops.secret_trail:
    store_path: "{{ inventory_dir }}/secrets"
    anchors: "{{ lookup('ansible.builtin.file', 'anchors.json') | from_json }}"
  register: exported

- name: Keep it
  ansible.builtin.copy:
    content: "{{ exported.trail | to_nice_json }}"
    dest: trail.json
    mode: "0600"
  delegate_to: localhost
"""

RETURN = r"""
trail:
  description: One entry for each line of the journals, by secret, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    secret:
      description: The name of the secret.
      type: str
    seq:
      description: The number of the entry in its journal.
      type: int
    at:
      description: When it was written, in UTC.
      type: str
    by:
      description: Who ran it, and on which control node.
      type: str
    what:
      description: What was begun, completed, acknowledged or taken back.
      type: str
    rotation:
      description: The id of the rotation.
      type: str
    strategy:
      description: How it was rotated.
      type: str
    from:
      description: The fingerprint of the value before.
      type: str
    to:
      description: The fingerprint of the value after; null until there is one.
      type: str
    hash:
      description: The hash of the entry.
      type: str
anchors:
  description: The last entry of each journal, for the next export.
  returned: success
  type: list
  elements: dict
"""
