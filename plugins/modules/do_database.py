#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database
short_description: Create and remove a database of a managed cluster
version_added: 0.1.0
description:
  - Brings one database of a DigitalOcean database cluster into the declared state. It is found by its name.
  - A cluster that does not exist is an error of the run, but not of a dry run, in which the cluster may be about to be created.
  - O(state=absent) removes the data with it.
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
      - The name of the database.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Have the database of the shop
  groundcrew.ops.do_database:
    cluster: shop-pg
    name: shop
"""

RETURN = r"""
database:
  description: The database; null when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import database

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
    )
    run.converge(module, database)


if __name__ == "__main__":
    main()
