#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_domain_record_info
short_description: List the DNS records of a domain at DigitalOcean
version_added: 0.1.0
description:
  - Tells about the records of a domain, those of one name and type together. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  domain:
    description:
      - The domain.
    type: str
    required: true
  name:
    description:
      - Only the records of this name below the domain; V(@) is the domain itself.
    type: str
  type:
    description:
      - Only the records of this type.
    type: str
"""

EXAMPLES = r"""
- name: Look where www points
  groundcrew.ops.do_domain_record_info:
    domain: example.com
    name: www
  register: www
"""

RETURN = r"""
domain_records:
  description: The records in the order of their names and types.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.dns import domain_records

SPEC = {
    "domain": {"type": "str", "required": True},
    "name": {"type": "str"},
    "type": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, domain_records)


if __name__ == "__main__":
    main()
