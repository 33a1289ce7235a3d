#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Tell what can be restored, to when, how long it will take, and how that is known
version_added: 0.1.0
description:
  - Lists the backups under a prefix with their time, size, the level that a check has proven, how long a restore takes by the last drill, holds, and what
    the rules of retention would do.
  - Sums up each database, and tells what is wrong as findings, also that no backup came for too long. Renders all of it as a table or as metrics.
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
  engine:
    description:
      - Only backups of this kind of server.
    type: str
    choices: [postgresql, redis]
  keep:
    description:
      - The rules of M(groundcrew.ops.backup_retention), to tell what they would do. Omitted, nothing is told of that.
    type: dict
  limits:
    description:
      - What makes a finding fail. 0 for no limit.
    type: dict
    suboptions:
      newest_hours:
        description: How old the newest backup may be.
        type: float
        default: 26
      proven_hours:
        description: How old the newest proven backup may be.
        type: float
        default: 50
      drill_days:
        description: How long ago a restore may have been compared and equal last.
        type: float
        default: 100
      restore_minutes:
        description: How long the restore of the last drill may have taken.
        type: float
        default: 0
  required:
    description:
      - The databases that have to have backups. One that has none is a finding.
    type: list
    elements: dict
    default: []
  formats:
    description:
      - In which forms the report is returned as text as well.
    type: list
    elements: str
    choices: [json, markdown, html, prometheus]
    default: []
"""

EXAMPLES = r"""
- name: Look what can be restored
  groundcrew.ops.backup_info:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
  register: found

- name: Require a proven backup of the shop that is younger than two days
  ansible.builtin.assert:
    that: found.databases | selectattr('database', 'eq', 'shop') | map(attribute='newest_proven.age_seconds') | select('lt', 172800) | length > 0

- name: Write the report
  groundcrew.ops.backup_info:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    keep: {daily: 14, weekly: 8}
    formats: [markdown]
  register: report
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
    engine:
      description: V(postgresql) or V(redis).
      type: str
    duration_seconds:
      description: How long the backup took, or null.
      type: float
    level:
      description: The highest level proven since the last check that found something wrong, V(V1) to V(V7), or V(unverified).
      type: str
    verified_at:
      description: The time of the newest check, or null.
      type: str
    verdict:
      description: The verdict of the newest check, or null. V(unverified) when it could not run.
      type: str
    restore_seconds:
      description: How long the restore of its own last drill took, or null.
      type: float
    expected_restore_seconds:
      description: How long a restore will take, by the last drill of this database and the sizes of both. Null without a drill.
      type: float
    evidence:
      description: How that is known, in a sentence.
      type: str
    hold:
      description: The C(reason), the C(owner) and the end (C(until)) of a hold, or null.
      type: dict
    retention:
      description: Whether the rules C(keep) it, and the C(reason). Null without O(keep).
      type: dict
    damaged:
      description: Whether it cannot be restored.
      type: bool
    problem:
      description: Why, or null.
      type: str
databases:
  description:
    - Each database in a line, with C(newest), C(newest_proven), C(last_drill), the number of C(backups), how many are C(proven), C(damaged),
      C(held), C(removable), their C(bytes), and the C(orphans) with their C(orphan_bytes).
    - An orphan is what a killed run left. A run that is under way looks the same.
  returned: success
  type: list
  elements: dict
findings:
  description: What was looked at and found, with C(id), C(title), C(severity), C(subject), C(verdict), C(evidence) and C(remedy).
  returned: success
  type: list
  elements: dict
rendered:
  description: The report in each of O(formats).
  returned: success
  type: dict
at:
  description: When this was read, UTC.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "database": {"type": "str"},
    "system_id": {"type": "str"},
    "engine": {"type": "str", "choices": ["postgresql", "redis"]},
    "keep": {"type": "dict"},
    "limits": {"type": "dict", "options": options.LIMITS},
    "required": {"type": "list", "elements": "dict", "default": []},
    "formats": {"type": "list", "elements": "str", "choices": ["json", "markdown", "html", "prometheus"], "default": []},
}


def main() -> None:
    spec = argspec.merge(options.S3, options.REPOSITORY, SPEC)
    run.inform(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.information)


if __name__ == "__main__":
    main()
