#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_app_rollback
short_description: Go back to an earlier deployment of an app
version_added: 0.1.0
description:
  - Deploys an earlier deployment of an App Platform app again, waits until it serves, and makes it the app's spec.
  - While it is deployed the app is pinned, so that no push comes in between. A run that is killed is taken up by the next one.
  - A rollback that fails is reverted, and an error with the end of its log.
  - The next M(groundcrew.ops.do_app) deploys what it declares, so correct the spec first.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
attributes:
  check_mode:
    description: Says what would be done and changes nothing.
    support: full
  diff_mode:
    description: Shows what serves before and after.
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
  name:
    description:
      - The name of the app.
    type: str
    required: true
  deployment:
    description:
      - The id of the deployment to go back to. Without it that is the one that served before; an app that already went back is left as it is.
    type: str
  wait_timeout:
    description:
      - Seconds to wait at the most.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Go back to what served before
  groundcrew.ops.do_app_rollback:
    name: shop
"""

RETURN = r"""
app:
  description: The app.
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
    deployment:
      description: The deployment that serves.
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
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.rollback import rollback

SPEC = {
    "name": {"type": "str", "required": True},
    "deployment": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 1800},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
    )
    run.perform(module, rollback)


if __name__ == "__main__":
    main()
