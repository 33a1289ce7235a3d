#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_promote
short_description: Make a read-only replica a cluster of its own
version_added: 0.1.0
description:
  - Ends the replication of one read-only replica of a DigitalOcean database cluster, makes it a cluster of its own under the replica's name, and waits until
    that is online. There is no way back.
  - What was written to the old cluster and had not reached the replica is not in the new one. Stop the writers first.
  - The new cluster begins without trusted sources; declare them with M(groundcrew.ops.do_database_cluster) at once.
  - A second run finds the cluster and changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
attributes:
  check_mode:
    description: Says what would be done and changes nothing.
    support: full
  diff_mode:
    description: Shows what the replica is before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: C(module_defaults) of C(group/groundcrew.ops.digitalocean) gives the token once.
    support: full
    membership:
      - groundcrew.ops.digitalocean
options:
  cluster:
    description:
      - The name or the id of the cluster that is replicated.
    type: str
    required: true
  name:
    description:
      - The name of the replica, which the new cluster keeps.
    type: str
    required: true
  wait_timeout:
    description:
      - Seconds to wait at the most.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Let the replica take over
  groundcrew.ops.do_database_promote:
    cluster: shop-pg
    name: shop-reports
"""

RETURN = r"""
database_cluster:
  description: The cluster that it became; null in a dry run that would promote it.
  returned: success
  type: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.promotion import promotion

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "wait_timeout": {"type": "int", "default": 1800},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.perform(module, promotion)


if __name__ == "__main__":
    main()
