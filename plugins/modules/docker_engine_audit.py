#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_audit
short_description: Check Docker Engine against the security checklists
version_added: 0.1.0
description:
  - Reads what the engine says, its configuration, its socket and who may use it, and judges it. Changes nothing. Needs root.
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
options:
  group:
    description:
      - The accounts that are declared to be in the group docker, which makes them root.
    type: list
    elements: str
    default: []
  insecure_registries:
    description:
      - The registries that are declared to be used without TLS.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the engine
  groundcrew.ops.docker_engine_audit:
    subject: "{{ inventory_hostname }}"
  register: audited
"""

RETURN = r"""
findings:
  description: One for each check and subject, as P(groundcrew.ops.audit_report#module) takes them.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_engine import audit_engine

SPEC = {
    "subject": {"type": "str", "required": True},
    "group": {"type": "list", "elements": "str", "default": []},
    "insecure_registries": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), audit_engine)


if __name__ == "__main__":
    main()
