#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_project
short_description: Create and describe a project of DigitalOcean, and assign resources to it
version_added: 0.1.0
description:
  - Brings one project into the declared state. It is found by its name; two of one name are an error.
  - A resource is in one project at a time. O(resources) are assigned to this one; what it holds besides stays, because there is no project-less place for it.
  - A project that still holds something is not removed.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The name of the project.
    type: str
    required: true
  purpose:
    description:
      - What it is for, such as V(Web Application) or words of your own, which the API stores with C(Other) before them. Required with O(state=present).
    type: str
  description:
    description:
      - What it is about.
    type: str
  environment:
    description:
      - The environment of its resources.
    type: str
    choices: [Development, Staging, Production]
  resources:
    description:
      - What it has to hold, by URN, such as V(do:droplet:3164444), V(do:loadbalancer:UUID), V(do:dbaas:UUID), V(do:volume:UUID),
        V(do:domain:example.com), V(do:floatingip:203.0.113.7) or V(do:space:bucket).
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Keep what belongs to the shop together
  groundcrew.ops.do_project:
    name: shop
    purpose: Web Application
    environment: Production
    resources:
      - "do:loadbalancer:{{ shop.load_balancer.id }}"
      - do:domain:example.com
"""

RETURN = r"""
project:
  description: The project; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
      type: str
    name:
      description: Its name.
      type: str
    description:
      description: What it is about.
      type: str
    purpose:
      description: What it is for.
      type: str
    environment:
      description: Its environment.
      type: str
    is_default:
      description: Whether new resources go there by default.
      type: bool
    resources:
      description: What it holds, by URN.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.project import project

SPEC = {
    "name": {"type": "str", "required": True},
    "purpose": {"type": "str"},
    "description": {"type": "str"},
    "environment": {"type": "str", "choices": ["Development", "Staging", "Production"]},
    "resources": {"type": "list", "elements": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["purpose"])],
    )
    run.converge(module, project)


if __name__ == "__main__":
    main()
