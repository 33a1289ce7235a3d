#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_vpc
short_description: Create, describe and remove a VPC of DigitalOcean
version_added: 0.1.0
description:
  - Brings one VPC into the declared state. It is found by its name, which is unique in an account.
  - The region and the address range are fixed at creation; another value is an error.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The name of the VPC.
    type: str
    required: true
  region:
    description:
      - The slug of the region, such as V(fra1). Required with O(state=present).
    type: str
  ip_range:
    description:
      - The private address range in CIDR notation, V(/16) to V(/28). Without it the API chooses one.
    type: str
  description:
    description:
      - What it is for, up to 255 characters. Can be changed.
    type: str
"""

EXAMPLES = r"""
- name: Have a network for production
  groundcrew.ops.do_vpc:
    name: production
    region: fra1
    ip_range: 10.20.0.0/20
"""

RETURN = r"""
vpc:
  description: The VPC; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import vpc

SPEC = {
    "name": {"type": "str", "required": True},
    "region": {"type": "str"},
    "ip_range": {"type": "str"},
    "description": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["region"])],
    )
    run.converge(module, vpc)


if __name__ == "__main__":
    main()
