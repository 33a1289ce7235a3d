#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_audit
short_description: Check a Compose application on a host against the security checklists
version_added: 0.1.0
description:
  - Reads the application's folder and its running containers with their images, and judges rights, mounts, ports, limits, images, and the variables and
    secrets of the active release. Changes nothing. Needs root.
  - The rules for variables are those that refuse a release; no message holds a value.
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
options:
  name:
    description:
      - Name of the application.
    type: str
    required: true
  root:
    description:
      - The application's folder. Defaults to C(/opt/groundcrew/<name>).
    type: path
  environment_rules:
    description:
      - Own rules and changes to known ones by C(id), as P(groundcrew.ops.compose_release#module) has them.
    type: list
    elements: dict
    default: []
  image_max_age_days:
    description:
      - How old an image may be.
    type: float
    default: 90.0
  max_pending_minutes:
    description:
      - How long a release may be in progress.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Check the shop
  groundcrew.ops.compose_audit:
    subject: "{{ inventory_hostname }}"
    name: shop
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
from ansible_collections.groundcrew.ops.plugins.module_utils._release.audit_facts import audit_application

SPEC = {
    "subject": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "root": {"type": "path"},
    "environment_rules": {"type": "list", "elements": "dict", "default": []},
    "image_max_age_days": {"type": "float", "default": 90.0},
    "max_pending_minutes": {"type": "float", "default": 60.0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), audit_application)


if __name__ == "__main__":
    main()
