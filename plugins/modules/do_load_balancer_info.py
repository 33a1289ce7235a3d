#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_load_balancer_info
short_description: List load balancers of a DigitalOcean account
version_added: 0.1.0
description:
  - Tells about load balancers, from every page of the API's answers. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the load balancer of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look which droplets are behind the shop's load balancer
  groundcrew.ops.do_load_balancer_info:
    name: shop
  register: shop
"""

RETURN = r"""
load_balancers:
  description: The load balancers in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its UUID.
      type: str
    name:
      description: Its name.
      type: str
    status:
      description: V(active) once it takes traffic.
      type: str
    ip:
      description: The address that names point to; empty until it is active.
      type: str
    region:
      description: The slug of its region.
      type: str
    vpc:
      description: The UUID of its VPC.
      type: str
    forwarding_rules:
      description: What it takes and where it sends it, in the order of the ports.
      type: list
      elements: dict
    health_check:
      description: How it tells whether a droplet gets traffic.
      type: dict
    sticky_sessions:
      description: Whether a visitor stays with a droplet.
      type: dict
    tag:
      description: The tag of its droplets; empty when they are named one by one.
      type: str
    droplet_ids:
      description: The droplets behind it.
      type: list
      elements: int
    size_unit:
      description: How many nodes it has.
      type: int
    redirect_http_to_https:
      description: Whether HTTP is answered with a redirect to HTTPS.
      type: bool
    enable_proxy_protocol:
      description: Whether droplets are told the visitor's address by the PROXY protocol.
      type: bool
    enable_backend_keepalive:
      description: Whether connections to droplets are kept.
      type: bool
    http_idle_timeout_seconds:
      description: After how many seconds of silence a connection is ended.
      type: int
    tls_cipher_policy:
      description: Which ciphers are offered.
      type: str
    network:
      description: V(EXTERNAL), or V(INTERNAL) when only its VPC reaches it.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.info import listing
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.load_balancer import LOAD_BALANCER

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, listing(LOAD_BALANCER))


if __name__ == "__main__":
    main()
