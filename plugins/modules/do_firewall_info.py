#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_firewall_info
short_description: List firewalls of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about firewalls, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the firewall of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look what is let in
  groundcrew.ops.do_firewall_info:
    name: app
  register: firewall
"""

RETURN = r"""
firewalls:
  description: The firewalls in the order of their names.
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
    inbound_rules:
      description: The rules for traffic to the droplets.
      type: list
      elements: dict
    outbound_rules:
      description: The rules for traffic from the droplets.
      type: list
      elements: dict
    tags:
      description: The tags whose droplets are behind it.
      type: list
      elements: str
    droplet_ids:
      description: The droplets behind it by id.
      type: list
      elements: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import FIREWALL

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(FIREWALL))


if __name__ == "__main__":
    main()
