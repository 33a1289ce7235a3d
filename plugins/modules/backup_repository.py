#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_repository
short_description: Make and configure the bucket that backups go to
version_added: 0.1.0
description:
  - Makes a bucket at AWS or at any store that speaks S3, with versioning, one lifecycle rule, encryption and no public access.
  - The lifecycle rule has the ID C(groundcrew). Rules with other IDs stay as they are.
  - Public access is blocked where the store can do that. Where it cannot, the result lists C(public_access) under C(unsupported), and it is no change.
  - A bucket is never deleted by this module, because there are backups in it. Delete it with the store's own tools.
  - A bucket of somebody else, a name that no store allows and, at AWS, a bucket in another region are errors.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.s3
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.s3) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - groundcrew.ops.s3
  check_mode:
    description: Reads the bucket and says what would be made or changed.
    support: full
  diff_mode:
    description: Shows the bucket's configuration before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  bucket:
    description:
      - The name of the bucket.
    type: str
    required: true
  state:
    description:
      - A bucket is only ever made.
    type: str
    choices: [present]
    default: present
  noncurrent_days:
    description:
      - Days for which the store keeps objects that were deleted or overwritten, from 1 on.
    type: int
    default: 7
  unfinished_days:
    description:
      - Days after which the store removes unfinished multipart uploads, from 1 on.
    type: int
    default: 2
  encryption:
    description:
      - What the store is told to encrypt new objects with. V(store) leaves that as it is; AWS always encrypts.
      - An error where the store cannot be told.
    type: str
    choices: [store, AES256, "aws:kms"]
    default: store
  kms_key:
    description:
      - The key to encrypt with, for O(encryption=aws:kms). The account's own when omitted.
    type: str
  object_lock_days:
    description:
      - For so many days nobody can remove a version of an object without the permission to bypass governance retention, also not with the credentials
        of the backups. Retention keeps backups that are locked. Omitted, locks stay as they are.
      - Many stores can do that only in a bucket that is made with it.
    type: int
"""

EXAMPLES = r"""
- name: Make the bucket for backups
  groundcrew.ops.backup_repository:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    noncurrent_days: 14

- name: Make it at AWS, encrypted with the account's key
  groundcrew.ops.backup_repository:
    region: eu-central-1
    bucket: example-backups
    encryption: aws:kms
"""

RETURN = r"""
repository:
  description: The bucket as it is, or as it would be in check mode.
  returned: success
  type: dict
  contains:
    bucket:
      description: Its name.
      type: str
    region:
      description: Its region at AWS. Null elsewhere, where the endpoint is the region.
      type: str
    versioning:
      description: V(enabled).
      type: str
    encryption:
      description:
        - V(none), the algorithm that the store was told, or V(unsupported).
        - Null in check mode when the bucket does not exist yet and O(encryption=store).
      type: str
    lifecycle:
      description: The days in the rule C(groundcrew).
      type: dict
      contains:
        noncurrent_days:
          description: Days for which the store keeps objects that were deleted or overwritten.
          type: int
        unfinished_days:
          description: Days after which the store removes unfinished uploads.
          type: int
    public_access:
      description:
        - V(blocked), or V(unsupported) when the store cannot block it.
        - Null in check mode when the bucket does not exist yet and the store is not AWS.
      type: str
    object_lock_days:
      description: Days for which the store locks new objects, V(unsupported), or null.
      type: raw
    unsupported:
      description: Which of these the store cannot do.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "bucket": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present"], "default": "present"},
    "noncurrent_days": {"type": "int", "default": 7},
    "unfinished_days": {"type": "int", "default": 2},
    "encryption": {"type": "str", "choices": ["store", "AES256", "aws:kms"], "default": "store", "no_log": False},
    "kms_key": {"type": "str", "no_log": False},
    "object_lock_days": {"type": "int"},
}


def main() -> None:
    run.converge(AnsibleModule(argument_spec=argspec.merge(options.S3, SPEC), supports_check_mode=True), settings.repository)


if __name__ == "__main__":
    main()
