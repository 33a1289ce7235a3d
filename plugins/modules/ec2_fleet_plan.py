#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_fleet_plan
short_description: Decide what a fleet of EC2 instances needs
version_added: 0.1.0
description:
  - Compares what was read of EC2 with the declaration of a fleet, and says what to create, to change and to terminate. It asks nobody and changes nothing;
    the role P(groundcrew.ops.vm#role) reads before it and acts after it, with the modules of C(amazon.aws).
  - A member is found by its name B(and) by the tag C(groundcrew:fleet). Two members of one name are an error, not a guess.
  - With O(count), the gaps in the numbers are filled from below and the highest numbers leave first, at most O(max_delete) in a run.
    A member with the tag C(protect) never leaves, and the tag is never taken away.
  - Whatever is refused is refused here, before anything is done.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.ec2_fleet
options:
  state:
    description:
      - Whether the fleet exists.
    type: str
    choices: [present, absent]
    default: present
  size:
    description:
      - The instance type. Needed for a creation.
    type: str
  image:
    description:
      - What was asked of O(images), the id of an AMI or a pattern of names. Needed for a creation. An id is compared with the members' image, a pattern is not.
    type: str
  vpc:
    description:
      - What was asked of O(vpcs), an id or a name. Of O(subnets) only those in it count then.
    type: str
  subnet:
    description:
      - What was asked of O(subnets), an id or a name. Without it O(subnets) are those of O(vpc) or the region's default ones, and the first of them is used.
    type: str
  ssh_key_name:
    description:
      - The key pair for new members.
    type: str
  ssh_public_key:
    description:
      - The public key of O(ssh_key_name), registered when there is no such key pair.
    type: str
  resize:
    description:
      - Allow the size to be changed, an instance at a time. Each is switched off for about a minute.
    type: bool
    default: false
  replace:
    description:
      - Allow members to be replaced by new ones when the image or the monitoring changes. What is on their root volumes is lost.
        A member with the tag C(protect) is never replaced.
    type: bool
    default: false
  replace_batch:
    description:
      - How many members are replaced at a time.
    type: int
    default: 1
  max_delete:
    description:
      - How many members may leave when O(count) gets lower. More is an error. It does not limit O(state=absent).
    type: int
    default: 1
  key_pairs:
    description:
      - The key pairs, as C(amazon.aws.ec2_key_info) returns them with their public keys.
    type: list
    elements: dict
    default: []
  vpcs:
    description:
      - The VPCs, as C(amazon.aws.ec2_vpc_net_info) returns them.
    type: list
    elements: dict
    default: []
  subnets:
    description:
      - The subnets, as C(amazon.aws.ec2_vpc_subnet_info) returns them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Decide what the fleet needs
  groundcrew.ops.ec2_fleet_plan:
    fleet_tag: shop-production
    name_prefix: shop
    count: 3
    size: t3.medium
    image: debian-13-amd64-*
    instances: "{{ seen_instances.instances }}"
    images: "{{ seen_images.images }}"
    subnets: "{{ seen_subnets.subnets }}"
  register: decided
"""

RETURN = r"""
plan:
  description: What to do.
  returned: success
  type: dict
  contains:
    create:
      description: The members to create, with their C(name).
      type: list
      elements: dict
    change:
      description: The members to change in place, with what they should be, and C(why).
      type: list
      elements: dict
    terminate:
      description: The members to terminate, with their C(name) and C(id).
      type: list
      elements: dict
    discard:
      description: Instances that were to replace a member and are not wanted any more, with C(name) and C(id).
      type: list
      elements: dict
    settle:
      description: Instances that took a member's place already and still have the tag C(groundcrew:replacement), with C(name) and C(id).
      type: list
      elements: dict
    replace:
      description:
        - Batches of members to replace, each member with its C(name) and C(id). The instance that takes its place has the tag C(groundcrew:replacement)
          until then, by which one that an earlier run created is found.
      type: list
      elements: list
    group:
      description: The fleet's security group; its C(id) is null as long as it does not exist. Null when the fleet has none.
      type: dict
    subnet:
      description: The subnet for new members, with C(id) and C(vpc_id).
      type: dict
    inbound:
      description: The rules for C(amazon.aws.ec2_security_group).
      type: list
      elements: dict
    outbound:
      description: The rules for C(amazon.aws.ec2_security_group).
      type: list
      elements: dict
    register_key:
      description: Whether the key pair has to be registered.
      type: bool
    image:
      description: The image for new members, with C(id) and the name of its C(root) device. Null when none is created.
      type: dict
instances:
  description: The members as they are, and those that will be created with no id, status or address.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    id:
      description: Its id; null as long as it does not exist.
      type: str
    status:
      description: V(pending), V(running), V(stopping) or V(stopped); null as long as it does not exist.
      type: str
    public_address:
      description: Its public IPv4 address.
      type: str
    private_address:
      description: Its private IPv4 address.
      type: str
    size:
      description: Its instance type.
      type: str
    image:
      description: The id of its image.
      type: str
    subnet:
      description: The id of its subnet.
      type: str
    tags:
      description: Its tags, as they are declared.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.info import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.options import FLEET

SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "size": {"type": "str"},
    "image": {"type": "str"},
    "vpc": {"type": "str"},
    "subnet": {"type": "str"},
    "ssh_key_name": {"type": "str"},
    "ssh_public_key": {"type": "str"},
    "resize": {"type": "bool", "default": False},
    "replace": {"type": "bool", "default": False},
    "replace_batch": {"type": "int", "default": 1},
    "max_delete": {"type": "int", "default": 1},
    "key_pairs": {"type": "list", "elements": "dict", "default": [], "no_log": False},
    "vpcs": {"type": "list", "elements": "dict", "default": []},
    "subnets": {"type": "list", "elements": "dict", "default": []},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(FLEET, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("names", "name_prefix"), ("names", "count")],
        required_one_of=[("names", "name_prefix")],
        required_by={"count": ["name_prefix"]},
    )
    run.inform(module, plan)


if __name__ == "__main__":
    main()
