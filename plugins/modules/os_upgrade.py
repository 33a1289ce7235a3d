#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: os_upgrade
short_description: Install pending security upgrades, and say whether a reboot is needed
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Runs Debian's C(unattended-upgrade) now. What counts as a security upgrade, and which packages are left out, is in its configuration, which the
    role P(groundcrew.ops.host#role) writes.
  - A reboot is needed when C(/run/reboot-required) is there or, where needrestart is installed, when a newer kernel than the running one is, or when
    services run on with libraries from before an upgrade. This module never reboots, and restarts nothing.
  - An upgrade that leaves something pending is an error.
options:
  timeout:
    description:
      - Seconds that the upgrade may take.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Names what would be upgraded. Whether a reboot will be needed is foreseen for kernels only.
    support: full
  diff_mode:
    description: Shows what is pending.
    support: full
  idempotent:
    description: Changes nothing when nothing is pending.
    support: full
"""

EXAMPLES = r"""
- name: Install security upgrades
  groundcrew.ops.os_upgrade:
  register: upgrade

- name: Reboot if needed
  ansible.builtin.reboot:
  when: upgrade.reboot_required
"""

RETURN = r"""
packages:
  description: What was upgraded, or would be in check mode.
  returned: success
  type: list
  elements: str
reboot_required:
  description: Whether the host has to start anew before all of it is in force.
  returned: success
  type: bool
reboot_reasons:
  description: Why.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._host.upgrades import Upgrade


def main() -> None:
    perform(AnsibleModule(argument_spec={"timeout": {"type": "int", "default": 3600}}, supports_check_mode=True), Upgrade)


if __name__ == "__main__":
    main()
