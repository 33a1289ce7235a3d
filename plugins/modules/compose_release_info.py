#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_release_info
short_description: Tell what a host remembers of a Compose application
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Returns the active release, one in progress, the committed ones, what sits in each slot, and the end of the journal. Changes nothing.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
attributes:
  check_mode:
    description: Changes nothing, with or without it.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
options:
  journal_lines:
    description: How many of the newest journal entries to return.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Ask which release is active
  groundcrew.ops.compose_release_info:
    name: shop
  register: shop
"""

RETURN = r"""
active:
  description: The active release with its slot and replicas; null when there is none.
  returned: success
  type: dict
pending:
  description:
    - A release in progress, or interrupted, with the C(state) it is in C(since) when (seconds since the epoch); null when there is none.
    - This is also how to watch one from another terminal.
  returned: success
  type: dict
committed:
  description: Ids of the committed releases that a rollback can go to, oldest first.
  returned: success
  type: list
  elements: str
schema:
  description: What migrations made of the database, as C(version) and C(oldest); null where releases declare nothing.
  returned: success
  type: dict
lease:
  description: Who may change something here. C(run) and C(holder) are empty when nobody does; C(token) rises with each holder.
  returned: success
  type: dict
slots:
  description: What was last started in each slot.
  returned: success
  type: dict
journal:
  description: The newest entries of the journal, oldest first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import inform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import PLACE
from ansible_collections.groundcrew.ops.plugins.module_utils._release.operations import tell

SPEC = {"journal_lines": {"type": "int", "default": 20}}


def main() -> None:
    inform(AnsibleModule(argument_spec=merge(PLACE, SPEC), supports_check_mode=True), tell)


if __name__ == "__main__":
    main()
