#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Prove a backup by restoring it into a server made for the check
version_added: 0.1.0
description:
  - Restores a backup into a server of the same major version that is started for the check, compares it with the truth that was recorded with the
    backup, looks for corruption, and asks your own questions. The server listens on a socket that only root and its account can reach, and is gone
    afterwards.
  - The outcome is kept beside the backup, where it makes the backup a proven one or takes that away.
  - A check that could not run is recorded as C(unverified) and fails the task. It is never a pass, and takes no earlier proof away.
  - The newest backup is checked also when it is damaged; an older one does not pass in its place.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.s3
  - groundcrew.ops.backup
  - groundcrew.ops.backup.identity
  - groundcrew.ops.backup.tools
requirements:
  - psycopg2 (Debian package python3-psycopg2)
  - for PostgreSQL from O(level=V5) on, its server of the same major version (Debian package postgresql), unless O(server) is given
  - for Redis redis-check-rdb (Debian package redis-tools) and the library redis (Debian package python3-redis)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.s3) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - groundcrew.ops.s3
  check_mode:
    description: Says what would be checked.
    support: full
  diff_mode:
    description: Shows the level before and after, and the steps.
    support: full
  idempotent:
    description: Each run checks again, unless O(max_age) says that the last check will do.
    support: partial
options:
  backup_id:
    description:
      - The backup. V(latest) is the newest of all.
    type: str
    default: latest
  level:
    description:
      - How far to go. V(V1) looks whether each object is there in its size. V(V2) reads each back and compares its hash.
        V(V3) has C(pg_restore) read the whole dump as well.
      - V(V5) restores and compares with the truth. V(V6) looks for corruption with C(pg_amcheck) as well. V(V7) also asks the O(questions).
      - V(V3), V(V6) and V(V7) are for PostgreSQL. Omitted, it is V(V7) with O(questions), else V(V6), and V(V5) for Redis.
    type: str
    choices: [V1, V2, V3, V5, V6, V7]
  questions:
    description:
      - SQL that has to answer with one row of one true value, asked in the restored database.
    type: list
    elements: dict
    suboptions:
      name:
        description: What is asked, in words.
        type: str
        required: true
      sql:
        description: The query. Names of tables need their schema.
        type: str
        required: true
  max_age:
    description:
      - Seconds. When a check that is younger has proven at least O(level), nothing is done.
    type: int
  server:
    description:
      - Restore into a scratch database of this server instead. Its user needs the right to create databases. PostgreSQL only.
    type: dict
    suboptions:
      login_host:
        description: The server's name or address.
        type: str
        required: true
      login_port:
        description: The server's port.
        type: int
        default: 5432
      login_user:
        description: The user to log in as.
        type: str
        required: true
      login_password:
        description: The password of that user.
        type: str
      login_db:
        description: The database to connect to.
        type: str
        required: true
      ssl_mode:
        description: How the connection is protected, in the words of libpq.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
        default: require
      ca_cert:
        description: The file with the certificate authority of the server.
        type: path
  scratch_database:
    description:
      - The database to restore into. It must not exist in O(server).
    type: str
    default: groundcrew_verify
"""

EXAMPLES = r"""
- name: Prove the newest backup, and that yesterday's orders are in it
  groundcrew.ops.backup_verify:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: shop
    questions:
      - name: there are orders of yesterday
        sql: SELECT max(placed_at) > now() - interval '2 days' FROM public.orders
"""

RETURN = r"""
verification:
  description: What was checked. Null in check mode and when nothing was to be done. When the backup does not pass, the task fails and returns it too.
  returned: success
  type: dict
  contains:
    backup_id:
      description: The backup.
      type: str
    database:
      description: Whose backup it is.
      type: str
    system_id:
      description: The cluster it was in.
      type: str
    level:
      description: How far the check was to go.
      type: str
    verdict:
      description: V(equal), V(different), or V(unverified) when the check could not run.
      type: str
    differences:
      description: What is wrong, or why the check could not run.
      type: list
      elements: str
    checks:
      description: Each C(level) that was passed, with what was C(said).
      type: list
      elements: dict
    notes:
      description: What is worth a look and proves nothing, like an unusual size.
      type: list
      elements: str
    restore_seconds:
      description: How long the restore took, or null.
      type: float
    seconds:
      description: How long all of it took.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "backup_id": {"type": "str", "default": "latest"},
    "level": {"type": "str", "choices": ["V1", "V2", "V3", "V5", "V6", "V7"]},
    "questions": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, "sql": {"type": "str", "required": True}},
    },
    "max_age": {"type": "int"},
    "server": {"type": "dict", "options": options.SOURCE},
    "scratch_database": {"type": "str", "default": "groundcrew_verify"},
}


def main() -> None:
    spec = argspec.merge(options.S3, options.REPOSITORY, options.IDENTITY, options.TOOLS, SPEC)
    run.perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.verification)


if __name__ == "__main__":
    main()
