#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_units
short_description: Have a set of services and timers of systemd
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Brings all services and timers of one owner into their declared state at once, whatever their number, so a host is asked once for all of them.
  - Files are verified with C(systemd-analyze verify) before the first one is written. One that systemd refuses leaves everything as it was.
  - Units of the owner that are not declared are removed; timers, and services that are enabled at boot, are stopped before.
    Units without the owner's mark are not touched; one that has a declared name is an error.
  - Can be killed at any point, and the next run finishes the work. What is active by a file from before is started again.
options:
  prefix:
    description:
      - What the names of all the owner's units begin with.
    type: str
    required: true
  mark:
    description:
      - A line, such as a comment, that each file has and by which its owner knows it again.
    type: str
    required: true
  units:
    description:
      - The units.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Its name with its kind, such as C(shop-report.timer).
        type: str
        required: true
      content:
        description:
          - The whole file.
        type: str
        required: true
      started:
        description:
          - Whether it is active and enabled at boot. It is started again when its file has changed.
          - One that is not is left to whatever starts it.
        type: bool
        default: false
  exclusive:
    description:
      - Whether units of the owner that are not declared are removed.
    type: bool
    default: true
  path:
    description:
      - The folder of the files.
    type: path
    default: /etc/systemd/system
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the lines of the files, and what is active and enabled.
    support: full
  idempotent:
    description: Changes nothing where files, systemd's view of them and what is started are as declared.
    support: full
"""

EXAMPLES = r"""
- name: Report each night
  groundcrew.ops.systemd_units:
    prefix: shop-
    mark: "# Managed by the shop's playbook"
    units:
      - name: shop-report.service
        content: |
          # Managed by the shop's playbook
          [Service]
          Type=oneshot
          ExecStart=/usr/local/bin/shop-report
      - name: shop-report.timer
        content: |
          # Managed by the shop's playbook
          [Timer]
          OnCalendar=*-*-* 02:00
          [Install]
          WantedBy=timers.target
        started: true
"""

RETURN = r"""
units:
  description: The names of the owner's units.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import converge
from ansible_collections.groundcrew.ops.plugins.module_utils._host.units import FOLDER, Units

UNIT = {
    "name": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "started": {"type": "bool", "default": False},
}
SPEC = {
    "prefix": {"type": "str", "required": True},
    "mark": {"type": "str", "required": True},
    "units": {"type": "list", "elements": "dict", "required": True, "options": UNIT},
    "exclusive": {"type": "bool", "default": True},
    "path": {"type": "path", "default": FOLDER},
}


def main() -> None:
    converge(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), Units)


if __name__ == "__main__":
    main()
