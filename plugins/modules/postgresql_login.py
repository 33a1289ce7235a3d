#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_login
short_description: A database user that acts as an owner role
version_added: 0.1.0
description:
  - Two users that act as the same owner can take turns, so that a password changes while everything keeps working.
  - The owner is a role that cannot log in. The user is its member and becomes it at each login (C(ALTER ROLE ... SET role)), so what
    one user creates, the other one can use.
  - The server is sent a SCRAM-SHA-256 verifier, never the password, so its logs and statistics hold none.
  - Works for an administrator with CREATEROLE and CREATEDB who is no superuser, as managed databases give one.
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
    description: Predicts the change. It logs in as the user to compare the password.
    support: full
  diff_mode:
    description: Shows the user's attributes, never a password.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description:
      - The user.
    type: str
    required: true
  owner:
    description:
      - The role that the user acts as. It is created when it is missing, and made the owner of O(login_db).
    type: str
    required: true
  password:
    description:
      - The user's password, printable ASCII. Required for V(enabled).
      - For V(disabled) and V(retired) the login with it is seen refused.
    type: str
  state:
    description:
      - V(present) makes the user without changing whether it may log in; a new one may not.
      - V(enabled) lets it log in with O(password).
      - V(disabled) refuses its logins and ends its sessions, and can be undone.
      - V(retired) takes its password away as well.
      - V(disabled) and V(retired) do not create a user that is missing.
    type: str
    choices: [present, enabled, disabled, retired]
    default: present
"""

EXAMPLES = r"""
- name: Let the application's current user log in
  groundcrew.ops.postgresql_login:
    login_host: db.example.com
    login_port: 25060
    login_user: doadmin
    login_password: "{{ admin_password }}"
    login_db: shop
    name: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='username') }}"
    password: "{{ lookup('groundcrew.ops.secret', 'shop/database', field='password') }}"
    owner: shop
    state: enabled
"""

RETURN = r"""
login:
  description: The user as it is, or as it would be in check mode. Only O(name) and O(owner) when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: The user.
      type: str
    owner:
      description: The role it acts as.
      type: str
    login:
      description: Whether it may log in.
      type: bool
    accepted:
      description: Whether the login with O(password) was accepted.
      type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import connection
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.argspec import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.login import Login

SPEC = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "enabled", "disabled", "retired"], "default": "present"},
}


def make(params: Mapping[str, Any]) -> Login:
    return Login(connection.from_params(params), params["name"], params["owner"], params["state"], params["password"])


def main() -> None:
    spec = argspec.merge(CONNECTION, SPEC)
    run.converge(AnsibleModule(argument_spec=spec, required_if=[("state", "enabled", ["password"])], supports_check_mode=True), make)


if __name__ == "__main__":
    main()
