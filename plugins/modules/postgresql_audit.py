#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_audit
short_description: Check a PostgreSQL server against the security checklists
version_added: 0.1.0
description:
  - Reads settings, rules of access, roles and the state of connections and transactions, and judges them. Changes nothing. What O(login_user) may not
    read is V(unknown).
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
  - groundcrew.ops.audit
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) in C(module_defaults) to give the credentials once.
    support: full
    membership:
      - groundcrew.ops.postgresql
options:
  subject:
    description:
      - What the findings call it. The server's address by default.
    type: str
  superusers:
    description:
      - The roles that are declared to be superusers, or to have rights like them.
    type: list
    elements: str
    default: [postgres]
  version_warning_days:
    description:
      - A version that gets no fixes any more within so many days fails.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Check the database
  groundcrew.ops.postgresql_audit:
    login_host: db.example.com
    login_user: admin
    login_password: "{{ admin_password }}"
    login_db: shop
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

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.audit import audit_postgresql

SPEC = {
    "subject": {"type": "str"},
    "superusers": {"type": "list", "elements": "str", "default": ["postgres"]},
    "version_warning_days": {"type": "int", "default": 90},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(CONNECTION, SPEC), supports_check_mode=True), audit_postgresql)


if __name__ == "__main__":
    main()
