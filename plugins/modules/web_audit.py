#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: web_audit
short_description: Check what a service answers against the security checklists
version_added: 0.1.0
description:
  - Asks a service over HTTP or HTTPS as anybody could, and judges TLS, the certificate, headers, cookies, CORS, what it shows of itself, its health and,
    where allowed, its rate limit. Changes nothing but the service's counters.
  - What cannot be read is V(unknown), never V(pass); what nothing was declared for is V(unjudged). A failed check does not fail the task;
    P(groundcrew.ops.audit_report#module) weighs the findings.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.audit
  - groundcrew.ops.audit.subject
options:
  url:
    description:
      - The address, such as C(https://shop.example.com).
    type: str
    required: true
  host:
    description:
      - The name to ask for, where the address is another one, such as C(127.0.0.1) for a proxy on the host.
    type: str
  ca_cert:
    description:
      - The file with the certificate authority. The system's authorities by default.
    type: path
  path:
    description:
      - The path whose headers are judged.
    type: str
    default: /
  health_paths:
    description:
      - Paths that have to answer 2xx.
    type: list
    elements: str
    default: [/health/live, /health/ready, /health/status]
  min_certificate_days:
    description:
      - How long the certificate has to be valid yet.
    type: float
    default: 21.0
  rate_limit_path:
    description:
      - The path that is asked again and again. O(path) by default.
    type: str
  rate_limit_requests:
    description:
      - How many requests may be sent until one has to be answered with 429, at most 1000. V(0) sends none, and the check is V(unknown).
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Check what the shop answers
  groundcrew.ops.web_audit:
    subject: shop
    url: https://shop.example.com
    rate_limit_requests: 200
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
from ansible_collections.groundcrew.ops.plugins.module_utils._web.audit_facts import audit_web

SPEC = {
    "subject": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "host": {"type": "str"},
    "ca_cert": {"type": "path"},
    "path": {"type": "str", "default": "/"},
    "health_paths": {"type": "list", "elements": "str", "default": ["/health/live", "/health/ready", "/health/status"]},
    "min_certificate_days": {"type": "float", "default": 21.0},
    "rate_limit_path": {"type": "str"},
    "rate_limit_requests": {"type": "int", "default": 0},
}


def main() -> None:
    run.inform(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), audit_web)


if __name__ == "__main__":
    main()
