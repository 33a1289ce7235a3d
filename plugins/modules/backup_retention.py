#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_retention
short_description: Remove the backups that no rule keeps
version_added: 0.1.0
description:
  - Decides for each backup of one database whether it stays, says why, and removes the rest. What any of the rules keeps, stays.
  - Only proven backups are counted, those that a restore has shown to be equal to their source. The newest O(keep.minimum) of them always stay.
  - Nothing at all is removed while the newest backup is not proven, or is older than O(keep.late_hours).
  - A backup with a hold (M(groundcrew.ops.backup_hold)), one that the store itself has locked, and one that cannot be read because another key signed it
    are kept.
  - The names of databases are compared as a whole. A rule for C(app) never touches C(app-staging).
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
    description: Explains each decision and removes nothing.
    support: full
  diff_mode:
    description: Shows the backups before and after, and each decision with its reason.
    support: full
  idempotent:
    description: A second run finds nothing more to remove, until time passes.
    support: full
options:
  keep:
    description:
      - The rules. Hours, days, weeks, months and years are those of UTC, by the clock of the server at the time of the backup.
    type: dict
    default: {}
    suboptions:
      last:
        description: So many of the newest.
        type: int
        default: 0
      hourly:
        description: The newest of each of so many hours that have one.
        type: int
        default: 0
      daily:
        description: The newest of each of so many days that have one.
        type: int
        default: 0
      weekly:
        description: The newest of each of so many weeks (ISO 8601) that have one.
        type: int
        default: 0
      monthly:
        description: The newest of each of so many months that have one.
        type: int
        default: 0
      yearly:
        description: The newest of each of so many years that have one.
        type: int
        default: 0
      within_days:
        description: All that are younger, proven or not. 0 for none.
        type: float
        default: 30
      minimum:
        description: So many of the newest proven ones stay in any case; at least one does.
        type: int
        default: 2
      most:
        description: No more than this are removed in one run, the oldest first.
        type: int
        default: 50
      late_hours:
        description: Nothing is removed when the newest backup is older. 0 for no such limit.
        type: float
        default: 0
  sweep:
    description:
      - Also remove what runs that were killed have left. A run that is under way holds the lease of the database, and makes the task fail instead.
    type: bool
    default: false
  force:
    description:
      - Remove more than O(keep.most) in this run. No other rule is lifted.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep two weeks of days, two months of weeks and a year of months
  groundcrew.ops.backup_retention:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: shop
    keep:
      within_days: 0
      daily: 14
      weekly: 8
      monthly: 12
      late_hours: 26
"""

RETURN = r"""
retention:
  description: Every backup, oldest first, and what was decided about it.
  returned: success
  type: list
  elements: dict
  contains:
    backup_id:
      description: Names the backup.
      type: str
    keep:
      description: Whether it stays.
      type: bool
    reason:
      description: The rules that keep it, or why it goes.
      type: str
removed:
  description: The backups that were removed. Empty in check mode.
  returned: success
  type: list
  elements: str
swept:
  description: How many unfinished runs were removed. 0 in check mode.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "keep": {"type": "dict", "default": {}, "options": options.KEEP, "apply_defaults": True},
    "sweep": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}


def main() -> None:
    spec = argspec.merge(options.S3, options.REPOSITORY, options.IDENTITY, SPEC)
    run.perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.retain)


if __name__ == "__main__":
    main()
