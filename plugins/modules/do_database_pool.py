#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_pool
short_description: Converge a connection pool of a managed PostgreSQL cluster
version_added: 0.1.0
description:
  - Brings one connection pool of a DigitalOcean PostgreSQL cluster into the declared state. It is found by its name. Everything but the name is
    changed in place.
  - The lookup P(groundcrew.ops.do_database#lookup) tells with C(pool) how to connect through it.
  - A cluster that does not exist is an error of the run, but not of a dry run, in which the cluster may be about to be created.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  cluster:
    description:
      - The name or the id of the cluster.
    type: str
    required: true
  name:
    description:
      - The name of the pool, 3 to 60 characters.
    type: str
    required: true
  mode:
    description:
      - How long a client keeps its connection to the server. A pool is created with V(transaction) if this is not given.
    type: str
    choices: [session, transaction, statement]
  size:
    description:
      - How many connections to the server it holds; the size of the cluster limits the sum over its pools. Required with O(state=present).
    type: int
  database:
    description:
      - The database behind it. Required with O(state=present).
    type: str
  user:
    description:
      - The user that it connects as. A pool that is created without one connects as the user that the client names.
    type: str
"""

EXAMPLES = r"""
- name: Have a pool for the shop
  groundcrew.ops.do_database_pool:
    cluster: shop-pg
    name: shop
    size: 10
    database: shop
    user: shop
"""

RETURN = r"""
database_pool:
  description: The pool, without a password; null when it does not exist.
  returned: success
  type: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import database_pool

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["session", "transaction", "statement"]},
    "size": {"type": "int"},
    "database": {"type": "str"},
    "user": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["size", "database"])],
    )
    run.converge(module, database_pool)


if __name__ == "__main__":
    main()
