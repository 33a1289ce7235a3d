#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_health
short_description: Tell what runs on a host, and wait until it is as well as it was before
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Returns which units have failed and which containers run. Changes nothing.
  - With O(before) it waits until the host is well, and fails after O(timeout) with every reason at once. It is well when systemd has started everything,
    no unit has failed that had not before, every container runs that ran before, and is healthy if it has a check and was not unhealthy before, and every
    address answers with 200.
  - A container that is gone counts as replaced when another of its service runs, which is told by the labels of the role P(groundcrew.ops.compose_app#role),
    or else by those of Compose. What runs a single command of a Compose file is left out.
  - Where Docker is installed and cannot be asked, it fails.
options:
  before:
    description:
      - What this module returned as RV(health) before.
    type: dict
  urls:
    description:
      - Addresses that have to answer with 200, asked from the host itself.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds within which the host has to be well.
    type: int
    default: 120
  validate_certs:
    description:
      - Check the certificates of O(urls).
    type: bool
    default: true
attributes:
  check_mode:
    description: Looks and waits as otherwise.
    support: full
  diff_mode:
    description: There is no difference.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
"""

EXAMPLES = r"""
- name: Look at what runs
  groundcrew.ops.host_health:
  register: was

- name: Start everything anew
  ansible.builtin.reboot:

- name: Wait until the host is as well as it was
  groundcrew.ops.host_health:
    before: "{{ was.health }}"
    urls: ["http://127.0.0.1/health/ready"]
"""

RETURN = r"""
health:
  description: What is now, to be given to a later task as O(before).
  returned: success
  type: dict
  contains:
    failed_units:
      description: Units that have failed.
      type: list
      elements: str
    containers:
      description: Containers that run, each with its name, its service and whether it was well.
      type: list
      elements: dict
reasons:
  description: Why the host is not well.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._host.health import prove

SPEC = {
    "before": {"type": "dict"},
    "urls": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 120},
    "validate_certs": {"type": "bool", "default": True},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), prove)


if __name__ == "__main__":
    main()
