#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_replica_info
short_description: List read-only replicas of a managed cluster
version_added: 0.1.0
description:
  - Tells about the read-only replicas of a DigitalOcean database cluster, without a password. Changes nothing.
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
- name: List read-only replicas
  groundcrew.ops.do_database_replica_info:
    cluster: shop-pg
  register: listed
"""

RETURN = r"""
database_replicas:
  description: The replicas in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
      type: str
    name:
      description: Its name.
      type: str
    status:
      description: V(online) once it can be used.
      type: str
    size:
      description: The slug of its size.
      type: str
    region:
      description: The slug of its region.
      type: str
    storage_size_mib:
      description: Its storage in MiB.
      type: int
    vpc:
      description: The UUID of its VPC.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    host:
      description: The name or address for connections.
      type: str
    private_host:
      description: The name or address for connections from its VPC.
      type: str
    port:
      description: The port for connections.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import REPLICA, listed

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listed(REPLICA, "database_replicas"))


if __name__ == "__main__":
    main()
