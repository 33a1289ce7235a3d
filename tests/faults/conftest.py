# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on real hosts happen in the cloud of the integration tests."""

from __future__ import annotations

from tests.faults.backup_world import world
from tests.integration.conftest import cloud, host

__all__ = ["cloud", "host", "world"]
