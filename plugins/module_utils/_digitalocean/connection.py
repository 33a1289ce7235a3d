# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every DigitalOcean module shares, and the client that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.pace import Paced

API_URL = "https://api.digitalocean.com"

CONNECTION: dict[str, dict[str, Any]] = {
    "api_token": {"type": "str", "no_log": True, "fallback": from_env("DIGITALOCEAN_TOKEN", "DO_API_TOKEN")},
    "api_url": {"type": "str", "default": API_URL, "fallback": from_env("DIGITALOCEAN_API_URL")},
    "api_timeout": {"type": "int", "default": 30},
}
STATE: dict[str, dict[str, Any]] = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
WAIT: dict[str, dict[str, Any]] = {"wait": {"type": "bool", "default": True}, "wait_timeout": {"type": "int", "default": 1800}}


def connect(params: Mapping[str, Any]) -> Client:
    """A client for the account that the options name."""
    token = params.get("api_token")
    if not token:
        raise OpsError(
            "No DigitalOcean token: set the environment variable DIGITALOCEAN_TOKEN, or the option api_token,"
            " to a personal access token (control panel, API, Tokens)."
        )
    http = Http(params.get("api_url") or API_URL, headers={"Authorization": f"Bearer {token}"}, timeout=float(params.get("api_timeout") or 30))
    return Client(Paced(http))
