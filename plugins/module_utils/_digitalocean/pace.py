# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transport that keeps to the API's rate limit, so that a request is not sent only to be refused."""

from __future__ import annotations

from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Response


class Sender(Protocol):
    """Sends one request and tells the headers of its answer, as ``Http`` does."""

    def request(self, method: str, path: str, body: Any = None) -> Response: ...


class Paced:
    """Waits until the limit is reset when the last answer said that no request is left, and after a refusal that does not say how long.

    longest_wait: seconds; what would take longer is an error that says so.
    """

    def __init__(self, http: Sender, *, longest_wait: float = 120.0, clock: Clock | None = None) -> None:
        self._http = http
        self._longest_wait = longest_wait
        self._clock = clock or Clock()
        self._reset: float | None = None

    def request(self, method: str, path: str, body: Any = None) -> Response:
        self._wait(method, path)
        answer = self._http.request(method, path, body)
        self._note(answer)
        if answer.status == 429 and self._reset is not None:
            self._wait(method, path)
            answer = self._http.request(method, path, body)
            self._note(answer)
        return answer

    def _note(self, answer: Response) -> None:
        left, reset = answer.headers.get("ratelimit-remaining", ""), answer.headers.get("ratelimit-reset", "")
        self._reset = float(reset) if left.isdigit() and int(left) == 0 and reset.isdigit() else None

    def _wait(self, method: str, path: str) -> None:
        if self._reset is None:
            return
        seconds = max(self._reset - self._clock.now(), 0.0)
        if seconds > self._longest_wait:
            raise OpsError(
                f"{method} {path.split('?')[0]}: the account's rate limit is used up for another {seconds:.0f} s, longer than the {self._longest_wait:g} s"
                " that are waited. Run again then, or share the token with fewer programs.",
                retry_after=seconds,
            )
        self._clock.sleep(seconds)
        self._reset = None
