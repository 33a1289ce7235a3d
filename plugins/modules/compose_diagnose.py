#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_diagnose
short_description: Tell what is wrong with a Compose application on a host
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Compares what each slot runs, what the proxy does, what a restart of the proxy would do, what its configuration says, and what is
    remembered of the releases, and says what does not fit together. Changes nothing.
  - Looks whether containers were killed for want of memory, are started anew again and again, or run in the wrong mode, and how long an answer takes,
    through the proxy and directly.
  - Logs come from containers that failed, from workers that tell of errors, and from the last release that failed.
  - What cannot be read is a finding. Values of secrets are replaced wherever they stand.
extends_documentation_fragment:
  - groundcrew.ops.compose_release
  - groundcrew.ops.compose_release.traffic
attributes:
  check_mode:
    description: Changes nothing, with or without it.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
options:
  subject:
    description: What the verdicts call it, such as the host's name in the inventory. Its name by default.
    type: str
  proxy_config:
    description: HAProxy's configuration.
    type: path
    default: /etc/haproxy/haproxy.cfg
  journal_lines:
    description: How many of the newest journal entries to return.
    type: int
    default: 20
  log_lines:
    description: How many lines of each log to look at, and to return.
    type: int
    default: 50
  max_latency_ms:
    description:
      - How long the answer to the probe of O(health) may take, of each container asked directly; and how much longer through the proxy.
    type: float
    default: 500.0
  mode_variable:
    description:
      - The variable that tells one image whether it is a worker or a web server.
    type: str
    default: MODE
"""

EXAMPLES = r"""
- name: Ask what is wrong with the shop
  groundcrew.ops.compose_diagnose:
    name: shop
    slots: {a: 20000, b: 20100}
  register: shop

- name: Show it
  ansible.builtin.debug:
    var: shop.table
"""

RETURN = r"""
application:
  description: Everything that was seen.
  returned: success
  type: dict
  contains:
    findings:
      description: What is wrong, as sentences, those of a check together; empty when nothing is.
      type: list
      elements: str
    verdicts:
      description: One finding for each check, as P(groundcrew.ops.audit_report#module) takes them.
      type: list
      elements: dict
    active:
      description: The active release with its slot and replicas.
      type: dict
    pending:
      description: A release in progress, or interrupted.
      type: dict
    committed:
      description: Ids of the releases that a rollback can go to, oldest first.
      type: list
      elements: str
    slots:
      description: What was last started in each slot.
      type: dict
    containers:
      description: Each container with its slot, service, release, state, restarts, mode, and logs where it failed or tells of errors.
      type: list
      elements: dict
    proxy:
      description: Each server of the proxy with its state, the saved and the wanted one, its port and the configured one.
      type: dict
    serving:
      description: What answered through the proxy.
      type: dict
    latency_ms:
      description: After how many milliseconds the proxy, and each container asked directly, answered.
      type: dict
    journal:
      description: The newest entries of the journal, oldest first.
      type: list
      elements: dict
    last_failure:
      description: The last release that failed, in which state and why, and what its containers said.
      type: dict
table:
  description: The same for a person to read, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.run import inform
from ansible_collections.groundcrew.ops.plugins.module_utils._release.argspec import PLACE, TRAFFIC
from ansible_collections.groundcrew.ops.plugins.module_utils._release.diagnose import diagnose

SPEC = {
    "subject": {"type": "str"},
    "proxy_config": {"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
    "journal_lines": {"type": "int", "default": 20},
    "log_lines": {"type": "int", "default": 50},
    "max_latency_ms": {"type": "float", "default": 500.0},
    "mode_variable": {"type": "str", "default": "MODE"},
}


def main() -> None:
    inform(AnsibleModule(argument_spec=merge(PLACE, TRAFFIC, SPEC), supports_check_mode=True), diagnose)


if __name__ == "__main__":
    main()
