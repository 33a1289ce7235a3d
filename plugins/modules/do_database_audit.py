#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_database_audit
short_description: Check managed database clusters of DigitalOcean against their declaration
version_added: 0.1.0
description:
  - Reads the clusters, their trusted sources and what the vendor says about versions, and judges them. Changes nothing, and a failed check does not fail
    the task; P(groundcrew.ops.audit_report#module) weighs the findings.
  - Checks that each cluster exists once and is online, that nobody but the declared sources may connect, TLS, the private network, the support of the
    version, pending maintenance and its window, and whether there is a standby.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.info
options:
  clusters:
    description:
      - The clusters as they are declared.
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
      maintenance_window:
        description:
          - The C(day) and the C(hour) (UTC) for maintenance.
        type: dict
      vpc:
        description:
          - The name or the id of the VPC.
        type: str
  version_warning_days:
    description:
      - A version whose support ends within so many days fails.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Check the databases
  groundcrew.ops.do_database_audit:
    clusters:
      - {name: shop-pg, vpc: shop, trusted_sources: [{tag: app}], maintenance_window: {day: sunday, hour: "03:00"}}
  register: audited
"""

RETURN = r"""
findings:
  description: One for each check and subject, as P(groundcrew.ops.audit_report#module) takes them.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The check; it stays the same for good.
      type: str
    title:
      description: What the check asks for.
      type: str
    severity:
      description: V(info), V(low), V(medium), V(high) or V(critical).
      type: str
    subject:
      description: What was looked at.
      type: str
    verdict:
      description: V(pass), V(fail) or V(unknown).
      type: str
    evidence:
      description: What was seen.
      type: str
    remedy:
      description: What to do about a failure.
      type: str
    waived:
      description: V(false); waivers are the report's.
      type: bool
    waiver:
      description: Null; waivers are the report's.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.audit import clusters
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION

SPEC = {
    "clusters": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "trusted_sources": {"type": "list", "elements": "dict"},
            "maintenance_window": {"type": "dict"},
            "vpc": {"type": "str"},
        },
    },
    "version_warning_days": {"type": "int", "default": 90},
}


def main() -> None:
    module = AnsibleModule(argument_spec=merge(CONNECTION, SPEC), supports_check_mode=True)
    run.inform(module, clusters)


if __name__ == "__main__":
    main()
