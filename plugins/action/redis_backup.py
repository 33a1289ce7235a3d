# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells how far a backup is while M(groundcrew.ops.redis_backup) works."""

from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.action.postgresql_backup import ActionModule

__all__ = ("ActionModule",)
