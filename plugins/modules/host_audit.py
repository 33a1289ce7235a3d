#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_audit
short_description: Check a host against the security checklists
version_added: 0.1.0
description:
  - Reads on the host how SSH, accounts, sudo, the firewall, listening ports, updates, the clock, disks, files, the kernel, the journal and certificates
    are, and judges it. Changes nothing. Needs root.
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
options:
  now:
    description:
      - The time of the control node, in seconds since the epoch, which the host's clock is compared with.
    type: float
    required: true
  users:
    description:
      - The accounts that are declared to log in. Without it, undeclared ones cannot be told.
    type: list
    elements: str
  sudoers:
    description:
      - Who is declared to become root without a password; a group as C(%name).
    type: list
    elements: str
  ports:
    description:
      - The ports that are declared to be open, such as C(tcp/22).
    type: list
    elements: str
  firewall_allow:
    description:
      - What the firewall lets in, as a list of C(ports) with their C(protocol), which is C(tcp) by default. It may be listened on as well.
    type: list
    elements: dict
    default: []
  firewall:
    description:
      - The rules of the firewall that are declared, as nft reads them. Without it, changed ones cannot be told.
    type: str
  sysctl:
    description:
      - The kernel parameters that are declared, with their values.
    type: dict
  certificates:
    description:
      - Files with certificates whose end is looked at.
    type: list
    elements: path
    default: []
  max_percent:
    description:
      - How full a file system may be.
    type: int
    default: 85
  max_lists_days:
    description:
      - How old the lists of packages may be.
    type: float
    default: 3.0
  max_skew_seconds:
    description:
      - How far the clocks may be apart. The time that a task takes to begin is part of it.
    type: float
    default: 30.0
  min_certificate_days:
    description:
      - How long a certificate has to be valid yet.
    type: float
    default: 21.0
"""

EXAMPLES = r"""
- name: Check the host
  groundcrew.ops.host_audit:
    subject: "{{ inventory_hostname }}"
    now: "{{ '%s' | strftime }}"
    users: [olive]
    sudoers: [olive]
    ports: [tcp/22, tcp/80]
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
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_facts import audit_host

SPEC = {
    "subject": {"type": "str", "required": True},
    "now": {"type": "float", "required": True},
    "users": {"type": "list", "elements": "str"},
    "sudoers": {"type": "list", "elements": "str"},
    "ports": {"type": "list", "elements": "str"},
    "firewall_allow": {"type": "list", "elements": "dict", "default": []},
    "firewall": {"type": "str"},
    "sysctl": {"type": "dict"},
    "certificates": {"type": "list", "elements": "path", "default": []},
    "max_percent": {"type": "int", "default": 85},
    "max_lists_days": {"type": "float", "default": 3.0},
    "max_skew_seconds": {"type": "float", "default": 30.0},
    "min_certificate_days": {"type": "float", "default": 21.0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), audit_host)


if __name__ == "__main__":
    main()
