#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_login
short_description: A Redis or Valkey user that may log in, or may not
version_added: 0.1.0
description:
  - Two users with the same rules can take turns, so that a password changes while everything keeps working. A second password on one
    user would do as well, but nobody could tell whose sessions still use the first.
  - The server is sent the SHA-256 of the password, which is what it keeps, so neither its log nor C(MONITOR) shows one.
  - Rules are compared by what they come to (keys, channels, commands), because servers write them back in other words.
  - What is changed is kept over a restart of the server, in its ACL file or its configuration file.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.redis
requirements:
  - redis (Debian package python3-redis)
  - Redis 7 or later, or Valkey
notes:
  - Access control lists are not replicated, so a server with replicas is refused.
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.redis) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - groundcrew.ops.redis
  check_mode:
    description: Predicts the change.
    support: full
  diff_mode:
    description: Shows the user's state and rights, never a password.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description:
      - The user. It cannot be O(login_user).
    type: str
    required: true
  rules:
    description:
      - What the user may do, in the words of C(ACL SETUSER), for example V(~shop:* &* +@all -@dangerous).
      - They replace those it has. Without this option its rules are left as they are; a new user may do nothing.
    type: str
  password:
    description:
      - The user's password. Required for V(enabled), where it becomes the only one.
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
  groundcrew.ops.redis_login:
    login_host: cache.example.com
    login_user: default
    login_password: "{{ admin_password }}"
    name: "{{ lookup('groundcrew.ops.secret', 'shop/cache', field='username') }}"
    password: "{{ lookup('groundcrew.ops.secret', 'shop/cache', field='password') }}"
    rules: "~bull:* &* +@all -@dangerous +info"
    state: enabled
"""

RETURN = r"""
login:
  description: The user as it is, or as it would be in check mode. Only O(name) when it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: The user.
      type: str
    login:
      description: Whether it may log in.
      type: bool
    rights:
      description: What it may do, with O(rules).
      type: list
      elements: str
    accepted:
      description: Whether O(password) is the one it has, and the only one.
      type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.acl import AclUser

SPEC = {
    "name": {"type": "str", "required": True},
    "rules": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "enabled", "disabled", "retired"], "default": "present"},
}


def make(params: Mapping[str, Any]) -> AclUser:
    return AclUser(connection.from_params(params), params["name"], params["state"], params["password"], params["rules"])


def main() -> None:
    spec = argspec.merge(connection.SPEC, SPEC)
    run.converge(AnsibleModule(argument_spec=spec, required_if=[("state", "enabled", ["password"])], supports_check_mode=True), make)


if __name__ == "__main__":
    main()
