#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_spaces_key_info
short_description: List Spaces keys of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about Spaces keys, from every page of the API's answers. Changes nothing.
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
- name: Look which keys there are and what they may do
  groundcrew.ops.do_spaces_key_info:
  register: keys
"""

RETURN = r"""
spaces_keys:
  description: The Spaces keys in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    access_key:
      description: The public half.
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.spaces import SPACES_KEY

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(SPACES_KEY))


if __name__ == "__main__":
    main()
