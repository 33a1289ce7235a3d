#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_repository_info
short_description: Tell whether a bucket is fit for backups
version_added: 0.1.0
description:
  - Looks at the configuration of a bucket, and on request does with one small object all that a backup does.
  - What could not be read is C(unknown), and what a store has no setting for C(unjudged), never a pass.
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
    description: Changes nothing, unless O(probe) is set, which writes an object and removes it again.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
  idempotent:
    description: Changes nothing that lasts.
    support: full
options:
  bucket:
    description:
      - The name of the bucket.
    type: str
    required: true
  prefix:
    description:
      - The folder in the bucket.
    type: str
    default: ""
  probe:
    description:
      - Write an object, read it back, write it on a condition, begin an upload in parts and abort it, and delete the object.
    type: bool
    default: false
  declared:
    description:
      - How the bucket should be, in the options of M(groundcrew.ops.backup_repository). What differs is the finding C(repository.drift).
        Omitted, it is not looked at.
    type: dict
    suboptions:
      noncurrent_days:
        description: Days for which the store keeps objects that were deleted or overwritten.
        type: int
        default: 7
      unfinished_days:
        description: Days after which the store removes unfinished multipart uploads.
        type: int
        default: 2
      encryption:
        description: What the store is told to encrypt new objects with. V(store) is not looked at.
        type: str
        choices: [store, AES256, "aws:kms"]
        default: store
      kms_key:
        description: The key to encrypt with.
        type: str
      object_lock_days:
        description: Days for which new objects are locked. Omitted, it is not looked at.
        type: int
      replication:
        description: Where new objects are copied to. Omitted, it is not looked at.
        type: dict
        suboptions:
          role:
            description: The ARN of the role as which the store copies.
            type: str
            required: true
          bucket:
            description: The ARN of the other bucket.
            type: str
            required: true
          kms_key:
            description: The ARN of the key for the copies.
            type: str
"""

EXAMPLES = r"""
- name: Look whether the bucket can hold backups
  groundcrew.ops.backup_repository_info:
    endpoint_url: https://fra1.digitaloceanspaces.com
    bucket: example-backups
    probe: true
  register: looked
  failed_when: looked is failed or looked.findings | selectattr('verdict', 'eq', 'fail') | length > 0
"""

RETURN = r"""
findings:
  description: What was looked at and found, with C(id), C(title), C(severity), C(subject), C(verdict), C(evidence) and C(remedy).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import options, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run

SPEC = {
    "bucket": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "probe": {"type": "bool", "default": False},
    "declared": {"type": "dict", "options": options.BUCKET},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(options.S3, SPEC), supports_check_mode=True), upkeep.inspection)


if __name__ == "__main__":
    main()
