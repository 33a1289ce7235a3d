#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_load_balancer_member
short_description: Take a droplet out of a load balancer of DigitalOcean, and put it in again
version_added: 0.1.0
description:
  - With O(state=absent) the droplet is taken out, and the module waits until the load balancer no longer lists it and then O(drain_seconds) more.
  - With O(state=present) it is put in again. Nothing else about the load balancer changes.
  - Where the load balancer takes its droplets by a tag, the tag is taken off the droplet and put on again.
  - A load balancer or a droplet that does not exist is an error, also with O(state=absent), because who asks for it relies on the droplet being out.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  load_balancer:
    description:
      - The load balancer by name or UUID.
    type: str
    required: true
  droplet:
    description:
      - The droplet by name or id.
    type: str
    required: true
  state:
    description:
      - Whether the droplet is behind the load balancer.
    type: str
    choices: [present, absent]
    default: present
  remaining:
    description:
      - How many other droplets have to stay behind the load balancer. With fewer, the droplet is not taken out.
    type: int
    default: 1
  drain_seconds:
    description:
      - How long requests that are under way get after the droplet was taken out. The API does not tell when the last one has ended.
      - A second run, which finds the droplet out already, does not wait again.
    type: int
    default: 20
  wait_timeout:
    description:
      - Seconds to wait at the most until the load balancer lists the droplet, or does not any more.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Take the droplet out before work on it
  groundcrew.ops.do_load_balancer_member:
    load_balancer: shop
    droplet: "{{ inventory_hostname }}"
    state: absent
  delegate_to: localhost

- name: Put it in again
  groundcrew.ops.do_load_balancer_member:
    load_balancer: shop
    droplet: "{{ inventory_hostname }}"
  delegate_to: localhost
"""

RETURN = r"""
load_balancer_member:
  description: The droplet's place.
  returned: success
  type: dict
  contains:
    load_balancer:
      description: The load balancer as it was named.
      type: str
    droplet:
      description: The droplet as it was named.
      type: str
    droplet_id:
      description: The id of the droplet; its name as long as it does not exist.
      type: raw
    by:
      description: V(id), or C(tag) and the tag by which the load balancer takes its droplets.
      type: str
    member:
      description: Whether the droplet is behind the load balancer.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.balancer import load_balancer_member
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE

SPEC = {
    "load_balancer": {"type": "str", "required": True},
    "droplet": {"type": "str", "required": True},
    "remaining": {"type": "int", "default": 1},
    "drain_seconds": {"type": "int", "default": 20},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.converge(module, load_balancer_member)


if __name__ == "__main__":
    main()
