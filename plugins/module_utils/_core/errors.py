# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that everything below a module raises."""

from __future__ import annotations

from typing import Any


class OpsError(Exception):
    """An operation failed for a reason an operator can act on.

    message: what was attempted, on what, what came back, and what to do next, in one or two sentences.
    details: structured facts for the result of the task (never a secret).
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
