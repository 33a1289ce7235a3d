# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells how far a backup is while M(groundcrew.ops.postgresql_backup) works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.progress import described
from ansible_collections.groundcrew.ops.plugins.plugin_utils.told_action import ToldAction


class ActionModule(ToldAction):
    every = 15.0

    def file(self, options: Mapping[str, Any]) -> str | None:
        file: str | None = options.get("progress_file")
        return file

    def words(self, document: Mapping[str, Any]) -> str:
        return described(document)
