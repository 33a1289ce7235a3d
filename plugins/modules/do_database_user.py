#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_user
short_description: Create and remove a database user of a managed cluster
version_added: 0.1.0
description:
  - Brings one database user of a DigitalOcean database cluster into the declared state. It is found by its name.
  - A cluster that does not exist is an error of the run, but not of a dry run, in which the cluster may be about to be created.
  - The API generates the password. It is in no result unless O(return_password) asks for it; the lookup P(groundcrew.ops.do_database#lookup) reads it
    where it is used. A user who exists keeps the password unless O(reset_password) asks for another one.
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
      - The name of the database user.
    type: str
    required: true
  replication:
    description:
      - Whether the user may replicate. PostgreSQL only.
    type: bool
  reset_password:
    description:
      - Give a user who exists a new password, in each run that says so. Whoever uses the old one is locked out at once.
    type: bool
    default: false
  return_password:
    description:
      - Return the password. The task must have C(no_log=true), or it is refused.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have the database user of the shop
  groundcrew.ops.do_database_user:
    cluster: shop-pg
    name: shop

- name: Have a user and keep the password
  groundcrew.ops.do_database_user:
    cluster: shop-pg
    name: shop
    return_password: true
  register: shop
  no_log: true
"""

RETURN = r"""
database_user:
  description: The database user; null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    role:
      description: V(primary) for the cluster's own user, V(normal) for any other.
      type: str
    replication:
      description: Whether it may replicate (PostgreSQL).
      type: bool
    password:
      description: The password; null in a dry run that would create the user.
      returned: when O(return_password=true)
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import database_user

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "replication": {"type": "bool"},
    "reset_password": {"type": "bool", "default": False, "no_log": False},
    "return_password": {"type": "bool", "default": False, "no_log": False},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.require_no_log(module, secret="the password", asked=module.params["return_password"])
    run.converge(module, database_user)


if __name__ == "__main__":
    main()
