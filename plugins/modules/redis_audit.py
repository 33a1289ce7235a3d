#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_audit
short_description: Check a Redis or Valkey server against the security checklists
version_added: 0.1.0
description:
  - Reads users, the port without TLS, memory, persistence and the version, and judges them. Changes nothing. What O(login_user) may not read is
    V(unknown).
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.redis
  - groundcrew.ops.audit
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.redis) in C(module_defaults) to give the credentials once.
    support: full
    membership:
      - groundcrew.ops.redis
options:
  subject:
    description:
      - What the findings call it. The server's address by default.
    type: str
  admins:
    description:
      - The users that are declared to command the server.
    type: list
    elements: str
    default: [default]
"""

EXAMPLES = r"""
- name: Check the cache
  groundcrew.ops.redis_audit:
    login_host: cache.example.com
    login_password: "{{ admin_password }}"
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
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.audit import audit_redis

SPEC = {
    "subject": {"type": "str"},
    "admins": {"type": "list", "elements": "str", "default": ["default"]},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(connection.SPEC, SPEC), supports_check_mode=True), audit_redis)


if __name__ == "__main__":
    main()
