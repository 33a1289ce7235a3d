# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this domain asks of the outside: one API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Object = Mapping[str, Any]


class Answer(Protocol):
    """What came back."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> Any: ...


class Transport(Protocol):
    """Sends one request. Retries, timeouts and pauses are its own affair; it never repeats what may have happened."""

    def request(self, method: str, path: str, body: Any = None) -> Answer: ...


class Clock(Protocol):
    """Time that a test can move."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...
