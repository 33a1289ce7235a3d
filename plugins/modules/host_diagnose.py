#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_diagnose
short_description: Tell why a host is slow, full, or does not do its work
version_added: 0.1.0
description:
  - Looks at file systems, inodes, memory, what was killed for want of it, failed units with the last thing that they said, services that are started anew
    again and again, the load, and open files. Changes nothing. Needs root.
  - Memory and open files are those of the host, and of control groups and processes that have a limit of their own.
  - Arguments of processes are not shown, and what looks like a secret is replaced.
  - What cannot be read, or is not looked at because the step before it is wrong, is V(unknown). Nothing fails the task; P(groundcrew.ops.audit_report#module)
    weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
options:
  max_percent:
    description:
      - How full a file system may be, and how many of its inodes may be used.
    type: int
    default: 90
  min_memory_percent:
    description:
      - How much of the memory has to be left.
    type: int
    default: 5
  max_load:
    description:
      - How high the load of five minutes may be, for each processor.
    type: float
    default: 2.0
  min_days:
    description:
      - How many days have to pass until a file system is out of room or inodes, as the samples tell that the preset C(disk-forecast) of
        P(groundcrew.ops.maintenance#role) takes. V(unknown) without samples.
    type: float
    default: 14.0
"""

EXAMPLES = r"""
- name: Ask what is wrong with the host
  groundcrew.ops.host_diagnose:
    subject: "{{ inventory_hostname }}"
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

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._host.diagnose import diagnose_host

SPEC = {
    "subject": {"type": "str", "required": True},
    "max_percent": {"type": "int", "default": 90},
    "min_memory_percent": {"type": "int", "default": 5},
    "max_load": {"type": "float", "default": 2.0},
    "min_days": {"type": "float", "default": 14.0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), diagnose_host)


if __name__ == "__main__":
    main()
