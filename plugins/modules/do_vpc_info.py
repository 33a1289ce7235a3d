#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_vpc_info
short_description: List VPCs of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about VPCs, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the VPC of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look where the network of production is
  groundcrew.ops.do_vpc_info:
    name: production
  register: network
"""

RETURN = r"""
vpcs:
  description: The VPCs in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its UUID.
      type: str
    name:
      description: Its name.
      type: str
    region:
      description: The slug of its region.
      type: str
    ip_range:
      description: Its address range.
      type: str
    description:
      description: What it is for.
      type: str
    default:
      description: Whether new droplets of the region go there by default.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import VPC

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(VPC))


if __name__ == "__main__":
    main()
