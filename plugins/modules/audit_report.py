#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Weigh the findings of audits
version_added: 0.1.0
description:
  - Takes the findings of one or many audits, forgives what somebody answers for, puts them into order, says which of them make the audit fail, and renders
    them for people and machines. Changes nothing and asks nobody.
  - The same finding from two tasks counts once. Two different answers to one check about one subject are an error.
  - An expired waiver forgives nothing; the failure says whose it was.
  - A check that could not look is V(unknown), never V(pass), and counts as a failure of its severity (O(unknown_fails)). A check that nothing was declared for
    is V(unjudged), which counts as nothing.
author:
  - groundcrew.ops contributors (@groundcrew)
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  findings:
    description:
      - The findings, each a dictionary with the texts C(id), C(severity), C(subject), C(verdict), C(evidence) and C(remedy); C(title) and C(waiver) are
        optional. What RV(findings) returns may be given again.
    type: list
    elements: dict
    required: true
  unanswered:
    description:
      - What did not answer at all, such as a host that could not be reached. Each is a failure of its own, C(audit.answered).
    type: list
    elements: str
    default: []
  title:
    description:
      - What the report is called.
    type: str
    default: Audit
  waivers:
    description:
      - What is wrong, or cannot be looked at, and somebody answers for.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description:
          - The check; a pattern as of a shell, such as V(droplet.*).
        type: str
        required: true
      subject:
        description:
          - What is forgiven; a pattern as of a shell.
        type: str
        default: "*"
      owner:
        description:
          - Who answers for it.
        type: str
        required: true
      expires:
        description:
          - The last day on which it holds, such as V(2027-01-31).
        type: str
        required: true
      reason:
        description:
          - Why it is acceptable until then.
        type: str
        required: true
  fail_on:
    description:
      - The least severity of a failure that makes the audit fail.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: high
  unknown_fails:
    description:
      - Whether what could not be looked at counts as a failure. Otherwise an audit that was let in nowhere is green.
    type: bool
    default: true
  formats:
    description:
      - What to render. V(table) is for a terminal, V(html) for a browser, V(sarif) and V(junit) for CI.
    type: list
    elements: str
    choices: [table, json, sarif, junit, html]
    default: []
"""

EXAMPLES = r"""
- name: Weigh what every host and every cloud object was found to be
  groundcrew.ops.audit_report:
    findings: "{{ droplet_result.findings + managed_database_result.findings }}"
    waivers:
      - {id: managed_database.standby, subject: shop-cache, owner: ann@example.com, expires: "2027-01-31", reason: The cache can be filled anew.}
    formats: [table, sarif]
  register: audit
"""

RETURN = r"""
findings:
  description: All findings, those that need attention first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The check; it stays the same for good.
      type: str
    title:
      description: What the check asks for.
      type: str
    severity:
      description: V(info), V(low), V(medium), V(high) or V(critical).
      type: str
    subject:
      description: What was looked at.
      type: str
    verdict:
      description: V(pass), V(fail), V(unknown) or V(unjudged).
      type: str
    evidence:
      description: What was seen.
      type: str
    remedy:
      description: What to do about a failure.
      type: str
    waived:
      description: Whether somebody answers for the failure.
      type: bool
    waiver:
      description: Who does, until when and why; null when nobody ever did.
      type: dict
failing:
  description: The findings that make the audit fail.
  returned: success
  type: list
  elements: dict
summary:
  description: How many findings there are of each kind.
  returned: success
  type: dict
  sample: {pass: 20, fail: 1, unknown: 2, unjudged: 1, waived: 1, failing: 3}
rendered:
  description: The report in each of O(formats).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.report import weigh
from ansible_collections.groundcrew.ops.plugins.module_utils._core import run

WAIVER = {
    "id": {"type": "str", "required": True},
    "subject": {"type": "str", "default": "*"},
    "owner": {"type": "str", "required": True},
    "expires": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
}
SPEC = {
    "findings": {"type": "list", "elements": "dict", "required": True},
    "unanswered": {"type": "list", "elements": "str", "default": []},
    "title": {"type": "str", "default": "Audit"},
    "waivers": {"type": "list", "elements": "dict", "default": [], "options": WAIVER},
    "fail_on": {"type": "str", "choices": ["info", "low", "medium", "high", "critical", "never"], "default": "high"},
    "unknown_fails": {"type": "bool", "default": True},
    "formats": {"type": "list", "elements": "str", "choices": ["table", "json", "sarif", "junit", "html"], "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    run.inform(module, weigh)


if __name__ == "__main__":
    main()
