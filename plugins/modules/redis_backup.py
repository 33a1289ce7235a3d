#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backup
short_description: Back a Redis or Valkey server up to S3
version_added: 0.1.0
description:
  - Streams the server's snapshot (RDB) to the store, as C(redis-cli --rdb) gets it. Nothing of it is on this host's disk.
  - A managed server may refuse snapshots. Then each key is read with C(DUMP) at its own moment, which the result tells as RV(backup.point_in_time=false).
  - Before and after, the keys of each database are counted and a sample is read. What did not change in between has to be in the backup, which
    M(groundcrew.ops.backup_verify) checks with O(groundcrew.ops.backup_verify#module:engine=redis).
  - The manifest is signed and written last. Only a manifest makes a backup exist.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.redis
  - groundcrew.ops.s3
  - groundcrew.ops.backup
requirements:
  - redis-cli (Debian package redis-tools)
  - the Python library redis (Debian package python3-redis)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.redis) and C(group/groundcrew.ops.s3) in C(module_defaults) to set the connections once.
    support: full
    membership:
      - groundcrew.ops.redis
      - groundcrew.ops.s3
  check_mode:
    description: Connects, counts the keys, looks at the store, and tells what would be done.
    support: full
  diff_mode:
    description: Shows the number of backups before and after, and the steps.
    support: full
  idempotent:
    description: Each run makes a backup, unless O(max_age) says that the last one will do.
    support: partial
options:
  database:
    description:
      - What the backups are called. All databases of the server are in each.
    type: str
    required: true
  system_id:
    description:
      - Names the server among those with backups of that name. A server has no identifier that outlives a restart. O(login_host) and O(login_port) by default.
    type: str
  method:
    description:
      - V(snapshot) fails where the server gives none. V(keys) reads key by key. V(auto) reads key by key where the server gives no snapshot.
    type: str
    choices: [auto, snapshot, keys]
    default: auto
  sample:
    description:
      - How many keys of each database are compared later, by type, expiry and value.
    type: int
    default: 1000
  max_age:
    description:
      - Seconds. Nothing is done while there is a proven backup that is younger.
    type: int
  encryption_key:
    description:
      - The secret, at least 16 characters, that seals the objects before they leave this host. Falls back to E(GROUNDCREW_BACKUP_ENCRYPTION_KEY).
    type: str
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
- name: Back the cache up
  groundcrew.ops.redis_backup:
    login_host: cache.example.com
    login_port: 25061
    login_password: "{{ cache_password }}"
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    signing_key: "{{ lookup('groundcrew.ops.secret', 'backup/signing_key') }}"
    database: cache
"""

RETURN = r"""
backup:
  description: The backup that was made, or with O(max_age) the one that will do. Null in check mode.
  returned: success
  type: dict
  contains:
    backup_id:
      description: Names the backup.
      type: str
    database:
      description: What the backups are called.
      type: str
    system_id:
      description: Names the server.
      type: str
    taken_at:
      description: When it began, by the server's clock, UTC.
      type: str
    method:
      description: V(snapshot) or V(keys).
      type: str
    point_in_time:
      description: Whether all keys are of one moment.
      type: bool
    key_count:
      description: How many keys the server held at the end.
      type: int
    bytes:
      description: The size of the objects.
      type: int
    swept:
      description: How many unfinished runs were removed before.
      type: int
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
    "method": {"type": "str", "choices": ["auto", "snapshot", "keys"], "default": "auto"},
    "sample": {"type": "int", "default": 1000},
    "max_age": {"type": "int"},
    "encryption_key": options.TOOLS["encryption_key"],
}


def main() -> None:
    spec = argspec.merge(connection.SPEC, options.S3, options.REPOSITORY, options.STORAGE, SPEC)
    run.perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), upkeep.redis_backup)


if __name__ == "__main__":
    main()
