# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: answers
short_description: Collect what roles found on all hosts
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Looks for facts that hold findings, and tells which of those that are expected are not there.
positional: expected
options:
  _input:
    description: The variable C(hostvars).
    type: dict
    required: true
  expected:
    description:
      - The facts that have to be there, each with C(hosts) and C(fact).
      - C(given) is the variable that hosts have which have the fact, when it is not all of them. C(key) is where in the fact the findings are, C(findings)
        by default.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
# Who did not answer
- ansible.builtin.debug:
    msg: "{{ hostvars | groundcrew.ops.answers([{'hosts': groups['app'], 'fact': 'host_result'}]) | rejectattr('answered') | map(attribute='subject') }}"
"""

RETURN = r"""
_value:
  description: For each fact C(subject), the host and the fact; C(answered), whether it is there; and C(findings).
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def answers(hostvars: Mapping[str, Any], expected: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Findings by host and fact."""
    return list(_answers(hostvars, expected))


def _answers(hostvars: Mapping[str, Any], expected: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in expected:
        for host in each["hosts"]:
            there = hostvars.get(host, {})
            if not each.get("given") or each["given"] in there:
                told = there.get(each["fact"])
                key = each.get("key") or "findings"
                answered = isinstance(told, Mapping) and key in told
                yield {"subject": f"{host} {each['fact']}", "answered": answered, "findings": list(told[key]) if answered else []}


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, Any]]]]:
        return {"answers": answers}
