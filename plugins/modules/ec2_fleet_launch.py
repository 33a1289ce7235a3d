#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_fleet_launch
short_description: Launch the members of a fleet of EC2 instances, each once
version_added: 0.1.0
description:
  - Launches those of O(names) that do not exist. A member is found by its name B(and) by the tag C(groundcrew:fleet).
  - A launch whose answer was lost, or whose run was killed, is not done twice, also while AWS does not list the instance yet. Each launch has a token that
    follows from O(fleet_tag) and the name, and AWS makes one instance of a token; C(amazon.aws.ec2_instance) makes up a new token in each run.
  - Members have an encrypted gp3 root volume and require tokens of who asks for their metadata (IMDSv2, one hop).
  - It does not wait until they run.
author:
  - groundcrew.ops contributors (@groundcrew)
requirements:
  - boto3 1.26 or later (Debian package python3-boto3)
attributes:
  check_mode:
    description: Looks which members exist, and says which would be launched.
    support: full
  diff_mode:
    description: Shows the names of the members before and after.
    support: full
options:
  fleet_tag:
    description:
      - What marks the members, as the value of their tag C(groundcrew:fleet).
    type: str
    required: true
  names:
    description:
      - The names of the members that have to exist.
    type: list
    elements: str
    required: true
  tags:
    description:
      - The tags beside the fleet's and the name; the root volumes have them as well. V(app) is a key without a value, V(team=web) one with a value.
    type: list
    elements: str
    default: []
  replacements:
    description:
      - Launch instances that are to take the place of the members of these names. Until then they have the tag C(groundcrew:replacement).
    type: bool
    default: false
  image:
    description:
      - The id of the image.
    type: str
    required: true
  root_device:
    description:
      - The name of the image's root device.
    type: str
    required: true
  size:
    description:
      - The instance type.
    type: str
    required: true
  subnet:
    description:
      - The id of the subnet.
    type: str
    required: true
  security_groups:
    description:
      - The ids of the security groups. Without them the default one of the VPC.
    type: list
    elements: str
    default: []
  public_address:
    description:
      - Whether members get a public address. Not given, the subnet decides.
    type: bool
  ssh_key_name:
    description:
      - The key pair.
    type: str
  user_data:
    description:
      - A script or a cloud-config that runs at the first boot.
    type: str
  monitoring:
    description:
      - Whether members have detailed monitoring.
    type: bool
  volume_size:
    description:
      - The size of the root volume in GiB.
    type: int
    default: 20
  endpoint_url:
    description:
      - The address of EC2, for what is not AWS.
    type: str
  region:
    description:
      - The region. Falls back to E(AWS_REGION) and E(AWS_DEFAULT_REGION).
    type: str
  access_key:
    description:
      - The access key. Falls back to E(AWS_ACCESS_KEY_ID), then to what boto3 finds (profile, instance role).
    type: str
  secret_key:
    description:
      - The secret key. Falls back to E(AWS_SECRET_ACCESS_KEY).
    type: str
  session_token:
    description:
      - The token of temporary credentials. Falls back to E(AWS_SESSION_TOKEN).
    type: str
  ca_bundle:
    description:
      - The file with the certificate authorities that the server's certificate is checked against. Falls back to E(AWS_CA_BUNDLE).
    type: path
"""

EXAMPLES = r"""
- name: Launch what the fleet lacks
  groundcrew.ops.ec2_fleet_launch:
    fleet_tag: shop-production
    names: "{{ decided.plan.create | map(attribute='name') }}"
    image: "{{ decided.plan.image.id }}"
    root_device: "{{ decided.plan.image.root }}"
    size: t3.medium
    subnet: "{{ decided.plan.subnet.id }}"
    region: eu-central-1
"""

RETURN = r"""
launched:
  description: The names of the members that did not exist.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.launch import launch
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.options import ACCOUNT

SPEC = {
    "fleet_tag": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "tags": {"type": "list", "elements": "str", "default": []},
    "replacements": {"type": "bool", "default": False},
    "image": {"type": "str", "required": True},
    "root_device": {"type": "str", "required": True},
    "size": {"type": "str", "required": True},
    "subnet": {"type": "str", "required": True},
    "security_groups": {"type": "list", "elements": "str", "default": []},
    "public_address": {"type": "bool"},
    "ssh_key_name": {"type": "str"},
    "user_data": {"type": "str", "no_log": True},
    "monitoring": {"type": "bool"},
    "volume_size": {"type": "int", "default": 20},
}


def main() -> None:
    module = AnsibleModule(argument_spec=merge(ACCOUNT, SPEC), supports_check_mode=True)
    run.perform(module, launch)


if __name__ == "__main__":
    main()
