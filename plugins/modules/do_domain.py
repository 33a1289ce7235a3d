#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_domain
short_description: Add and remove a domain of DigitalOcean DNS
version_added: 0.1.0
description:
  - Brings one domain into the account, or out of it. Its records are the affair of M(groundcrew.ops.do_domain_record).
  - With O(state=absent) every record of the domain goes with it.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  name:
    description:
      - The domain, such as V(example.com). Case and a last dot do not matter.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Serve the names of example.com
  groundcrew.ops.do_domain:
    name: example.com
"""

RETURN = r"""
domain:
  description: The domain; null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    ttl:
      description: How many seconds its records may be kept where they do not say it themselves.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.dns import domain

SPEC = {
    "name": {"type": "str", "required": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.converge(module, domain)


if __name__ == "__main__":
    main()
