#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_reserved_ip_info
short_description: List reserved IPs of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about reserved IPs, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  ip:
    description:
      - Only this address; one that the account does not have is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look which droplet has the address
  groundcrew.ops.do_reserved_ip_info:
    ip: 203.0.113.7
  register: address
"""

RETURN = r"""
reserved_ips:
  description: The reserved IPs in the order of their addresses.
  returned: success
  type: list
  elements: dict
  contains:
    ip:
      description: The address.
      type: str
    region:
      description: The slug of its region.
      type: str
    droplet_id:
      description: The droplet that has it; V(0) when none has.
      type: raw
    project_id:
      description: The project that holds it.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.attached import RESERVED_IP
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing

SPEC = {
    "ip": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(RESERVED_IP, by="ip"))


if __name__ == "__main__":
    main()
