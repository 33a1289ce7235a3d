#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_hold
short_description: Keep a backup whatever the rules of retention say
version_added: 0.1.0
description:
  - Places a hold on a backup, changes it or releases it. While a hold lasts, M(groundcrew.ops.backup_retention) does not remove the backup.
  - The hold lies beside the backup, signed as the manifest is. One that cannot be read counts as a hold.
  - A hold does not protect from somebody with the bucket's credentials; the store's object lock does.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.s3
  - groundcrew.ops.backup
  - groundcrew.ops.backup.identity
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.s3) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - groundcrew.ops.s3
  check_mode:
    description: Reads the hold and says what would be done.
    support: full
  diff_mode:
    description: Shows the hold before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  backup_id:
    description:
      - The backup. V(latest) is the newest whole one, V(latest_verified) the newest proven one.
    type: str
    required: true
  reason:
    description:
      - Why it is kept. Needed to place a hold.
    type: str
  owner:
    description:
      - Whom to ask before it is released. Needed to place a hold.
    type: str
  until:
    description:
      - When the hold ends, as V(2027-01-31) or V(2027-01-31T12:00:00Z), in UTC. Omitted, it lasts until it is released.
    type: str
  state:
    description:
      - Whether there is a hold.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep the last backup before the migration
  groundcrew.ops.backup_hold:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: shop
    backup_id: latest_verified
    reason: before the migration to version 5
    owner: ann@example.com
    until: "2027-06-30"
"""

RETURN = r"""
hold:
  description: The hold as it is, or as it would be in check mode. Null when there is none.
  returned: success
  type: dict
  contains:
    backup_id:
      description: The backup that it keeps.
      type: str
    reason:
      description: Why it is kept.
      type: str
    owner:
      description: Whom to ask.
      type: str
    until:
      description: When it ends, or null.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "backup_id": {"type": "str", "required": True},
    "reason": {"type": "str"},
    "owner": {"type": "str"},
    "until": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    spec = argspec.merge(options.S3, options.REPOSITORY, options.IDENTITY, SPEC)
    run.converge(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.holding)


if __name__ == "__main__":
    main()
