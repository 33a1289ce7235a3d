#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the backups in a bucket and how far each is proven
version_added: 0.1.0
description:
  - Lists the PostgreSQL backups under a prefix with their time, size, tables and the level that a check has proven.
  - The signature of each manifest is checked, and each object's presence and size. A backup that fails is listed with its C(problem).
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.s3
  - groundcrew.ops.backup
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.s3) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - groundcrew.ops.s3
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
options:
  database:
    description:
      - Only backups of databases with this name.
    type: str
  system_id:
    description:
      - Only backups of this cluster.
    type: str
"""

EXAMPLES = r"""
- name: Look what can be restored
  groundcrew.ops.backup_info:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
  register: found

- name: Require a proven backup of the shop
  ansible.builtin.assert:
    that: found.backups | selectattr('database', 'eq', 'shop') | selectattr('level', 'eq', 'V5') | length > 0
"""

RETURN = r"""
backups:
  description: Every backup, by cluster and database, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    backup_id:
      description: Names the backup.
      type: str
    database:
      description: The database.
      type: str
    system_id:
      description: The cluster it was in.
      type: str
    taken_at:
      description: The time of the snapshot, UTC. Null when the manifest cannot be trusted.
      type: str
    bytes:
      description: The size of its objects, or null.
      type: int
    rows:
      description: Rows in all tables, or null.
      type: int
    tables:
      description: How many tables, or null.
      type: int
    level:
      description: V(V5) when the newest check restored it and found it equal to its truth, else V(unverified).
      type: str
    verified_at:
      description: The time of the newest check, or null.
      type: str
    damaged:
      description: Whether it cannot be restored.
      type: bool
    problem:
      description: Why, or null.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "database": {"type": "str"},
    "system_id": {"type": "str"},
}


def main() -> None:
    spec = argspec.merge(options.S3, options.REPOSITORY, SPEC)
    run.inform(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.information)


if __name__ == "__main__":
    main()
