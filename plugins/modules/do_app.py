#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_app
short_description: Deploy an app on DigitalOcean's App Platform
version_added: 0.1.0
description:
  - Brings one app to its declared spec and waits until the deployment serves. It is found by its name; two of one name are an error.
  - A deployment that fails is an error with the reasons and the end of its log. What served before goes on serving. A second run deploys again.
  - The platform fills in defaults, so only what is declared is compared. Lists of services, variables, domains and the like are exact.
  - The platform encrypts secrets, so they are not compared either. Instead the app gets one variable more, E(GROUNDCREW_SPEC), at run time. It holds a
    salted, slow hash of the declaration with its secrets. Another hash means that a secret is new, or that something is declared no more, and the spec is
    handed in anew. An app that was made without this module changes once for this reason.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
  - groundcrew.ops.digitalocean.wait
options:
  name:
    description:
      - The name of the app, as in its spec.
    type: str
    required: true
  spec:
    description:
      - "The app spec (U(https://docs.digitalocean.com/products/app-platform/reference/app-spec/)). Required with O(state=present)."
      - A secret stands in it as C(SECRET[name]). One in plain text is refused; an encrypted one, C(EV[...]), is kept.
    type: dict
  secrets:
    description:
      - The values of the secrets that the spec refers to, by name.
    type: dict
"""

EXAMPLES = r"""
- name: Deploy the shop
  groundcrew.ops.do_app:
    name: shop
    spec:
      region: fra
      services:
        - name: web
          image:
            registry_type: DOCR
            repository: shop
            tag: 1.4.0
          http_port: 8080
          envs:
            - key: DATABASE_URL
              type: SECRET
              value: SECRET[database_url]
    secrets:
      database_url: "{{ lookup('groundcrew.ops.do_database', 'shop-pg', user='shop', database='shop') }}"

- name: Deploy from a file with a spec
  groundcrew.ops.do_app:
    name: shop
    spec: "{{ lookup('ansible.builtin.file', '.do/app.yaml') | from_yaml }}"
"""

RETURN = r"""
app:
  description: The app; null when it does not exist.
  returned: success
  type: dict
  contains:
    id:
      description: Its UUID; null as long as it does not exist.
      type: str
    name:
      description: Its name.
      type: str
    region:
      description: The slug of its region.
      type: str
    live_url:
      description: Where it serves; null as long as nothing does.
      type: str
    default_ingress:
      description: Its address below the vendor's domain.
      type: str
    pinned:
      description: Whether a rollback was neither committed nor reverted.
      type: bool
    spec:
      description: Its spec as far as it is declared, without secrets.
      type: dict
    deployment:
      description: The newest deployment; null when there is none.
      type: dict
      contains:
        id:
          description: Its UUID.
          type: str
        phase:
          description: V(ACTIVE) once it serves.
          type: str
        cause:
          description: What began it.
          type: str
        created_at:
          description: When it began.
          type: str
        cloned_from:
          description: The deployment that it repeats, when it is a rollback.
          type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.app import app
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE, WAIT

SPEC = {
    "name": {"type": "str", "required": True},
    "spec": {"type": "dict"},
    "secrets": {"type": "dict", "no_log": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, WAIT, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["spec"])],
    )
    run.converge(module, app)


if __name__ == "__main__":
    main()
