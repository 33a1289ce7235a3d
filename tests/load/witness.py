# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers, and since when."""

from __future__ import annotations

import http.client
import threading
import time


class Witness(threading.Thread):
    """Asks the application over and over and remembers when which release answered."""

    def __init__(self, address: str, pause: float = 0.0) -> None:
        """pause: seconds between an answer and the next question."""
        super().__init__(daemon=True)
        self._address = address
        self._pause = pause
        self._over = threading.Event()
        self._answers: list[tuple[float, str | None]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._over.is_set():
            try:
                connection.request("GET", "/orders")
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):  # who counts what is lost is the load
                connection.close()
                time.sleep(0.02)
                continue
            self._answers.append((time.time(), answer.getheader("X-Release")))
            time.sleep(self._pause)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def saw(self, release: str | None, since: float) -> bool:
        return any(at >= since and served == release for at, served in self._answers)

    def seconds(self, release: str | None, since: float) -> float:
        """Until a release answered."""
        return next(at for at, served in self._answers if at >= since and served == release) - since

    def milliseconds(self, release: str, since: float) -> float:
        return round(self.seconds(release, since) * 1000, 1)
