# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's API (v2), as far as schedules need it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http

Object = dict[str, Any]

# Named as the options and environment variables of awx.awx, which people have set already.
CONNECTION: dict[str, dict[str, Any]] = {
    "controller_host": {"type": "str", "fallback": from_env("CONTROLLER_HOST", "TOWER_HOST")},
    "controller_oauthtoken": {"type": "str", "no_log": True, "fallback": from_env("CONTROLLER_OAUTH_TOKEN", "TOWER_OAUTH_TOKEN")},
    "controller_username": {"type": "str", "fallback": from_env("CONTROLLER_USERNAME", "TOWER_USERNAME")},
    "controller_password": {"type": "str", "no_log": True, "fallback": from_env("CONTROLLER_PASSWORD", "TOWER_PASSWORD")},
    "validate_certs": {"type": "bool", "default": True, "fallback": from_env("CONTROLLER_VERIFY_SSL", "TOWER_VERIFY_SSL")},
}


class Client:
    """Objects by name or place. An answer that is not the expected one is an error with AWX's own words."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, place: str, **query: Any) -> list[Object]:
        """All pages."""
        found: list[Object] = []
        path: str | None = f"/api/v2/{place}/?{urlencode({**query, 'page_size': 200})}"
        while path:
            page = self._ask("GET", path)
            found += page["results"]
            path = page["next"]
        return found

    def one(self, place: str, noun: str, name: str, **query: Any) -> Object:
        found = self.list(place, name=name, **query)
        if len(found) != 1:
            raise OpsError(f"AWX has {len(found) or 'no'} {noun} '{name}' that this login can see; one is needed.")
        return found[0]

    def get(self, place: str) -> Any:
        return self._ask("GET", f"/api/v2/{place}/")

    def send(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._ask(method, f"/api/v2/{place}/", body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, body)
        if answer.status == 401:
            raise OpsError("AWX refuses the login: set CONTROLLER_OAUTH_TOKEN, or CONTROLLER_USERNAME and CONTROLLER_PASSWORD, to one that it knows.")
        if answer.status >= 300:
            raise OpsError(f"{method} {path}: AWX answered {answer.status}: {json.dumps(answer.body)[:500]}", status=answer.status)
        return answer.body


def connect(params: Mapping[str, Any]) -> Client:
    host = params.get("controller_host")
    if not host:
        raise OpsError("No address of AWX: set the environment variable CONTROLLER_HOST, or the option controller_host.")
    token, user, password = (params.get(f"controller_{name}") for name in ("oauthtoken", "username", "password"))
    if token:
        login = f"Bearer {token}"
    elif user and password:
        login = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    else:
        raise OpsError("No login of AWX: set the environment variable CONTROLLER_OAUTH_TOKEN, or CONTROLLER_USERNAME and CONTROLLER_PASSWORD.")
    address = host if "://" in host else f"https://{host}"
    return Client(Http(address, headers={"Authorization": login}, validate_certs=params.get("validate_certs", True)))
