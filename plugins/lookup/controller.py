# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: controller
short_description: Name the process that runs the play
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Returns a name of this C(ansible-playbook) that no other process has had or will have, on this machine or another one.
  - A run that meets another one's lease uses it to tell, with P(groundcrew.ops.orphan#filter), whether that one can still go on.
options: {}
"""

EXAMPLES = r"""
- name: Remember who runs this
  ansible.builtin.set_fact:
    controller: "{{ lookup('groundcrew.ops.controller') }}"
"""

RETURN = r"""
_raw:
  description: One name; empty where the operating system has no C(/proc).
  type: list
  elements: str
"""

import multiprocessing
import os
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core.process import identity


class LookupModule(LookupBase):
    """The lookup, for Ansible."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        # Tasks are worked on in processes of their own.
        parent = multiprocessing.parent_process()
        return [identity((parent.pid if parent else None) or os.getpid())]
