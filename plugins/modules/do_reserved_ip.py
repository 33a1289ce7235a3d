#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_reserved_ip
short_description: Reserve an address of DigitalOcean, move it between droplets and release it
version_added: 0.1.0
description:
  - With O(droplet) alone the droplet has a reserved IP afterwards; the one that it has already stays.
  - With O(ip) that address is assigned to O(droplet), also when another droplet has it.
  - With O(state=absent) the address is taken off its droplet and released; somebody else may get it.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  ip:
    description:
      - An address that the account has. Needed when it is to move, or to be assigned to no droplet.
    type: str
  droplet:
    description:
      - The droplet by name or id. An empty string takes O(ip) off its droplet and keeps it.
    type: str
  wait_timeout:
    description:
      - Seconds to wait at the most until a change shows.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have an address for the proxy that outlives the droplet
  groundcrew.ops.do_reserved_ip:
    droplet: proxy-1
  register: address

- name: Move it to the other proxy
  groundcrew.ops.do_reserved_ip:
    ip: "{{ address.reserved_ip.ip }}"
    droplet: proxy-2
"""

RETURN = r"""
reserved_ip:
  description: The reserved IP; null when it does not exist.
  returned: success
  type: dict
  contains:
    ip:
      description: The address; null as long as it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.attached import reserved_ip
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE

SPEC = {
    "ip": {"type": "str"},
    "droplet": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_one_of=[("ip", "droplet")],
    )
    run.converge(module, reserved_ip)


if __name__ == "__main__":
    main()
