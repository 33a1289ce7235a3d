#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_cluster_info
short_description: List managed database clusters of DigitalOcean
version_added: 0.1.0
description:
  - Tells about database clusters, without a password. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the cluster of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look where the database of the shop is
  groundcrew.ops.do_database_cluster_info:
    name: shop-pg
  register: shop
"""

RETURN = r"""
database_clusters:
  description: The clusters in the order of their names.
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
    engine:
      description: The engine.
      type: str
    version:
      description: The version of the engine.
      type: str
    status:
      description: V(online) once it can be used.
      type: str
    num_nodes:
      description: How many nodes it has.
      type: int
    size:
      description: The slug of the size of a node.
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
    maintenance_window:
      description: The day and the hour (UTC) of maintenance.
      type: dict
    trusted_sources:
      description: Who may connect, as C(type:value). Empty means everybody.
      type: list
      elements: str
    host:
      description: The name or address for connections.
      type: str
    private_host:
      description: The name or address for connections from its VPC.
      type: str
    standby_host:
      description: The name for connections that read from a standby; null where there is none.
      type: str
    port:
      description: The port for connections.
      type: int
    user:
      description: The name of the cluster's own user.
      type: str
    database:
      description: The name of the database that it is created with.
      type: str
    ca:
      description: The certificate authority of the servers, as PEM; null until the cluster is online.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import database_clusters

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, database_clusters)


if __name__ == "__main__":
    main()
