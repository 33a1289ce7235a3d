#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_droplet_audit
short_description: Check a fleet of DigitalOcean droplets against its declaration
version_added: 0.1.0
description:
  - Reads the droplets with a tag and the firewalls of the account, and judges them. Changes nothing, and a failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
  - Checks that the fleet is complete and nothing else has its tag, that every member is behind a firewall, that the fleet's firewall has the declared
    rules and no others, that everybody reaches what is declared to be public and nothing else, backups, monitoring, tags and the age of images.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  fleet_tag:
    description:
      - The tag that marks the members. The fleet's firewall has this name.
    type: str
    required: true
  names:
    description:
      - The names of the members.
    type: list
    elements: str
  name_prefix:
    description:
      - The members are C(<name_prefix>-1), C(<name_prefix>-2) and so on.
    type: str
  count:
    description:
      - How many members there are. Goes with O(name_prefix).
    type: int
  tags:
    description:
      - The tags beside O(fleet_tag), exactly.
    type: list
    elements: str
    default: []
  inbound_rules:
    description:
      - The rules for traffic to the members, as P(groundcrew.ops.do_firewall#module) has them.
    type: list
    elements: dict
  outbound_rules:
    description:
      - The rules for traffic from the members, as P(groundcrew.ops.do_firewall#module) has them.
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
  groundcrew.ops.do_droplet_audit:
    fleet_tag: shop-production
    name_prefix: shop
    count: 3
    tags: [app]
    inbound_rules:
      - {protocol: tcp, ports: "443", sources: {addresses: [0.0.0.0/0, "::/0"]}}
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.audit import droplets
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION

SPEC = {
    "fleet_tag": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str"},
    "name_prefix": {"type": "str"},
    "count": {"type": "int"},
    "tags": {"type": "list", "elements": "str", "default": []},
    "inbound_rules": {"type": "list", "elements": "dict"},
    "outbound_rules": {"type": "list", "elements": "dict", "default": []},
    "ssh_port": {"type": "int", "default": 22},
    "image_max_age_days": {"type": "int", "default": 365},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("names", "name_prefix"), ("names", "count")],
        required_one_of=[("names", "name_prefix")],
        required_by={"count": ["name_prefix"]},
    )
    run.inform(module, droplets)


if __name__ == "__main__":
    main()
