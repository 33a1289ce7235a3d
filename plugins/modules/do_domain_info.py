#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_domain_info
short_description: List domains of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about domains, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the domain of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look which domains the account serves
  groundcrew.ops.do_domain_info:
  register: domains
"""

RETURN = r"""
domains:
  description: The domains in the order of their names.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.dns import DOMAIN
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(DOMAIN))


if __name__ == "__main__":
    main()
