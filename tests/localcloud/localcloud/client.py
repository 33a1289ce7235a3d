# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the API of a cloud: for tests and for this package's own commands."""

from __future__ import annotations

import http.client
import json
from typing import Any

from localcloud.config import Cloud


class Client:
    """One request at a time, no retries: a test sees what the server answered."""

    def __init__(self, cloud: Cloud, token: str | None = None, port: int | None = None) -> None:
        self._port = port or cloud.api_port
        self._token = cloud.token if token is None else token

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, decoded body); raises OSError or HTTPException when no answer comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None

    def answers(self) -> bool:
        """Whether the API is served."""
        try:
            return self.request("GET", "/_localcloud/settings")[0] == 200
        except (OSError, http.client.HTTPException):
            return False
