#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_user_info
short_description: List database users of a managed cluster
version_added: 0.1.0
description:
  - Tells about the users of a DigitalOcean database cluster, without a password. Changes nothing.
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
- name: List database users
  groundcrew.ops.do_database_user_info:
    cluster: shop-pg
  register: listed
"""

RETURN = r"""
database_users:
  description: The users in the order of their names.
  returned: success
  type: list
  elements: dict
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import DATABASE_USER, listed

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listed(DATABASE_USER, "database_users"))


if __name__ == "__main__":
    main()
