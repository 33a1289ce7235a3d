#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_login_info
short_description: Prove what a database user can do
version_added: 0.1.0
description:
  - Logs in as the user, sees a wrong password refused, counts its sessions, and compares its rights with those of another user.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.postgresql
requirements:
  - psycopg2 (Debian package python3-psycopg2)
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.postgresql) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - groundcrew.ops.postgresql
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  name:
    description:
      - The user.
    type: str
    required: true
  password:
    description:
      - The password to log in with. Without it no login is tried.
    type: str
  compare_with:
    description:
      - Another user, which should have the same rights.
    type: str
"""

EXAMPLES = r"""
- name: See the application's login work from this host
  groundcrew.ops.postgresql_login_info:
    login_host: db.example.com
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop
    name: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='username') }}"
    password: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='password') }}"
  register: login
  failed_when: not login.login.accepted
"""

RETURN = r"""
login:
  description: What was seen.
  returned: success
  type: dict
  contains:
    name:
      description: The user.
      type: str
    exists:
      description: Whether there is such a role.
      type: bool
    login:
      description: Whether the role may log in.
      type: bool
    accepted:
      description: Whether O(password) was accepted, null without one.
      type: bool
    wrong_refused:
      description: Whether a wrong password was refused, null without O(password).
      type: bool
    effective_user:
      description: As whom the user acts after its login, null when there was none.
      type: str
    sessions:
      description: How many sessions of the user are open.
      type: int
    differences:
      description: Rights that only one of O(name) and O(compare_with) has.
      type: list
      elements: str
    may_create_logins:
      description: Whether O(login_user) has CREATEROLE.
      type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import connection
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.login import look

SPEC = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "compare_with": {"type": "str"},
}


def read(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"login": look(connection.from_params(params), params["name"], params["password"], params["compare_with"])}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(CONNECTION, SPEC), supports_check_mode=True), read)


if __name__ == "__main__":
    main()
