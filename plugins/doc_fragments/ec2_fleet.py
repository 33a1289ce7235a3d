# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option set FLEET in module_utils/_ec2/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  fleet_tag:
    description:
      - What marks the members, as the value of their tag C(groundcrew:fleet). The fleet's security group has this name.
    type: str
    required: true
  names:
    description:
      - The names of the members. Other instances with O(fleet_tag) are left alone.
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
      - The tags beside the fleet's and the name, exactly. V(app) is a key without a value, V(team=web) one with a value.
    type: list
    elements: str
    default: []
  monitoring:
    description:
      - Whether members have detailed monitoring. Given at creation.
    type: bool
  public_address:
    description:
      - Whether members get a public address. Not given, the subnet decides.
    type: bool
  inbound_rules:
    description:
      - The traffic that is let in, exactly. Not given, the fleet has no security group of its own.
    type: list
    elements: dict
    suboptions:
      protocol:
        description:
          - The protocol.
        type: str
        choices: [tcp, udp, icmp]
        required: true
      ports:
        description:
          - A port, a range such as V(8000-9000), or V(0) for all.
        type: str
        default: "0"
      sources:
        description:
          - The other side. At least one of the lists has to hold something.
        type: dict
        required: true
        suboptions:
          addresses:
            description:
              - Addresses and networks in CIDR notation.
            type: list
            elements: str
          tags:
            description:
              - Members of the fleets with these tags, which is to say of the security groups of these names.
            type: list
            elements: str
  outbound_rules:
    description:
      - The traffic that is let out, exactly. Goes with O(inbound_rules).
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description:
          - The protocol.
        type: str
        choices: [tcp, udp, icmp]
        required: true
      ports:
        description:
          - A port, a range such as V(8000-9000), or V(0) for all.
        type: str
        default: "0"
      destinations:
        description:
          - The other side. At least one of the lists has to hold something.
        type: dict
        required: true
        suboptions:
          addresses:
            description:
              - Addresses and networks in CIDR notation.
            type: list
            elements: str
          tags:
            description:
              - Members of the fleets with these tags, which is to say of the security groups of these names.
            type: list
            elements: str
  instances:
    description:
      - The instances, as C(amazon.aws.ec2_instance_info) returns them.
    type: list
    elements: dict
    required: true
  images:
    description:
      - The images, as C(amazon.aws.ec2_ami_info) returns them.
    type: list
    elements: dict
    default: []
  security_groups:
    description:
      - The security groups, as C(amazon.aws.ec2_security_group_info) returns them.
    type: list
    elements: dict
    default: []
"""
