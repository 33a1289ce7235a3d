#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_certificate
short_description: Create, exchange and remove a TLS certificate of DigitalOcean's load balancers
version_added: 0.1.0
description:
  - Brings one certificate into the declared state. It is found by its name; two of one name are an error.
  - With O(dns_names) DigitalOcean gets the certificate from Let's Encrypt and renews it. With O(leaf_certificate) it is one of your own.
  - The API changes no certificate. For another content a new object is created, the load balancers that use the old one go over to it, one after the other,
    and then the old one is removed. All else that is set on a load balancer stays. A run that was cut off in between is continued by the next one.
  - The object's own name ends with what tells its content, as in C(shop-1f2e3d4c5b6a); M(groundcrew.ops.do_load_balancer) finds it as C(shop).
  - A certificate that a load balancer uses is not removed; that is an error.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
notes:
  - A content delivery network that uses a certificate is not seen. The API refuses to remove the certificate then.
options:
  name:
    description:
      - The name of the certificate.
    type: str
    required: true
  dns_names:
    description:
      - The names that Let's Encrypt issues the certificate for, exactly. Their domains have to be in the account (M(groundcrew.ops.do_domain)).
    type: list
    elements: str
  leaf_certificate:
    description:
      - The server's own certificate in PEM. It is compared by its fingerprint.
    type: str
  private_key:
    description:
      - The private key of O(leaf_certificate) in PEM. It is sent when the certificate is created, and shown nowhere.
    type: str
  certificate_chain:
    description:
      - The certificates of the authorities in PEM. The API does not tell them afterwards, so another chain for the same O(leaf_certificate) is not seen.
    type: str
  wait_timeout:
    description:
      - Seconds to wait at the most, for the certificate to be issued and for each load balancer to go over to it.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Have a certificate that renews itself
  groundcrew.ops.do_certificate:
    name: shop
    dns_names: [shop.example.com, www.shop.example.com]

- name: Use it
  groundcrew.ops.do_load_balancer:
    name: shop
    region: fra1
    tag: shop-web
    forwarding_rules:
      - {entry_protocol: https, entry_port: 443, target_protocol: http, target_port: 8080, certificate: shop}

- name: Exchange a certificate of our own wherever it is used
  groundcrew.ops.do_certificate:
    name: shop-own
    leaf_certificate: "{{ lookup('ansible.builtin.file', 'tls/shop.crt') }}"
    certificate_chain: "{{ lookup('ansible.builtin.file', 'tls/chain.crt') }}"
    private_key: "{{ vault_shop_key }}"
"""

RETURN = r"""
certificate:
  description: The certificate; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
      type: str
    name:
      description: Its name.
      type: str
    object_name:
      description: The name of the object, as the control panel shows it.
      type: str
    type:
      description: V(lets_encrypt) or V(custom).
      type: str
    status:
      description: V(verified) once it can be used.
      type: str
    dns_names:
      description: The names that it is for.
      type: list
      elements: str
    fingerprint:
      description: Its SHA-1 fingerprint.
      type: str
    not_after:
      description: Until when it is valid.
      type: str
    superseded:
      description: The names of older objects that it takes the place of.
      type: list
      elements: str
    load_balancers:
      description: The names of the load balancers that use it, or what it takes the place of.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.certificate import certificate
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE

SPEC = {
    "name": {"type": "str", "required": True},
    "dns_names": {"type": "list", "elements": "str"},
    "leaf_certificate": {"type": "str"},
    "private_key": {"type": "str", "no_log": True},
    "certificate_chain": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 1800},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("dns_names", "leaf_certificate")],
        required_together=[("leaf_certificate", "private_key")],
        required_by={"certificate_chain": ["leaf_certificate"]},
        required_if=[("state", "present", ["dns_names", "leaf_certificate"], True)],
    )
    run.converge(module, certificate)


if __name__ == "__main__":
    main()
