#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_pool_info
short_description: List connection pools of a managed cluster
version_added: 0.1.0
description:
  - Tells about the connection pools of a DigitalOcean PostgreSQL cluster, without a password. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  cluster:
    description:
      - The name or the id of the cluster. One that does not exist holds nothing.
    type: str
    required: true
  name:
    description:
      - Only the one of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: List connection pools
  groundcrew.ops.do_database_pool_info:
    cluster: shop-pg
  register: listed
"""

RETURN = r"""
database_pools:
  description: The pools in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name, which clients name as their database.
      type: str
    mode:
      description: How long a client keeps its connection to the server.
      type: str
    size:
      description: How many connections to the server it holds.
      type: int
    database:
      description: The database behind it.
      type: str
    user:
      description: The user that it connects as; null when each client connects as itself.
      type: str
    host:
      description: The name or address for connections.
      type: str
    private_host:
      description: The name or address for connections from the cluster's VPC.
      type: str
    port:
      description: The port for connections.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import POOL, listed

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listed(POOL, "database_pools"))


if __name__ == "__main__":
    main()
