#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_member
short_description: Take a server out of an HAProxy, and put it in again
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - With O(state=absent) the server gets no new requests, and the module waits until those under way have ended.
  - With O(state=present) it is put in again, and the module waits until HAProxy's own check finds it well.
  - Works on the runtime socket of the machine that HAProxy runs on. The configuration stays as it is, so a restart of HAProxy forgets it.
options:
  backend:
    description:
      - The backend.
    type: str
    required: true
  server:
    description:
      - The server in it.
    type: str
    required: true
  state:
    description:
      - Whether the server takes requests.
    type: str
    choices: [present, absent]
    default: present
  remaining:
    description:
      - How many other servers have to answer. With fewer, the server is not taken out.
    type: int
    default: 1
  timeout:
    description:
      - Seconds to wait until requests have ended, or until the server is well. When they are over the task fails, and a server that was to be taken out
        stays drained.
    type: int
    default: 60
  socket:
    description:
      - HAProxy's runtime socket, with the level C(admin).
    type: path
    default: /run/haproxy/admin.sock
attributes:
  check_mode:
    description: Says whether the place would change.
    support: full
  diff_mode:
    description: Shows the place before and after.
    support: full
  idempotent:
    description: Changes nothing when the server has its place already.
    support: full
"""

EXAMPLES = r"""
- name: Take this host out before work on it
  groundcrew.ops.haproxy_member:
    backend: shop
    server: "{{ inventory_hostname }}"
    state: absent
  delegate_to: balancer-1

- name: Put it in again
  groundcrew.ops.haproxy_member:
    backend: shop
    server: "{{ inventory_hostname }}"
  delegate_to: balancer-1
"""

RETURN = r"""
haproxy_member:
  description: The server's place.
  returned: success
  type: dict
  contains:
    backend:
      description: The backend.
      type: str
    server:
      description: The server.
      type: str
    member:
      description: Whether it takes requests.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import converge
from ansible_collections.groundcrew.ops.plugins.module_utils._release.member import Member

SPEC = {
    "backend": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "remaining": {"type": "int", "default": 1},
    "timeout": {"type": "int", "default": 60},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
}


def main() -> None:
    converge(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), Member)


if __name__ == "__main__":
    main()
