#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_app_info
short_description: List apps of DigitalOcean's App Platform
version_added: 0.1.0
description:
  - Tells about apps and their deployments, without secrets. Changes nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  name:
    description:
      - Only the app of this name; one that does not exist is not an error.
    type: str
"""

EXAMPLES = r"""
- name: Look at the deployments of the shop
  groundcrew.ops.do_app_info:
    name: shop
  register: shop
"""

RETURN = r"""
apps:
  description: The apps in the order of their names.
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
      description: Its spec, without secrets.
      type: dict
    deployments:
      description: Its deployments, the newest first.
      type: list
      elements: dict
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.app import apps
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION

SPEC = {
    "name": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.inform(module, apps)


if __name__ == "__main__":
    main()
