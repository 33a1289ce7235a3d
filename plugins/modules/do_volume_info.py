#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_volume_info
short_description: List volumes of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about volumes, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the volumes of this name, one in each region at the most; none is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look where the disk for uploads is attached
  groundcrew.ops.do_volume_info:
    name: shop-uploads
  register: uploads
"""

RETURN = r"""
volumes:
  description: The volumes in the order of their names.
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
    size_gigabytes:
      description: Its size in GiB.
      type: int
    description:
      description: What it is for.
      type: str
    filesystem_type:
      description: The file system that it was created with.
      type: str
    filesystem_label:
      description: The label of the file system.
      type: str
    droplet_id:
      description: The droplet that it is attached to; V(0) when to none.
      type: raw
    tags:
      description: Its tags.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.attached import VOLUME
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(VOLUME))


if __name__ == "__main__":
    main()
