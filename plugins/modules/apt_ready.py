#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_ready
short_description: Make apt ready for work
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Refuses, with the numbers, when there is too little room for packages, before anything is installed.
  - Waits for the locks of apt and dpkg, for a bounded time, and says which process holds them when the time is over.
  - Finishes what a dpkg that was interrupted has left half done. Configuration files that were changed on the host stay.
options:
  lock_timeout:
    description:
      - Seconds to wait for the locks at the most.
    type: int
    default: 300
  minimum_free_mib:
    description:
      - MiB that must be free where packages are written.
    type: int
    default: 200
attributes:
  check_mode:
    description: Waits, and says whether dpkg would be repaired.
    support: full
  diff_mode:
    description: Shows what dpkg has to finish.
    support: full
  idempotent:
    description: Changes nothing when dpkg was not interrupted.
    support: full
"""

EXAMPLES = r"""
- name: Make apt ready
  groundcrew.ops.apt_ready:
    lock_timeout: 120
"""

RETURN = r"""
repaired:
  description: What dpkg had to finish; empty when it was not interrupted.
  returned: success
  type: str
waited:
  description: Seconds that were spent waiting for locks.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import perform
from ansible_collections.groundcrew.ops.plugins.module_utils._host.packages import Ready


def main() -> None:
    spec = {"lock_timeout": {"type": "int", "default": 300}, "minimum_free_mib": {"type": "int", "default": 200}}
    perform(AnsibleModule(argument_spec=spec, supports_check_mode=True), Ready)


if __name__ == "__main__":
    main()
