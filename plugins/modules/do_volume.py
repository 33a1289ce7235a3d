#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_volume
short_description: Create, grow, attach and remove a volume of DigitalOcean
version_added: 0.1.0
description:
  - Brings one volume of block storage into the declared state. It is found by its name, and by O(region) where that is given.
  - Size, attachment and tags are changed in place. A volume grows and never shrinks; the file system on it is yours to grow.
  - A volume that is attached is detached first when it is to move or to go. Unmount it before.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The name of the volume, unique in its region.
    type: str
    required: true
  region:
    description:
      - The slug of the region, such as V(fra1). Required with O(state=present).
    type: str
  size_gigabytes:
    description:
      - The size in GiB. Required with O(state=present).
    type: int
  description:
    description:
      - What it is for. Fixed at creation.
    type: str
  filesystem_type:
    description:
      - The file system that a new volume is formatted with. Not given, it stays raw. Fixed at creation.
    type: str
    choices: [ext4, xfs]
  filesystem_label:
    description:
      - The label of the file system. Fixed at creation.
    type: str
  droplet:
    description:
      - The droplet that it is attached to by name or id. An empty string detaches it. Not given, it stays where it is.
    type: str
  tags:
    description:
      - Its tags, exactly. Not given, they stay as they are.
    type: list
    elements: str
  wait_timeout:
    description:
      - Seconds to wait at the most until a change shows.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have a disk for uploads
  groundcrew.ops.do_volume:
    name: shop-uploads
    region: fra1
    size_gigabytes: 50
    filesystem_type: ext4
    droplet: shop-1
"""

RETURN = r"""
volume:
  description: The volume; null when it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.attached import volume
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE

SPEC = {
    "name": {"type": "str", "required": True},
    "region": {"type": "str"},
    "size_gigabytes": {"type": "int"},
    "description": {"type": "str"},
    "filesystem_type": {"type": "str", "choices": ["ext4", "xfs"]},
    "filesystem_label": {"type": "str"},
    "droplet": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["region", "size_gigabytes"])],
    )
    run.converge(module, volume)


if __name__ == "__main__":
    main()
