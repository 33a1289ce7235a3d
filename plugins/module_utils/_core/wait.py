# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with a deadline and a clock that a test can move."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

T = TypeVar("T")


class Clock:
    """The real clock. Tests pass one of their own."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def wait_for(
    what: str,
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    timeout: float,
    interval: float = 1.0,
    clock: Clock | None = None,
    describe: Callable[[T], str] = str,
) -> T:
    """Look until ``done`` holds, and return what was seen then.

    what: names the wait in the error, e.g. "droplet web-1 to become active".
    timeout, interval: seconds; the last look happens at the deadline, not before it.
    Raises OpsError with the last thing seen.
    """
    clock = clock or Clock()
    deadline = clock.monotonic() + timeout
    while True:
        seen = look()
        if done(seen):
            return seen
        left = deadline - clock.monotonic()
        if left <= 0:
            raise OpsError(f"Gave up waiting for {what} after {timeout:g} s; last seen: {describe(seen)}.", last_seen=describe(seen))
        clock.sleep(min(interval, left))
