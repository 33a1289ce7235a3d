# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Divide hosts into batches
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Divides a list into batches of the given sizes, in its order. The last size is used until nothing is left.
positional: sizes
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  sizes:
    description: How many are in each batch, as a number or as a percentage of all, at least one.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
# One host as a canary, then a quarter of all, then the rest
- ansible.builtin.debug:
    msg: "{{ ansible_play_batch | groundcrew.ops.batches([1, '25%', '100%']) }}"
"""

RETURN = r"""
_value:
  description: The batches.
  type: list
  elements: list
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def batches(hosts: Sequence[str], sizes: Sequence[Any]) -> list[list[str]]:
    """Divide hosts into batches."""
    counts = [_count(size, len(hosts)) for size in sizes]
    if not counts:
        raise AnsibleFilterError("batches needs at least one size, such as [1, '100%'].")
    left = list(hosts)
    found: list[list[str]] = []
    while left:
        count = counts[min(len(found), len(counts) - 1)]
        found.append(left[:count])
        left = left[count:]
    return found


def _count(size: Any, total: int) -> int:
    text = str(size).strip()
    number, percent = text.removesuffix("%"), text.endswith("%")
    if not number.isdigit() or int(number) < 1:
        raise AnsibleFilterError(f"{size!r} is not the size of a batch: give a number from 1 on, or a percentage such as '25%'.")
    return max(total * int(number) // 100, 1) if percent else int(number)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[..., list[list[str]]]]:
        return {"batches": batches}
