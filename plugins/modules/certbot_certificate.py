#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_certificate
short_description: Have certbot keep a TLS certificate
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Obtains a certificate with certbot from an ACME authority such as Let's Encrypt, and another one when its names or its authority change, or when less than
    a third of its life is left.
  - The authority's question (C(http-01)) is answered by certbot itself, on loopback. What listens on port 80 has to pass C(/.well-known/acme-challenge/) on to
    O(challenge_port), as the role P(groundcrew.ops.proxy#role) does.
  - Between runs the timer of Debian's package renews it, in the same way and with the same hook.
options:
  name:
    description:
      - The certificate's name; certbot keeps it in C(/etc/letsencrypt/live/<name>).
    type: str
    required: true
  state:
    description:
      - Whether certbot keeps it. With V(absent) its files go; it stays valid until it expires.
    type: str
    choices: [present, absent]
    default: present
  domains:
    description:
      - The names it is for. Each has to resolve to where the authority's question is answered. Needed for O(state=present).
    type: list
    elements: str
  email:
    description:
      - Address of the account at the authority. Giving it agrees to the authority's terms. Needed for O(state=present).
    type: str
  server:
    description:
      - The authority's directory.
    type: str
    default: https://acme-v02.api.letsencrypt.org/directory
  ca_bundle:
    description:
      - File with the certificates by which the authority's own one is checked, where it is not a public authority. The timer needs it as
        E(REQUESTS_CA_BUNDLE) as well.
    type: path
  challenge_port:
    description:
      - Port of loopback on which certbot answers the authority.
    type: int
    default: 8402
  deploy_hook:
    description:
      - Command to run after each renewal. Certbot gives it the folder in E(RENEWED_LINEAGE), and only reports that it failed.
    type: str
attributes:
  check_mode:
    description: Says whether a certificate would be obtained. Asks the authority nothing.
    support: full
  diff_mode:
    description: Shows names, authority and whether it is due.
    support: full
  idempotent:
    description: Obtains nothing while the certificate is as it should be.
    support: full
"""

EXAMPLES = r"""
- name: Have a certificate
  groundcrew.ops.certbot_certificate:
    name: shop
    domains: [shop.example.com, www.shop.example.com]
    email: ops@example.com
"""

RETURN = r"""
certificate:
  description: What certbot keeps, or would in check mode; null when it is absent.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    domains:
      description: The names it is for.
      type: list
      elements: str
    server:
      description: The authority's directory.
      type: str
    due:
      description: Whether less than a third of its life is left.
      type: bool
    expires:
      description: When it ends, as ISO 8601 in UTC; null when it is not there yet.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import converge
from ansible_collections.groundcrew.ops.plugins.module_utils._web.certbot import Certificate

SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "domains": {"type": "list", "elements": "str"},
    "email": {"type": "str"},
    "server": {"type": "str", "default": "https://acme-v02.api.letsencrypt.org/directory"},
    "ca_bundle": {"type": "path"},
    "challenge_port": {"type": "int", "default": 8402},
    "deploy_hook": {"type": "str"},
}


def main() -> None:
    converge(AnsibleModule(argument_spec=SPEC, required_if=[("state", "present", ("domains", "email"))], supports_check_mode=True), Certificate)


if __name__ == "__main__":
    main()
