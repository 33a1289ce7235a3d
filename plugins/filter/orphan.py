# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: orphan
short_description: Tell whether the run that holds a lease lost its controller
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Returns the run that holds a lease when the C(ansible-playbook) that made its calls ran on this machine and is provably gone; nothing otherwise.
options:
  _input:
    description: The lease, as RV(groundcrew.ops.compose_release_info#module:lease) tells it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say whose work is left
  ansible.builtin.debug:
    msg: "{{ remembered.lease | groundcrew.ops.orphan }}"
"""

RETURN = r"""
_value:
  description: The run's name, or an empty text.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.process import gone


def orphan(lease: Mapping[str, Any]) -> str:
    """The run that nobody will carry on."""
    return str(lease.get("run", "")) if gone(str(lease.get("controller", ""))) else ""


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[[Mapping[str, Any]], str]]:
        return {"orphan": orphan}
