#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_restore
short_description: Restore a PostgreSQL database from S3 and prove it
version_added: 0.1.0
description:
  - Restores a backup that M(groundcrew.ops.postgresql_backup) made into a new database, or in the place of an old one.
  - Before C(pg_restore) sees a byte, the manifest's signature and the size and SHA-256 of each object are checked. An object that is
    damaged or missing is named and nothing is restored.
  - The restored database is compared with the truth that was recorded with the backup. The verdict is kept beside the backup, where it makes
    the backup a verified one.
  - A restore that fails drops the database that it made. One that was killed is begun again by the next run.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
  - groundcrew.ops.s3
  - groundcrew.ops.backup
  - groundcrew.ops.backup.tools
requirements:
  - psycopg2 (Debian package python3-psycopg2)
  - pg_restore of the server's major version or later (Debian package postgresql-client)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) and C(group/groundcrew.ops.s3) in C(module_defaults) to set the connections once.
    support: full
    membership:
      - groundcrew.ops.postgresql
      - groundcrew.ops.s3
  check_mode:
    description: Checks the backup, the target, the tools and the disk, and tells what would be done.
    support: full
  diff_mode:
    description: Shows the target and the steps.
    support: full
  idempotent:
    description: A second run refuses, because the target is not empty any more.
    support: none
options:
  database:
    description:
      - The database that was backed up.
    type: str
    required: true
  system_id:
    description:
      - The identifier of the cluster it was in. Needed when databases of that name were backed up from several.
    type: str
  backup_id:
    description:
      - The backup. V(latest) is the newest whole one, V(latest_verified) the newest that a restore has proven.
    type: str
    default: latest
  target_database:
    description:
      - The database to restore into, on the server that O(login_host) names. It is created through O(login_db).
      - One that exists must be empty. Restoring over data is refused, unless O(replace) is given.
    type: str
    required: true
  replace:
    description:
      - The name of O(target_database) again, to put the restored database in its place. It is restored beside it and compared first. Then, in one
        transaction, the old one gets a name that tells when it was replaced, and the restored one the target's name. Who is connected to either is
        disconnected. The old database is kept until you drop it.
      - What belongs to a database and is in no dump is not carried over, namely C(ALTER DATABASE … SET) and C(GRANT … ON DATABASE).
    type: str
  schemas:
    description:
      - Restore only the rows of the tables in these schemas. Definitions are restored whole; foreign keys to tables without rows are left out and named.
    type: list
    elements: str
  tables:
    description:
      - Restore only the rows of these tables, written C(schema.table). May be combined with O(schemas).
    type: list
    elements: str
  staging_mib:
    description:
      - MiB of O(staging_dir) that may be used; omitted, what is free. A dump that is larger is read twice, once to be compared with the manifest and
        once, file by file, to be restored. Its largest file has to fit.
    type: int
  verify:
    description:
      - Compare the restored database with the truth recorded with the backup, and fail when they differ.
    type: bool
    default: true
  source:
    description:
      - A live database to compare with as well. It differs when it was written to since the backup, so that is told and is no failure.
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
        description: The database.
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
  drop_after:
    description:
      - Drop the database once it was compared. For a check of the backup in a scratch database.
    type: bool
    default: false
  ownership:
    description:
      - Restore owners and privileges. Their roles must exist on the server, and O(login_user) must be a member of them.
      - Omitted, it is done unless O(drop_after) is set.
    type: bool
  allow_vulnerable_client:
    description:
      - Use a C(pg_restore) that a crafted archive can make run code (CVE-2026-116314). The signature vouches for the archive if nobody else
        holds the key.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Prove the newest backup in a scratch database
  groundcrew.ops.postgresql_restore:
    login_host: db.example.com
    login_port: 25060
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: defaultdb
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: shop
    target_database: shop_scratch
    drop_after: true
"""

RETURN = r"""
restore:
  description: What was restored and how it compares. Null in check mode. When it differs, the task fails and returns it too.
  returned: success
  type: dict
  contains:
    backup_id:
      description: The backup.
      type: str
    database:
      description: The database it was restored into.
      type: str
    dropped:
      description: Whether it was dropped again.
      type: bool
    objects:
      description: How many objects were fetched and checked.
      type: int
    bytes:
      description: Their size.
      type: int
    source_rows:
      description: Rows in all tables when the backup was taken.
      type: int
    restored_rows:
      description: Rows in all tables of the restored database. Null when it was not compared.
      type: int
    tables:
      description: Each table with its C(name), C(source_rows), C(restored_rows) and whether count and content are C(equal).
      type: list
      elements: dict
    verdict:
      description: V(equal), V(different) or V(not compared).
      type: str
    differences:
      description: Each difference as a sentence.
      type: list
      elements: str
    live_verdict:
      description: The same for the comparison with O(source).
      type: str
    live_differences:
      description: Each difference from O(source) as a sentence.
      type: list
      elements: str
    replaced:
      description: The name that the database has now which O(replace) has put aside. Null otherwise.
      type: str
    left_out:
      description: The foreign keys that were left out because only some tables have rows.
      type: list
      elements: str
    seconds:
      description: How long it took.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION

SPEC = {
    "database": {"type": "str", "required": True},
    "system_id": {"type": "str"},
    "backup_id": {"type": "str", "default": "latest"},
    "target_database": {"type": "str", "required": True},
    "replace": {"type": "str"},
    "schemas": {"type": "list", "elements": "str"},
    "tables": {"type": "list", "elements": "str"},
    "staging_mib": {"type": "int"},
    "verify": {"type": "bool", "default": True},
    "source": {"type": "dict", "options": options.SOURCE},
    "drop_after": {"type": "bool", "default": False},
    "ownership": {"type": "bool"},
    "allow_vulnerable_client": {"type": "bool", "default": False},
}


def main() -> None:
    spec = argspec.merge(CONNECTION, options.S3, options.REPOSITORY, options.TOOLS, SPEC)
    run.perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), settings.restore)


if __name__ == "__main__":
    main()
