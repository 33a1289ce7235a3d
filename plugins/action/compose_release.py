# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the state that a release is in while M(groundcrew.ops.compose_release) works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import place
from ansible_collections.groundcrew.ops.plugins.plugin_utils.told_action import ToldAction


class ActionModule(ToldAction):
    def file(self, options: Mapping[str, Any]) -> str | None:
        return f"{place(options)}/state.json" if "name" in options else None

    def words(self, document: Mapping[str, Any]) -> str:
        return str((document["pending"] or {}).get("state", ""))
