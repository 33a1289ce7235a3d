#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_restore
short_description: Restore a backup of Redis or Valkey into a running server, or into a file
version_added: 0.1.0
description:
  - Reads a backup that M(groundcrew.ops.redis_backup) made, and checks the signature, the hash of each object, and with C(redis-check-rdb) the snapshot.
  - For a running server the backup is loaded into a server made for this, and the keys are copied from there with C(DUMP) and C(RESTORE), with the time at
    which they expire. Then the target is compared with what was recorded with the backup.
  - Nothing is overwritten, unless O(replace) says so. Databases that the backup has no keys of are left alone.
  - With O(path) a snapshot becomes a file that a new server can start with.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.s3
  - groundcrew.ops.backup
requirements:
  - redis-cli and redis-check-rdb (Debian package redis-tools)
  - the Python library redis (Debian package python3-redis)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.s3) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - groundcrew.ops.s3
  check_mode:
    description: Checks the backup and the target, and tells what would be done.
    support: full
  diff_mode:
    description: Shows the target and the steps.
    support: full
  idempotent:
    description: A second run refuses, because the target is not empty any more. With O(replace) it restores again.
    support: none
options:
  database:
    description:
      - What the backups are called.
    type: str
    required: true
  system_id:
    description:
      - The server that was backed up. Needed when backups of that name were made of several.
    type: str
  backup_id:
    description:
      - The backup. V(latest) is the newest whole one, V(latest_verified) the newest that a check has proven.
    type: str
    default: latest
  login_host:
    description:
      - The server to restore into.
    type: str
  login_port:
    description:
      - Its port.
    type: int
    default: 6379
  login_user:
    description:
      - The user to log in as.
    type: str
    default: default
  login_password:
    description:
      - The password of O(login_user). None for a server that asks for none.
    type: str
  ssl_mode:
    description:
      - How the connection is protected.
    type: str
    choices: [disable, require, verify-full]
    default: verify-full
  ca_cert:
    description:
      - The file with the certificate authority of the server.
    type: path
  path:
    description:
      - A file to write in place of a running server. It must not exist.
    type: path
  databases:
    description:
      - Only these databases, by number.
    type: list
    elements: int
    default: []
  match:
    description:
      - Only keys like this pattern, in the words of C(SCAN).
    type: str
  replace:
    description:
      - Overwrite keys of the same name. Other keys of the target stay.
    type: bool
    default: false
  staging_dir:
    description:
      - An existing folder that can hold the backup. What is put there is removed at the end.
    type: path
    default: /var/tmp
  encryption_key:
    description:
      - The secret that sealed the objects. Falls back to E(GROUNDCREW_BACKUP_ENCRYPTION_KEY).
    type: str
"""

EXAMPLES = r"""
- name: Bring the sessions of yesterday back
  groundcrew.ops.redis_restore:
    login_host: cache.example.com
    login_password: "{{ cache_password }}"
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: cache
    match: session:*
    replace: true
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
    point_in_time:
      description: Whether all keys are of one moment.
      type: bool
    key_count:
      description: How many keys were copied. Null for a file.
      type: int
    verdict:
      description: V(equal), V(different) or V(not compared).
      type: str
    differences:
      description: Each difference as a sentence.
      type: list
      elements: str
    seconds:
      description: How long it took.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection

SPEC = {
    "database": {"type": "str", "required": True},
    "system_id": {"type": "str"},
    "backup_id": {"type": "str", "default": "latest"},
    "path": {"type": "path"},
    "databases": {"type": "list", "elements": "int", "default": []},
    "match": {"type": "str"},
    "replace": {"type": "bool", "default": False},
    "staging_dir": options.TOOLS["staging_dir"],
    "encryption_key": options.TOOLS["encryption_key"],
}
# Not needed for a file.
TARGET = {**connection.SPEC, "login_host": {"type": "str"}}


def main() -> None:
    spec = argspec.merge(TARGET, options.S3, options.REPOSITORY, SPEC)
    module = AnsibleModule(argument_spec=spec, required_one_of=[("login_host", "path")], mutually_exclusive=[("login_host", "path")], supports_check_mode=True)
    run.perform(module, upkeep.redis_restore)


if __name__ == "__main__":
    main()
