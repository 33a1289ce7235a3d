# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a database. The one place from which a password is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import ca_certificate, state_of

SCHEMES = {"pg": "postgresql", "mysql": "mysql", "redis": "rediss", "valkey": "rediss", "mongodb": "mongodb+srv"}


def connection_field(client: Client, name: str, field: str, *, user: str | None = None, database: str | None = None, pool: str | None = None) -> str:
    """One field of the connection to a cluster, for its own user or for a named one, directly or through a connection pool."""
    cluster = lookup.find_cluster(client, name)
    if cluster is None:
        raise OpsError(f"There is no database cluster named {name}. Create it with do_database_cluster, or name one that exists.", cluster=name)
    if field == "ca":
        return ca_certificate(client, cluster)
    if pool is not None:
        # A pool answers for the cluster: it has a port, a user and a database of its own.
        cluster = {**cluster, **_pool(client, cluster, pool)}
    state = state_of(cluster)
    if field in ("host", "private_host", "port"):
        return str(_known(state, field, name))
    if field == "database":
        return database or str(_known(state, field, name))
    login = user or str(_known(state, "user", name))
    if field == "user":
        return login
    password = _password(client, cluster, user)
    if field == "password":
        return password
    return _uri(cluster, state, login, password, database)


def _pool(client: Client, cluster: Mapping[str, Any], pool: str) -> dict[str, Any]:
    try:
        found = client.get(path("databases", cluster["id"], "pools", pool))["pool"]
    except NotFoundError as error:
        message = f"The database cluster {cluster['name']} has no connection pool {pool}. Create it with do_database_pool."
        raise OpsError(message, cluster=cluster["name"], pool=pool) from error
    return {key: found.get(key) for key in ("connection", "private_connection")}


def _known(state: Mapping[str, Any], field: str, name: str) -> Any:
    if state.get(field) is None:
        raise OpsError(f"The database cluster {name} has no {field} yet; it is {state.get('status')}. Wait until it is online.", cluster=name, field=field)
    return state[field]


def _password(client: Client, cluster: Mapping[str, Any], user: str | None) -> str:
    own = cluster.get("connection") or {}
    if user is None or user == own.get("user"):
        found = own
    else:
        try:
            found = client.get(path("databases", cluster["id"], "users", user))["user"]
        except NotFoundError as error:
            raise OpsError(
                f"The database cluster {cluster['name']} has no user {user}. Create it with do_database_user.", cluster=cluster["name"], user=user
            ) from error
    if not found.get("password"):
        raise OpsError(
            f"The API tells no password for user {user or own.get('user')} of {cluster['name']}: the token needs the scope database:view_credentials."
        )
    return str(found["password"])


def _uri(cluster: Mapping[str, Any], state: Mapping[str, Any], login: str, password: str, database: str | None) -> str:
    name = database or state.get("database") or ""
    # Key-value stores number their databases; TLS is in the scheme there.
    where = "" if cluster["engine"] in ("redis", "valkey") else f"/{quote(str(name), safe='')}" + ("?sslmode=require" if cluster["engine"] == "pg" else "")
    address = f"{state['host']}:{state['port']}"
    return f"{SCHEMES.get(cluster['engine'], cluster['engine'])}://{quote(login, safe='')}:{quote(password, safe='')}@{address}{where}"
