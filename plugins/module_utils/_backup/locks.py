# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks that a store itself puts on objects (S3 object lock)."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import ADVICE, S3Settings, make_client
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import explained
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock


class Locks:
    """A versioned bucket answers the removal of a locked object with a success, and only hides it: so it is asked before."""

    def __init__(self, settings: S3Settings, client: Any = None, clock: Clock | None = None) -> None:
        self._settings = settings
        self._client = client or make_client(settings)
        self._clock = clock or Clock()

    def until(self, key: str) -> str | None:
        """What keeps an object from being removed, None when nothing does."""
        with explained(f"Cannot read the lock of {key} in bucket {self._settings.bucket} at {self._settings.where}", ADVICE, object=key):
            head = self._client.head_object(Bucket=self._settings.bucket, Key=key)
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            return "the legal hold is lifted"
        date = head.get("ObjectLockRetainUntilDate")
        return None if date is None or date.timestamp() <= self._clock.now() else date.strftime("%Y-%m-%dT%H:%M:%SZ")
