#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_domain_record
short_description: Keep the DNS records of a name exactly as declared at DigitalOcean
version_added: 0.1.0
description:
  - Makes the records of one name and type equal to the declared values, drops the others, and leaves every other name and type alone.
  - A record that has to change is changed in place where that is possible, so that the name is at no moment without an answer.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  domain:
    description:
      - The domain, which the account has to have (M(groundcrew.ops.do_domain)).
    type: str
    required: true
  name:
    description:
      - The name below the domain; V(@) is the domain itself and V(*) every name that has no records.
    type: str
    default: "@"
  type:
    description:
      - The type of the records.
    type: str
    choices: [A, AAAA, CAA, CNAME, MX, NS, SRV, TXT]
    required: true
  data:
    description:
      - The values, exactly, each as a zone file has it. Required with O(state=present).
      - V(10 mail.example.com.) for an MX (priority first), V(10 60 5060 sip.example.com.) for an SRV (priority, weight, port),
        V(0 issue "letsencrypt.org") for a CAA.
      - Names of hosts are full names, with a last dot or without; V(@) is the domain itself.
    type: list
    elements: str
  ttl:
    description:
      - How many seconds they may be kept, at least V(30). Not given, it stays as it is, and new records get the domain's.
    type: int
"""

EXAMPLES = r"""
- name: Point a name to two addresses, and to no other
  groundcrew.ops.do_domain_record:
    domain: example.com
    name: www
    type: A
    data: [192.0.2.10, 192.0.2.11]
    ttl: 300

- name: Say who takes mail
  groundcrew.ops.do_domain_record:
    domain: example.com
    type: MX
    data: ["10 mx1.example.net.", "20 mx2.example.net."]
"""

RETURN = r"""
domain_record:
  description: The records; null when there are none.
  returned: success
  type: dict
  contains:
    domain:
      description: The domain.
      type: str
    name:
      description: The name below the domain; V(@) is the domain itself.
      type: str
    type:
      description: The type.
      type: str
    data:
      description: The values as a zone file has them, sorted.
      type: list
      elements: str
    ttl:
      description: How many seconds they may be kept; a list when the records do not agree.
      type: raw
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.dns import domain_record

SPEC = {
    "domain": {"type": "str", "required": True},
    "name": {"type": "str", "default": "@"},
    "type": {"type": "str", "choices": ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"], "required": True},
    "data": {"type": "list", "elements": "str"},
    "ttl": {"type": "int"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["data"])],
    )
    run.converge(module, domain_record)


if __name__ == "__main__":
    main()
