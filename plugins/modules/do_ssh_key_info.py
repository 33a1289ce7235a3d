#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_ssh_key_info
short_description: List SSH keys of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about SSH keys, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the keys of this name; none is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look which keys the account has
  groundcrew.ops.do_ssh_key_info:
  register: keys
"""

RETURN = r"""
ssh_keys:
  description: The SSH keys in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The number by which the API knows it.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import SSH_KEY

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(SSH_KEY))


if __name__ == "__main__":
    main()
