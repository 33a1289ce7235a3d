#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_load_balancer
short_description: Create, change and remove a load balancer of DigitalOcean
version_added: 0.1.0
description:
  - Brings one load balancer into the declared state. It is found by its name; two of one name are an error.
  - Rules, health check, sessions and droplets are made equal to what is declared; what is not declared stays, also what no option names.
  - Region, VPC and network are fixed at creation; another value is an error.
  - To take one droplet out and put it in again use M(groundcrew.ops.do_load_balancer_member).
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
  - groundcrew.ops.digitalocean.wait
options:
  name:
    description:
      - The name of the load balancer.
    type: str
    required: true
  region:
    description:
      - The slug of the region, such as V(fra1). Required with O(state=present).
    type: str
  vpc:
    description:
      - The VPC by name or UUID. Without it the region's default VPC.
    type: str
  network:
    description:
      - V(EXTERNAL) has a public address; V(INTERNAL) is reached from its VPC only.
    type: str
    choices: [EXTERNAL, INTERNAL]
  size_unit:
    description:
      - How many nodes it has, V(1) to V(100).
    type: int
  forwarding_rules:
    description:
      - What it takes and where it sends it, exactly; rules that are not listed are dropped. Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      entry_protocol:
        description:
          - What visitors speak.
        type: str
        choices: [http, https, http2, http3, tcp, udp]
        required: true
      entry_port:
        description:
          - The port that visitors come to.
        type: int
        required: true
      target_protocol:
        description:
          - What droplets speak.
        type: str
        choices: [http, https, http2, tcp, udp]
        required: true
      target_port:
        description:
          - The port of the droplets.
        type: int
        required: true
      certificate:
        description:
          - The TLS certificate (M(groundcrew.ops.do_certificate)) by name or UUID. A certificate that is renewed or exchanged keeps its name and not its UUID,
            so name it.
        type: str
      tls_passthrough:
        description:
          - Send the encrypted traffic on as it is, to droplets that have the certificate.
        type: bool
        default: false
  health_check:
    description:
      - How it tells whether a droplet gets traffic. Not given, it stays as it is.
    type: dict
    suboptions:
      protocol:
        description:
          - V(tcp) only connects.
        type: str
        choices: [http, https, tcp]
        default: http
      port:
        description:
          - The port of the droplets that is asked.
        type: int
        default: 80
      path:
        description:
          - The path that has to answer with a success.
        type: str
        default: /
      check_interval_seconds:
        description:
          - Seconds between two checks.
        type: int
        default: 10
      response_timeout_seconds:
        description:
          - Seconds after which a check has failed.
        type: int
        default: 5
      unhealthy_threshold:
        description:
          - How many failures in a row take a droplet out.
        type: int
        default: 5
      healthy_threshold:
        description:
          - How many successes in a row put it in again.
        type: int
        default: 3
  sticky_sessions:
    description:
      - Whether a visitor stays with a droplet. Not given, it stays as it is.
    type: dict
    suboptions:
      type:
        description:
          - V(cookies) needs O(sticky_sessions.cookie_name) and O(sticky_sessions.cookie_ttl_seconds).
        type: str
        choices: [none, cookies]
        required: true
      cookie_name:
        description:
          - The name of the cookie that it sets.
        type: str
      cookie_ttl_seconds:
        description:
          - How long the cookie lasts.
        type: int
  redirect_http_to_https:
    description:
      - Answer HTTP with a redirect to HTTPS.
    type: bool
  enable_proxy_protocol:
    description:
      - Tell droplets the visitor's address by the PROXY protocol, which they then have to expect.
    type: bool
  enable_backend_keepalive:
    description:
      - Keep connections to droplets for further requests.
    type: bool
  http_idle_timeout_seconds:
    description:
      - After how many seconds of silence a connection is ended, V(30) to V(600).
    type: int
  tls_cipher_policy:
    description:
      - Which ciphers are offered.
    type: str
    choices: [DEFAULT, STRONG]
  tag:
    description:
      - The droplets with this tag are behind it, also those that come later. Created if the account does not have it yet.
      - M(groundcrew.ops.do_load_balancer_member) takes the tag off a droplet, so use a tag that stands for nothing else.
    type: str
  droplets:
    description:
      - The droplets behind it by name or id, exactly. An empty list takes all out.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Send visitors to the droplets of the shop
  groundcrew.ops.do_load_balancer:
    name: shop
    region: fra1
    vpc: production
    tag: shop-web
    redirect_http_to_https: true
    forwarding_rules:
      - {entry_protocol: http, entry_port: 80, target_protocol: http, target_port: 8080}
      - {entry_protocol: https, entry_port: 443, target_protocol: http, target_port: 8080, certificate: shop}
    health_check: {protocol: http, port: 8080, path: /healthz}
  register: shop

- name: Point the name of the shop to it
  groundcrew.ops.do_domain_record:
    domain: example.com
    name: shop
    type: A
    data: ["{{ shop.load_balancer.ip }}"]
"""

RETURN = r"""
load_balancer:
  description: The load balancer; null when it does not exist.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE, WAIT
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.load_balancer import load_balancer

RULE = {
    "entry_protocol": {"type": "str", "choices": ["http", "https", "http2", "http3", "tcp", "udp"], "required": True},
    "entry_port": {"type": "int", "required": True},
    "target_protocol": {"type": "str", "choices": ["http", "https", "http2", "tcp", "udp"], "required": True},
    "target_port": {"type": "int", "required": True},
    "certificate": {"type": "str"},
    "tls_passthrough": {"type": "bool", "default": False},
}
HEALTH_CHECK = {
    "protocol": {"type": "str", "choices": ["http", "https", "tcp"], "default": "http"},
    "port": {"type": "int", "default": 80},
    "path": {"type": "str", "default": "/"},
    "check_interval_seconds": {"type": "int", "default": 10},
    "response_timeout_seconds": {"type": "int", "default": 5},
    "unhealthy_threshold": {"type": "int", "default": 5},
    "healthy_threshold": {"type": "int", "default": 3},
}
SESSIONS = {
    "type": {"type": "str", "choices": ["none", "cookies"], "required": True},
    "cookie_name": {"type": "str"},
    "cookie_ttl_seconds": {"type": "int"},
}
SPEC = {
    "name": {"type": "str", "required": True},
    "region": {"type": "str"},
    "vpc": {"type": "str"},
    "network": {"type": "str", "choices": ["EXTERNAL", "INTERNAL"]},
    "size_unit": {"type": "int"},
    "forwarding_rules": {"type": "list", "elements": "dict", "options": RULE},
    "health_check": {"type": "dict", "options": HEALTH_CHECK},
    "sticky_sessions": {"type": "dict", "options": SESSIONS, "required_if": [("type", "cookies", ["cookie_name", "cookie_ttl_seconds"])]},
    "redirect_http_to_https": {"type": "bool"},
    "enable_proxy_protocol": {"type": "bool"},
    "enable_backend_keepalive": {"type": "bool"},
    "http_idle_timeout_seconds": {"type": "int"},
    "tls_cipher_policy": {"type": "str", "choices": ["DEFAULT", "STRONG"]},
    "tag": {"type": "str"},
    "droplets": {"type": "list", "elements": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, WAIT, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("tag", "droplets")],
        required_if=[("state", "present", ["region", "forwarding_rules"])],
    )
    run.converge(module, load_balancer)


if __name__ == "__main__":
    main()
