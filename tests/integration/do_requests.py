# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of request that modules made in this process and that was answered with a success, for a second opinion on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http, Response

VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([0-9a-f]{2}:){15}[0-9a-f]{2}|(?<=/)\d+(?=[/?]|$)|(?<=/)[a-z]+[-.][\w.-]*")


@dataclass(frozen=True)
class Request:
    """path: with its query. body: as JSON."""

    method: str
    path: str
    body: str | None

    @property
    def kind(self) -> str:
        """What is the same for two requests that differ in names and numbers only."""
        where = urlsplit(self.path)
        body = None if self.body is None else _shape(json.loads(self.body))
        return f"{self.method} {VARIES.sub('*', where.path)} {sorted(parse_qs(where.query))} {body}"


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shape(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted({repr(_shape(each)) for each in value})
    return type(value).__name__


@contextmanager
def recording() -> Iterator[dict[str, Request]]:
    """One request of each kind, as long as it lasts."""
    found: dict[str, Request] = {}
    send = Http.request

    def recorded(self: Http, method: str, path: str, body: Any = None) -> Response:
        response = send(self, method, path, body)
        # A health check asks a droplet, not the API.
        if response.status < 400 and path.startswith("/v2/"):
            asked = Request(method, path, None if body is None else json.dumps(body))
            found.setdefault(asked.kind, asked)
        return response

    with mock.patch.object(Http, "request", recorded):
        yield found


def write(found: Mapping[str, Request], file: Path) -> None:
    file.write_text(json.dumps([asdict(each) for each in found.values()]))


def read(file: Path) -> list[Request]:
    return [Request(**each) for each in json.loads(file.read_text())]
