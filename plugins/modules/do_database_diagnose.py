#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_diagnose
short_description: Tell whether a managed database cluster is why a database cannot be reached
version_added: 0.1.0
description:
  - Asks DigitalOcean whether each declared cluster is there and online, whether maintenance is done right now, and whether the declared trusted sources are
    let in. Changes nothing.
  - What cannot be read, such as without a token, is V(unknown). Nothing fails the task; P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  clusters:
    description:
      - The clusters as they should be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the cluster.
        type: str
        required: true
      trusted_sources:
        description:
          - Who may connect, as P(groundcrew.ops.do_database_cluster#module) has it.
        type: list
        elements: dict
"""

EXAMPLES = r"""
- name: Ask why nobody reaches the database
  groundcrew.ops.do_database_diagnose:
    clusters:
      - {name: shop-pg, trusted_sources: [{tag: app}]}
  register: asked
"""

RETURN = r"""
findings:
  description: One for each check and cluster, as P(groundcrew.ops.audit_report#module) takes them. The remedy is the next step.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.diagnose import diagnose_clusters

SPEC = {
    "clusters": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "trusted_sources": {"type": "list", "elements": "dict"},
        },
    },
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=merge(CONNECTION, SPEC), supports_check_mode=True), diagnose_clusters)


if __name__ == "__main__":
    main()
