#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_diagnose
short_description: Tell why a PostgreSQL database cannot be reached, or is slow
version_added: 0.1.0
description:
  - Goes the way of a connection, one step after the other - name, route, trusted sources, port, TLS, state, credentials, database - and then looks at
    connections, locks, statements and transactions that take long, writes, and the time of an answer. Changes nothing.
  - Runs on the host that should reach the server. No text of a statement is shown.
  - What cannot be read, or is not looked at because the step before it is wrong, is V(unknown). Nothing fails the task; P(groundcrew.ops.audit_report#module)
    weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) in C(module_defaults) to give the credentials once.
    support: full
    membership:
      - groundcrew.ops.postgresql
options:
  slow_seconds:
    description:
      - From when on a statement or an open transaction takes long.
    type: float
    default: 30.0
  max_latency_ms:
    description:
      - How long an answer may take.
    type: float
    default: 50.0
"""

EXAMPLES = r"""
- name: Ask why the shop does not reach its database
  groundcrew.ops.postgresql_diagnose:
    subject: "{{ inventory_hostname }}"
    login_host: db.example.com
    login_user: shop_a
    login_password: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='password') }}"
    login_db: shop
    ssl_mode: verify-full
  register: asked
"""

RETURN = r"""
findings:
  description: One for each check and subject, as P(groundcrew.ops.audit_report#module) takes them. The remedy is the next step.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.diagnose import diagnose_postgresql

SPEC = {
    "subject": {"type": "str", "required": True},
    "slow_seconds": {"type": "float", "default": 30.0},
    "max_latency_ms": {"type": "float", "default": 50.0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(CONNECTION, SPEC), supports_check_mode=True), diagnose_postgresql)


if __name__ == "__main__":
    main()
