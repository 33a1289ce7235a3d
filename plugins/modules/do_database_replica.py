#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_replica
short_description: Converge a read-only replica of a managed cluster
version_added: 0.1.0
description:
  - Brings one read-only replica of a DigitalOcean PostgreSQL or MySQL cluster into the declared state and waits until it is online. It is found by
    its name. The size and the storage are changed in place, the region, the VPC and the tags of a replica that exists are fixed.
  - A cluster that does not exist is an error of the run, but not of a dry run, in which the cluster may be about to be created.
  - M(groundcrew.ops.do_database_promote) makes a replica a cluster of its own.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
  - groundcrew.ops.digitalocean.wait
options:
  cluster:
    description:
      - The name or the id of the cluster that it replicates.
    type: str
    required: true
  name:
    description:
      - The name of the replica.
    type: str
    required: true
  size:
    description:
      - The slug of its size, at least that of the cluster. Required with O(state=present).
    type: str
  region:
    description:
      - The slug of its region; that of the cluster if this is not given.
    type: str
  storage_size_mib:
    description:
      - The storage in MiB; it only grows. That of the cluster if this is not given.
    type: int
  vpc:
    description:
      - The name or the UUID of the VPC. Without it the default one of the region is used.
    type: str
  tags:
    description:
      - The tags. Given at creation.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Have a replica for reports
  groundcrew.ops.do_database_replica:
    cluster: shop-pg
    name: shop-reports
    size: db-s-1vcpu-2gb
"""

RETURN = r"""
database_replica:
  description: The replica, without a password; null when it does not exist.
  returned: success
  type: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE, WAIT
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.database import database_replica

SPEC = {
    "cluster": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "size": {"type": "str"},
    "region": {"type": "str"},
    "storage_size_mib": {"type": "int"},
    "vpc": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, WAIT, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["size"])],
    )
    run.converge(module, database_replica)


if __name__ == "__main__":
    main()
