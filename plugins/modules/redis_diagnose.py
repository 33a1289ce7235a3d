#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_diagnose
short_description: Tell why a Redis or Valkey server cannot be reached, or why jobs are not worked on
version_added: 0.1.0
description:
  - Goes the way of a connection, one step after the other - name, route, trusted sources, port, TLS, credentials - and then looks at writes, memory,
    connections, the time of an answer and, for each of O(queues), whether it is paused, workers are there, jobs are stalled, wait long or take long.
    Changes nothing.
  - Runs on the host that should reach the server. No value is shown.
  - What cannot be read, or is not looked at because the step before it is wrong, is V(unknown). Nothing fails the task; P(groundcrew.ops.audit_report#module)
    weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.redis
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
attributes:
  action_group:
    description: Use C(group/groundcrew.ops.redis) in C(module_defaults) to give the credentials once.
    support: full
    membership:
      - groundcrew.ops.redis
options:
  queues:
    description:
      - Names of BullMQ's queues.
    type: list
    elements: str
    default: []
  queue_prefix:
    description:
      - What BullMQ's keys begin with.
    type: str
    default: bull
  max_latency_ms:
    description:
      - How long an answer may take.
    type: float
    default: 50.0
  max_wait_seconds:
    description:
      - How long a job may wait.
    type: float
    default: 60.0
  max_job_seconds:
    description:
      - How long a worker may take for a job, by the middle of the last ones that are done, and for each that is worked on.
    type: float
    default: 300.0
"""

EXAMPLES = r"""
- name: Ask why nobody sends the mails
  groundcrew.ops.redis_diagnose:
    subject: "{{ inventory_hostname }}"
    login_host: cache.example.com
    login_password: "{{ cache_password }}"
    queues: [mails]
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

from ansible_collections.groundcrew.ops.plugins.module_utils._core import argspec, run
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.diagnose import diagnose_redis

SPEC = {
    "subject": {"type": "str", "required": True},
    "queues": {"type": "list", "elements": "str", "default": []},
    "queue_prefix": {"type": "str", "default": "bull"},
    "max_latency_ms": {"type": "float", "default": 50.0},
    "max_wait_seconds": {"type": "float", "default": 60.0},
    "max_job_seconds": {"type": "float", "default": 300.0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=argspec.merge(connection.SPEC, SPEC), supports_check_mode=True), diagnose_redis)


if __name__ == "__main__":
    main()
