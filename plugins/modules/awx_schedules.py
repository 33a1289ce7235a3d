#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_schedules
short_description: Run playbooks by schedules of AWX, with calendars as systemd has them
version_added: 0.1.0
description:
  - Brings the job templates and schedules of one owner into the declared state, all of them at once. What it made carries a mark in its description;
    of that, what is no longer declared is removed. What belongs to somebody else is never touched, and is an error where it is in the way.
  - A calendar is an expression of C(OnCalendar=) and becomes a rule of RFC 5545; AWX is asked whether it takes a new one before anything is changed.
author:
  - groundcrew.ops contributors (@groundcrew)
attributes:
  check_mode:
    description: Says what would be done and changes nothing.
    support: full
  diff_mode:
    description: Shows templates and schedules before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  controller_host:
    description:
      - Address of AWX. Falls back to E(CONTROLLER_HOST), then E(TOWER_HOST).
    type: str
  controller_oauthtoken:
    description:
      - A token of AWX with the scope write. Falls back to E(CONTROLLER_OAUTH_TOKEN), then E(TOWER_OAUTH_TOKEN).
    type: str
  controller_username:
    description:
      - The user, where there is no token. Falls back to E(CONTROLLER_USERNAME), then E(TOWER_USERNAME).
    type: str
  controller_password:
    description:
      - The user's password. Falls back to E(CONTROLLER_PASSWORD), then E(TOWER_PASSWORD).
    type: str
  validate_certs:
    description:
      - Check the certificate of AWX. Falls back to E(CONTROLLER_VERIFY_SSL), then E(TOWER_VERIFY_SSL).
    type: bool
    default: true
  owner:
    description:
      - Whose templates these are. It is in their mark and begins their names.
    type: str
    required: true
  organization:
    description:
      - The organization of project and inventory.
    type: str
    required: true
  project:
    description:
      - The project that has the playbooks. Required with O(state=present), as O(inventory) is.
    type: str
  inventory:
    description:
      - The inventory that they run on.
    type: str
  credentials:
    description:
      - Names of the credentials that they run with.
    type: list
    elements: str
    default: []
  execution_environment:
    description:
      - Name of the execution environment. AWX chooses without it.
    type: str
  timezone:
    description:
      - The time zone of calendars that name none.
    type: str
    default: UTC
  templates:
    description:
      - The job templates. Their names begin with O(owner).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name, which is unique here.
        type: str
        required: true
      playbook:
        description: The playbook's file in the project.
        type: str
        required: true
      limit:
        description: The hosts that it is limited to. All without it.
        type: str
        default: ''
      extra_vars:
        description: Its variables. Not for secrets.
        type: dict
        default: {}
      schedules:
        description: When it runs.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The name, which is unique in the template.
            type: str
            required: true
          description:
            description: What it does.
            type: str
            default: ''
          calendar:
            description: When it runs, as in C(OnCalendar=) of C(systemd.timer(5)). It names no years and no fractions of seconds.
            type: str
            required: true
          extra_vars:
            description: Variables of this schedule. Not for secrets.
            type: dict
            default: {}
          enabled:
            description: Whether AWX runs it.
            type: bool
            default: true
  exclusive:
    description:
      - Whether this is all that the owner has. What carries the owner's mark and is not declared is removed then.
      - Otherwise what is there stays as it is, also where it is declared otherwise, which RV(kept) says; what is missing is made.
    type: bool
    default: true
  state:
    description:
      - V(absent) removes everything with the owner's mark.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Run it on the control node (C(delegate_to=localhost)); nothing has to be installed for it.
"""

EXAMPLES = r"""
- name: Patch and audit by AWX
  groundcrew.ops.awx_schedules:
    owner: groundcrew production
    organization: Shop
    project: operations
    inventory: production
    credentials: [hosts]
    templates:
      - name: patch
        playbook: playbooks/patch.yml
        schedules:
          - {name: monthly, calendar: "Wed *-*-08..14 07:00"}
  delegate_to: localhost
"""

RETURN = r"""
kept:
  description: What stays as it is, though it is declared otherwise, since this is not all that the owner has.
  returned: success
  type: list
  elements: str
schedules:
  description: The owner's schedules.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The names of template and schedule.
      type: str
    rrule:
      description: The rule.
      type: str
    enabled:
      description: Whether AWX runs it.
      type: bool
    next_run:
      description: When AWX runs it next; null when it does not, and for one that is not made yet.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._awx.client import CONNECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._awx.schedules import schedules
from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge

SCHEDULE = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "calendar": {"type": "str", "required": True},
    "extra_vars": {"type": "dict", "default": {}},
    "enabled": {"type": "bool", "default": True},
}
TEMPLATE = {
    "name": {"type": "str", "required": True},
    "playbook": {"type": "str", "required": True},
    "limit": {"type": "str", "default": ""},
    "extra_vars": {"type": "dict", "default": {}},
    "schedules": {"type": "list", "elements": "dict", "default": [], "options": SCHEDULE},
}
SPEC = {
    "owner": {"type": "str", "required": True},
    "organization": {"type": "str", "required": True},
    "project": {"type": "str"},
    "inventory": {"type": "str"},
    "credentials": {"type": "list", "elements": "str", "default": []},
    "execution_environment": {"type": "str"},
    "timezone": {"type": "str", "default": "UTC"},
    "templates": {"type": "list", "elements": "dict", "default": [], "options": TEMPLATE},
    "exclusive": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, SPEC),
        supports_check_mode=True,
        required_if=[("state", "present", ["project", "inventory"])],
    )
    run.converge(module, schedules)


if __name__ == "__main__":
    main()
