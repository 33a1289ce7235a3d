#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_spaces_key
short_description: Create and remove an access key of Spaces, DigitalOcean's S3
version_added: 0.1.0
description:
  - Brings one access key into the declared state. It is found by its name; two of one name are an error.
  - The API tells the secret once, in the answer to the creation. It goes into O(secret_file), or into the result with O(return_secret=true).
  - When that answer is lost, or the run is cut off before the secret is in O(secret_file), the key that nobody can use is removed and created anew.
  - Grants are fixed at creation; other ones are an error.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
notes:
  - The buckets themselves are reached by S3. M(groundcrew.ops.backup_repository) prepares one for backups; C(amazon.aws.s3_bucket) makes any other,
    with C(endpoint_url=https://REGION.digitaloceanspaces.com) and this key.
options:
  name:
    description:
      - The name of the key.
    type: str
    required: true
  grants:
    description:
      - What the key may do. Not given, a new key may do nothing and one that exists stays as it is.
    type: list
    elements: dict
    suboptions:
      bucket:
        description:
          - The bucket. Left out for V(fullaccess), which is for all.
        type: str
        default: ""
      permission:
        description:
          - What is allowed.
        type: str
        choices: [read, readwrite, fullaccess]
        required: true
  secret_file:
    description:
      - A file on the control node for the key as JSON (C(access_key) and C(secret_key)), readable for its owner only (mode V(0400)). Removed with the key.
      - A key that exists and whose secret is not there is an error.
    type: path
  return_secret:
    description:
      - Put the secret into the result when the key is created. The task needs C(no_log=true).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have a key that writes backups and nothing else
  groundcrew.ops.do_spaces_key:
    name: shop-backups
    grants:
      - {bucket: shop-backups, permission: readwrite}
    secret_file: /etc/shop/spaces.json

- name: Prepare the bucket with it
  groundcrew.ops.backup_repository:
    bucket: shop-backups
    endpoint_url: https://fra1.digitaloceanspaces.com
    access_key: "{{ key.access_key }}"
    secret_key: "{{ key.secret_key }}"
  vars:
    key: "{{ lookup('ansible.builtin.file', '/etc/shop/spaces.json') | from_json }}"
"""

RETURN = r"""
spaces_key:
  description: The key without its secret; null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    access_key:
      description: The public half; null as long as it does not exist.
      type: str
    grants:
      description: What it may do.
      type: list
      elements: dict
      contains:
        bucket:
          description: The bucket; empty for all.
          type: str
        permission:
          description: What is allowed there.
          type: str
secret_key:
  description: The secret of a key that was created; null when nothing was.
  returned: O(return_secret=true)
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.spaces import spaces_key

GRANT = {
    "bucket": {"type": "str", "default": ""},
    "permission": {"type": "str", "choices": ["read", "readwrite", "fullaccess"], "required": True},
}
SPEC = {
    "name": {"type": "str", "required": True},
    "grants": {"type": "list", "elements": "dict", "options": GRANT},
    "secret_file": {"type": "path", "no_log": False},
    "return_secret": {"type": "bool", "default": False, "no_log": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.require_no_log(module, secret="the secret of a Spaces key", asked=module.params["return_secret"])
    run.converge(module, spaces_key)


if __name__ == "__main__":
    main()
