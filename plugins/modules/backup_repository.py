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
  replication:
    description:
      - Where the store copies each new object to, by a rule with the ID C(groundcrew). Deletions are not copied. Omitted, replication stays as it is.
      - Rules of others stay as they are; a bucket has one role for all of them.
    type: dict
    suboptions:
      role:
        description: The ARN of the role as which the store copies.
        type: str
        required: true
      bucket:
        description: The ARN of the other bucket, which has to have versioning. It may be in another region or account.
        type: str
        required: true
      kms_key:
        description: The ARN of the key for the copies, needed with O(encryption=aws:kms).
        type: str
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

- name: Have it copied to another region
  groundcrew.ops.backup_repository:
    region: eu-central-1
    bucket: example-backups
    replication:
      role: arn:aws:iam::123456789012:role/backup-replication
      bucket: arn:aws:s3:::example-backups-copy
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
    replication:
      description: The C(role), C(bucket) and C(kms_key) of the rule C(groundcrew), V(unsupported), or null.
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
}


def main() -> None:
    run.converge(AnsibleModule(argument_spec=argspec.merge(options.S3, options.BUCKET, SPEC), supports_check_mode=True), settings.repository)


if __name__ == "__main__":
    main()
