#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_ssh_key
short_description: Add, rename and remove an SSH key of a DigitalOcean account
version_added: 0.1.0
description:
  - The key is found by its material, so a key that the account has under another name is renamed, not added again.
  - With O(state=absent) and without O(public_key) it is found by its name; two keys of one name are an error.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The name of the key in the account.
    type: str
    required: true
  public_key:
    description:
      - The public key as in a C(.pub) file; the comment is ignored. Required with O(state=present).
    type: str
"""

EXAMPLES = r"""
- name: Add the key of the operators
  groundcrew.ops.do_ssh_key:
    name: operators
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
"""

RETURN = r"""
ssh_key:
  description: The key; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: The number by which the API knows it; null as long as it does not exist.
      type: int
    name:
      description: Its name.
      type: str
    fingerprint:
      description: The MD5 fingerprint.
      type: str
    public_key:
      description: The key without its comment.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import ssh_key

SPEC = {
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str", "no_log": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["public_key"])],
    )
    run.converge(module, ssh_key)


if __name__ == "__main__":
    main()
