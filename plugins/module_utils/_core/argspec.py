# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications that are put together, each documented by the fragment of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

Spec = dict[str, dict[str, Any]]


def merge(*specs: Mapping[str, Any]) -> Spec:
    """Put specifications together; a name that two of them give is a defect."""
    merged: Spec = {}
    for spec in specs:
        for name, option in spec.items():
            if name in merged:
                raise ValueError(f"option {name} is specified twice")
            merged[name] = dict(option)
    return merged


def from_env(*names: str) -> tuple[Any, list[str]]:
    """The ``fallback`` of an option that may come from the environment: the first of the names that is set."""
    return env_fallback, list(names)
