#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_backup
short_description: Back a PostgreSQL database up to S3
version_added: 0.1.0
description:
  - Dumps the database O(login_db) with the stock C(pg_dump), several tables at a time, and stores the dump in a bucket while it is still written.
  - From the same snapshot it records the truth, namely the exact number of rows and a hash of the content of each table, sequences, large
    objects and the definitions, so that M(groundcrew.ops.postgresql_restore) can prove a restored database to be equal.
  - A signed manifest with the SHA-256 of each object is written last. Only a manifest makes a backup exist, and no backup is ever overwritten.
  - A run that fails removes what it has stored and leaves the reason under C(failed/). What a killed run has left, the next run removes.
  - One run at a time for a database, by a lock in the database and a lease in the bucket. A migration that is in the way is let through, and the
    backup begins again in a new snapshot.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
  - groundcrew.ops.s3
  - groundcrew.ops.backup
  - groundcrew.ops.backup.tools
requirements:
  - psycopg2 (Debian package python3-psycopg2)
  - pg_dump of the server's major version or later (Debian package postgresql-client)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) and C(group/groundcrew.ops.s3) in C(module_defaults) to set the connections once.
    support: full
    membership:
      - groundcrew.ops.postgresql
      - groundcrew.ops.s3
  check_mode:
    description: Makes every check of the database, the tools, the disk and the bucket that only reads, and tells what would be done.
    support: full
  diff_mode:
    description: Shows the newest backup before and the steps.
    support: full
  idempotent:
    description: Each run makes a new backup, unless O(max_age) says that there is one that is young enough.
    support: partial
options:
  max_age:
    description:
      - Seconds. Nothing is done when there is a backup, verified by a restore, that is younger.
    type: float
  lock_timeout:
    description:
      - Seconds to wait for a table that something else has locked.
    type: int
    default: 30
  hash_limit:
    description:
      - Bytes. Tables that are larger are counted but not hashed, which is faster and proves less. Omitted, all are hashed.
    type: int
  staging_mib:
    description:
      - MiB of O(staging_dir) that the dump may take at a time. Each file is stored while it grows, and its disk space is given back behind that.
      - C(pg_dump) is paused while too much waits. At least 64, and 24 for each of O(jobs).
      - A file system that cannot give space back while a file is written (NFS before 4.2) needs room for the largest tables, and ends the run above this.
    type: int
    default: 512
  stall_seconds:
    description:
      - A run is given up when for so long C(pg_dump) has written nothing and the store has taken nothing.
    type: float
    default: 600
  lease_seconds:
    description:
      - How long a run that was killed keeps others, on other hosts, from backing the same database up.
    type: float
    default: 90
  roles:
    description:
      - Also keep roles and other globals as C(globals.sql), without passwords.
    type: bool
    default: true
  storage_class:
    description:
      - The storage class of objects from 128 KiB on, for example V(STANDARD_IA) or V(INTELLIGENT_TIERING). Smaller ones stay in the bucket's own.
      - Classes that take hours to be read again (V(GLACIER), V(DEEP_ARCHIVE)) are an error. Omitted, the store decides.
    type: str
  progress_file:
    description:
      - A file on the host that tells, every five seconds and for as long as the backup runs, how far it is, as JSON. The play prints it.
    type: path
"""

EXAMPLES = r"""
- name: Back the shop's database up
  groundcrew.ops.postgresql_backup:
    login_host: db.example.com
    login_port: 25060
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
  register: made

- name: Show what was saved
  ansible.builtin.debug:
    msg: "{{ made.backup.backup_id }}: {{ made.backup.rows }} rows, {{ made.backup.bytes }} bytes"
"""

RETURN = r"""
backup:
  description: The backup that was made, or the one that is young enough. Null in check mode.
  returned: success
  type: dict
  contains:
    backup_id:
      description: Names the backup and sorts by time.
      type: str
    database:
      description: The database.
      type: str
    system_id:
      description: The identifier of the cluster it is in.
      type: str
    taken_at:
      description: The time of the snapshot by the server's clock, UTC.
      type: str
    server_version:
      description: The server's version as PostgreSQL counts it.
      type: int
    objects:
      description: How many objects were stored.
      type: int
    bytes:
      description: Their size.
      type: int
    rows:
      description: Rows in all tables.
      type: int
    tables:
      description: Each table with its number of rows.
      type: list
      elements: dict
    staging:
      description: The bytes that were on disk at most (C(peak)), the C(limit), and how often C(pg_dump) was paused (C(pauses)).
      type: dict
    swept:
      description: How many remains of killed runs were removed.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION

SPEC = {
    "max_age": {"type": "float"},
    "lock_timeout": {"type": "int", "default": 30},
    "hash_limit": {"type": "int"},
    "staging_mib": {"type": "int", "default": 512},
    "stall_seconds": {"type": "float", "default": 600},
    "lease_seconds": {"type": "float", "default": 90},
    "roles": {"type": "bool", "default": True},
}


def main() -> None:
    spec = argspec.merge(CONNECTION, options.S3, options.REPOSITORY, options.STORAGE, options.TOOLS, SPEC)
    run.perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), settings.backup)


if __name__ == "__main__":
    main()
