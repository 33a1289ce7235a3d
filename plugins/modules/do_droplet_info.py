#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_droplet_info
short_description: List droplets of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about droplets, from every page of the API. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  tag:
    description:
      - Only droplets with this tag.
    type: str
  names:
    description:
      - Only droplets with one of these names; one that does not exist is not an error.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Look which droplets the shop has
  groundcrew.ops.do_droplet_info:
    tag: shop-production
  register: shop
"""

RETURN = r"""
droplets:
  description: The droplets in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    id:
      description: Its number; null as long as it does not exist.
      type: int
    status:
      description: V(new), V(active) or V(off); null as long as it does not exist.
      type: str
    public_address:
      description: Its public IPv4 address.
      type: str
    private_address:
      description: Its private IPv4 address.
      type: str
    created_at:
      description: When it was created.
      type: str
    size:
      description: The slug of its size.
      type: str
    image:
      description: The slug or the id of its image.
      type: str
    region:
      description: The slug of its region.
      type: str
    vpc:
      description: The UUID of its VPC.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    monitoring:
      description: Whether the metrics agent is installed.
      type: bool
    backups:
      description: Whether backups are on.
      type: bool
    ipv6:
      description: Whether it has an IPv6 address.
      type: bool
    ipv6_address:
      description: Its public IPv6 address.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import droplets

SPEC = {
    "tag": {"type": "str"},
    "names": {"type": "list", "elements": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, droplets)


if __name__ == "__main__":
    main()
