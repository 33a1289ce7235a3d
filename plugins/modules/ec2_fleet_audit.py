#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_fleet_audit
short_description: Check a fleet of EC2 instances against its declaration
version_added: 0.1.0
description:
  - Judges what was read of EC2 with the modules of C(amazon.aws), as the role P(groundcrew.ops.vm#role) does. It asks nobody and changes nothing, and a
    failed check does not fail the task; P(groundcrew.ops.audit_report#module) weighs the findings.
  - Checks that the fleet is complete and nothing else has its tag, that its security group has the declared rules and no others and is the only one,
    that everybody reaches what is declared to be public and nothing else, the metadata service, encryption, public addresses, monitoring, tags and the
    age of images.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.ec2_fleet
options:
  volumes:
    description:
      - The volumes, as C(amazon.aws.ec2_vol_info) returns them.
    type: list
    elements: dict
    default: []
  ssh_port:
    description:
      - The port of SSH.
    type: int
    default: 22
  image_max_age_days:
    description:
      - From this age on an image is old.
    type: int
    default: 365
"""

EXAMPLES = r"""
- name: Check the fleet
  groundcrew.ops.ec2_fleet_audit:
    fleet_tag: shop-production
    name_prefix: shop
    count: 3
    instances: "{{ seen_instances.instances }}"
    volumes: "{{ seen_volumes.volumes }}"
    security_groups: "{{ seen_groups.security_groups }}"
  register: audited
"""

RETURN = r"""
findings:
  description: One for each check and subject, as P(groundcrew.ops.audit_report#module) takes them.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The check; it stays the same for good.
      type: str
    title:
      description: What the check asks for.
      type: str
    severity:
      description: V(info), V(low), V(medium), V(high) or V(critical).
      type: str
    subject:
      description: What was looked at.
      type: str
    verdict:
      description: V(pass), V(fail) or V(unknown).
      type: str
    evidence:
      description: What was seen.
      type: str
    remedy:
      description: What to do about a failure.
      type: str
    waived:
      description: V(false); waivers are the report's.
      type: bool
    waiver:
      description: Null; waivers are the report's.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.info import findings
from ansible_collections.groundcrew.ops.plugins.module_utils._ec2.options import FLEET

SPEC = {
    "volumes": {"type": "list", "elements": "dict", "default": []},
    "ssh_port": {"type": "int", "default": 22},
    "image_max_age_days": {"type": "int", "default": 365},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(FLEET, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("names", "name_prefix"), ("names", "count")],
        required_one_of=[("names", "name_prefix")],
        required_by={"count": ["name_prefix"]},
    )
    run.inform(module, findings)


if __name__ == "__main__":
    main()
