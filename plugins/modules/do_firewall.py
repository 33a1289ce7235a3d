#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_firewall
short_description: Keep the rules of a DigitalOcean firewall exactly as declared
version_added: 0.1.0
description:
  - Brings one cloud firewall into the declared state. It is found by its name; two of one name are an error.
  - Rules, tags and droplets are made equal to what is declared; what is not declared stays.
  - A tag that does not exist yet is created, so that a rule may come before the first droplet that it is for.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The name of the firewall.
    type: str
    required: true
  inbound_rules:
    description:
      - The traffic that is let in, exactly; rules that are not listed are dropped. Not given, the rules stay as they are.
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
              - Droplets with one of these tags.
            type: list
            elements: str
          droplet_ids:
            description:
              - Droplets by id.
            type: list
            elements: int
          load_balancer_uids:
            description:
              - Load balancers by id.
            type: list
            elements: str
  outbound_rules:
    description:
      - The traffic that is let out, exactly; rules that are not listed are dropped. Not given, the rules stay as they are.
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
              - Droplets with one of these tags.
            type: list
            elements: str
          droplet_ids:
            description:
              - Droplets by id.
            type: list
            elements: int
          load_balancer_uids:
            description:
              - Load balancers by id.
            type: list
            elements: str
  tags:
    description:
      - The droplets with one of these tags are behind the firewall.
    type: list
    elements: str
  droplet_ids:
    description:
      - The droplets with these ids are behind the firewall.
    type: list
    elements: int
"""

EXAMPLES = r"""
- name: Let only necessary traffic in
  groundcrew.ops.do_firewall:
    name: app
    tags: [app]
    inbound_rules:
      - {protocol: tcp, ports: "22", sources: {addresses: [203.0.113.0/24]}}
      - {protocol: tcp, ports: "80", sources: {addresses: [0.0.0.0/0, "::/0"]}}
    outbound_rules:
      - {protocol: tcp, ports: "0", destinations: {addresses: [0.0.0.0/0, "::/0"]}}
      - {protocol: udp, ports: "0", destinations: {addresses: [0.0.0.0/0, "::/0"]}}
"""

RETURN = r"""
firewall:
  description: The firewall; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.kinds import firewall

RULE = {
    "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"], "required": True},
    "ports": {"type": "str", "default": "0"},
}
PEERS = {
    "type": "dict",
    "required": True,
    "options": {
        "addresses": {"type": "list", "elements": "str"},
        "tags": {"type": "list", "elements": "str"},
        "droplet_ids": {"type": "list", "elements": "int"},
        "load_balancer_uids": {"type": "list", "elements": "str"},
    },
    "required_one_of": [["addresses", "tags", "droplet_ids", "load_balancer_uids"]],
}
SPEC = {
    "name": {"type": "str", "required": True},
    "inbound_rules": {"type": "list", "elements": "dict", "options": {**RULE, "sources": PEERS}},
    "outbound_rules": {"type": "list", "elements": "dict", "options": {**RULE, "destinations": PEERS}},
    "tags": {"type": "list", "elements": "str"},
    "droplet_ids": {"type": "list", "elements": "int"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.converge(module, firewall)


if __name__ == "__main__":
    main()
