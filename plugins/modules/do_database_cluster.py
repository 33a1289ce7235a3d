#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_cluster
short_description: Converge a managed database cluster of DigitalOcean
version_added: 0.1.0
description:
  - Brings one cluster into the declared state and waits until it is online. It is found by its name; two of one name are an error.
  - The size, the number of nodes, the storage, the trusted sources and the maintenance window are changed in place, and with O(upgrade=true) the version.
    The engine, the region, the VPC and the tags of a cluster that exists are fixed; another value is an error.
  - No password, and no address that holds one, is in a result. Read it where it is used, with the lookup P(groundcrew.ops.do_database#lookup).
  - O(state=absent) removes the data with the cluster.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
  - groundcrew.ops.digitalocean.wait
options:
  name:
    description:
      - The name of the cluster.
    type: str
    required: true
  engine:
    description:
      - The engine. Required with O(state=present).
    type: str
    choices: [pg, mysql, redis, valkey, mongodb, kafka, opensearch]
  version:
    description:
      - The major version. Without it the newest one is created. An older one than a cluster has is an error.
    type: str
  upgrade:
    description:
      - Allow a major upgrade of a cluster that exists, when O(version) is newer. It cannot be undone, and connections end during it.
    type: bool
    default: false
  size:
    description:
      - The slug of the size of a node, such as V(db-s-1vcpu-1gb). Required with O(state=present).
    type: str
  num_nodes:
    description:
      - How many nodes there are; a cluster is created with one if this is not given. With two or three, one or two are standbys that take over.
    type: int
  storage_size_mib:
    description:
      - The storage in MiB; it only grows.
    type: int
  restore_from:
    description:
      - Create the cluster as a fork of another one, from its backups. Of no effect on a cluster that exists.
    type: dict
    suboptions:
      cluster:
        description:
          - The name of the cluster that is forked.
        type: str
        required: true
      at:
        description:
          - The time of a backup, or a point in time where the engine keeps a log, in UTC, such as V(2026-01-31T12:00:00Z).
          - Without it the newest backup is used.
        type: str
  region:
    description:
      - The slug of the region. Required with O(state=present).
    type: str
  vpc:
    description:
      - The name or the UUID of the VPC. Without it the default one of the region is used.
    type: str
  tags:
    description:
      - The tags. Given at creation.
    type: list
    elements: str
  trusted_sources:
    description:
      - Who may connect, exactly. Each entry has one of the keys. Not given, they stay as they are.
      - An empty list opens the cluster to everybody who has a password.
      - A tag may be named before any droplet has it.
    type: list
    elements: dict
    suboptions:
      droplet:
        description:
          - A droplet by name or id.
        type: str
      tag:
        description:
          - The droplets with this tag.
        type: str
      ip_addr:
        description:
          - An address, or a network in CIDR notation.
        type: str
      app:
        description:
          - An App Platform app by name or id.
        type: str
      k8s:
        description:
          - A Kubernetes cluster by id.
        type: str
  maintenance_window:
    description:
      - When the vendor may maintain the cluster.
    type: dict
    suboptions:
      day:
        description:
          - The day of the week.
        type: str
        choices: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        required: true
      hour:
        description:
          - The hour in UTC, such as V(03:00).
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Have the database of the shop, reachable from its hosts only
  groundcrew.ops.do_database_cluster:
    name: shop-pg
    engine: pg
    version: "17"
    size: db-s-1vcpu-1gb
    region: fra1
    trusted_sources:
      - tag: app
    maintenance_window:
      day: sunday
      hour: "03:00"
  register: cluster

- name: Try the upgrade on a fork
  groundcrew.ops.do_database_cluster:
    name: shop-pg-trial
    engine: pg
    version: "18"
    size: db-s-1vcpu-1gb
    region: fra1
    restore_from:
      cluster: shop-pg
    trusted_sources:
      - ip_addr: 192.0.2.7
"""

RETURN = r"""
database_cluster:
  description: The cluster; null when it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import SOURCES, cluster
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE, WAIT

SPEC = {
    "name": {"type": "str", "required": True},
    "engine": {"type": "str", "choices": ["pg", "mysql", "redis", "valkey", "mongodb", "kafka", "opensearch"]},
    "version": {"type": "str"},
    "upgrade": {"type": "bool", "default": False},
    "size": {"type": "str"},
    "num_nodes": {"type": "int"},
    "storage_size_mib": {"type": "int"},
    "restore_from": {"type": "dict", "options": {"cluster": {"type": "str", "required": True}, "at": {"type": "str"}}},
    "region": {"type": "str"},
    "vpc": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
    "trusted_sources": {
        "type": "list",
        "elements": "dict",
        "options": {source: {"type": "str"} for source in SOURCES},
        "mutually_exclusive": [SOURCES],
        "required_one_of": [SOURCES],
    },
    "maintenance_window": {
        "type": "dict",
        "options": {
            "day": {"type": "str", "required": True, "choices": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]},
            "hour": {"type": "str", "required": True},
        },
    },
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, WAIT, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["engine", "size", "region"])],
    )
    run.converge(module, cluster)


if __name__ == "__main__":
    main()
