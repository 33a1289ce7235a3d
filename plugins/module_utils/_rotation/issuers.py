# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say who issues a credential, and the providers that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, connect
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_credential import DualCredential
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import Logins
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.iam import IamKeys
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.managed_user import ClusterUsers, ManagedUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.spaces import SpacesKeys

SPEC: dict[str, dict[str, Any]] = {
    "holder": {"type": "str"},
    "cluster": {"type": "str"},
    "space": {
        "type": "dict",
        "options": {"endpoint_url": {"type": "str", "required": True}, "region": {"type": "str"}, "bucket": {"type": "str"}},
    },
    "account": {
        "type": "dict",
        "default": {},
        "options": {
            "endpoint_url": {"type": "str"},
            "region": {"type": "str"},
            "access_key": {"type": "str", "no_log": False},
            "secret_key": {"type": "str", "no_log": True},
            "session_token": {"type": "str", "no_log": True},
            "ca_bundle": {"type": "path"},
            # What is not given comes from the environment, as for every module of DigitalOcean.
            "api_token": CONNECTION["api_token"],
            "api_url": CONNECTION["api_url"],
        },
    },
}
REQUIRED = [("provider", "iam", ["holder"]), ("provider", "spaces", ["holder", "space"]), ("provider", "digitalocean", ["cluster", "owner"])]


def access_keys(params: Mapping[str, Any]) -> Provider:
    """Of provider iam or spaces."""
    given = params["account"] or {}
    if params["provider"] == "iam":
        names = ("endpoint_url", "region", "access_key", "secret_key", "session_token", "ca_bundle")
        return DualCredential(IamKeys(Account(**{name: given.get(name) for name in names}), params["holder"]))
    space = params["space"]
    return DualCredential(SpacesKeys(connect(given), params["holder"], Account(space["endpoint_url"], space["region"]), space["bucket"]))


def managed_user(params: Mapping[str, Any], store: Store, logins: Logins) -> Provider:
    """Of provider digitalocean."""
    secret = store.get(params["name"])
    if secret is None:
        raise OpsError(f"There is no secret {params['name']} in the store: make it with groundcrew.ops.secret first.")
    return ManagedUser(ClusterUsers(connect(params["account"] or {}), params["cluster"]), secret.recipe.users, logins, params["owner"])
