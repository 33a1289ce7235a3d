# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a managed database cluster: databases, users, connection pools and read-only replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import is_online, resize_body
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.managed import Managed
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import normal_tags
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Patience, Resource, Update

Params = Mapping[str, Any]


def _by_name(found: Object) -> str:
    return str(found["name"])


DATABASE = Kind(
    noun="database",
    key="database",
    plural="dbs",
    collection="/v2/databases/{parent}/dbs",
    state=lambda found: {"name": found["name"]},
    shown=("name",),
    create=lambda state: {"name": state["name"]},
    address=_by_name,
)


def _replication(state: State) -> dict[str, Any]:
    return {"settings": {"pg_allow_replication": state["replication"]}}


DATABASE_USER = Kind(
    noun="database user",
    key="database_user",
    plural="users",
    collection="/v2/databases/{parent}/users",
    # The answer holds the password; it goes no further than this line.
    state=lambda found: {
        "name": found["name"],
        "role": found.get("role"),
        "replication": bool((found.get("settings") or {}).get("pg_allow_replication")),
    },
    shown=("name", "role", "replication"),
    create=lambda state: {"name": state["name"], **(_replication(state) if "replication" in state else {})},
    updates=(Update(("replication",), "PUT", "", _replication),),
    address=_by_name,
)


def _pool_body(state: State) -> dict[str, Any]:
    user = {"user": state["user"]} if state.get("user") else {}
    return {"mode": state.get("mode", "transaction"), "size": state["size"], "db": state["database"], **user}


POOL = Kind(
    noun="connection pool",
    key="database_pool",
    plural="pools",
    collection="/v2/databases/{parent}/pools",
    state=lambda found: {
        **{key: found.get(key) for key in ("name", "mode", "size", "user")},
        "database": found["db"],
        "host": (found.get("connection") or {}).get("host"),
        "private_host": (found.get("private_connection") or {}).get("host"),
        "port": (found.get("connection") or {}).get("port"),
    },
    shown=("name", "mode", "size", "database", "user", "host", "private_host", "port"),
    create=lambda state: {"name": state["name"], **_pool_body(state)},
    updates=(Update(("mode", "size", "database", "user"), "PUT", "", _pool_body),),
    address=_by_name,
)


def _replica_creation(state: State) -> dict[str, Any]:
    body = {key: state[key] for key in ("name", "size", "region", "storage_size_mib", "tags") if key in state}
    return body | ({"private_network_uuid": state["vpc"]} if "vpc" in state else {})


def _require_vpc(_client: Client, state: State) -> None:
    if state.get("vpc"):
        lookup.require_vpc_id(state["vpc"])


REPLICA = Kind(
    noun="read-only replica",
    key="database_replica",
    plural="replicas",
    collection="/v2/databases/{parent}/replicas",
    state=lambda found: {
        **{key: found.get(key) for key in ("id", "name", "size", "region", "status", "storage_size_mib")},
        "vpc": found.get("private_network_uuid"),
        "tags": normal_tags(found.get("tags")),
        "host": (found.get("connection") or {}).get("host"),
        "private_host": (found.get("private_connection") or {}).get("host"),
        "port": (found.get("connection") or {}).get("port"),
    },
    shown=("id", "name", "status", "size", "region", "storage_size_mib", "vpc", "tags", "host", "private_host", "port"),
    create=_replica_creation,
    updates=(Update(("size", "storage_size_mib"), "PUT", "/resize", lambda state: resize_body({**state, "num_nodes": 1}), settles=True),),
    prepare=_require_vpc,
    ready=is_online,
    address=_by_name,
)


class Replica(Managed):
    """A replica lies in its cluster, and is resized as if it were one."""

    def _target(self, update: Update) -> str:
        return f"/v2/databases/{self._seen['id']}{update.below}" if self._seen else super()._target(update)


class DatabaseUser(Resource):
    """A user whose password changes when that is asked for, and is told when that is asked for."""

    def __init__(self, client: Client, wanted: Mapping[str, Any], *, reset: bool, tell: bool, **options: Any) -> None:
        super().__init__(client, DATABASE_USER, wanted, **options)
        self._reset = reset
        self._tell = tell
        self._told: dict[str, str] = {}

    def read(self) -> State | None:
        state = super().read()
        return None if state is None else {**state, **self._told}

    def desired(self, current: State | None) -> State | None:
        wanted = super().desired(current)
        # Whoever is created has a new password anyway.
        return {**wanted, "password": "new"} if wanted and current and self._reset else wanted

    def apply(self, planned: Plan) -> None:
        super().apply(planned)
        if (planned.after or {}).get("password") == "new":
            was = (self._seen or {}).get("password")
            self._insist(
                lambda: self._client.post(f"{self._path()}/reset_auth", {}),
                lambda found: found is not None and found.get("password") != was,
            )
            self._told = {"password": "new"}

    def result(self, state: State | None) -> Mapping[str, Any]:
        answer = dict(super().result(state))
        if self._tell and answer["database_user"]:
            answer["database_user"] = {**answer["database_user"], "password": (self._seen or {}).get("password")}
        return answer


def _inside(client: Client, params: Params) -> dict[str, Any]:
    """How a resource is told where it lies and whether it should be there."""
    return {"present": params["state"] == "present", "parent": lambda: lookup.cluster_id(client, params["cluster"])}


def database(params: Params) -> Resource:
    client = connect(params)
    return Resource(client, DATABASE, {"name": params["name"]}, **_inside(client, params))


def database_user(params: Params) -> DatabaseUser:
    client = connect(params)
    wanted = {"name": params["name"], "replication": params["replication"]}
    return DatabaseUser(client, wanted, reset=params["reset_password"], tell=params["return_password"], **_inside(client, params))


def database_pool(params: Params) -> Resource:
    client = connect(params)
    wanted = {key: params[key] for key in ("name", "mode", "size", "database", "user")}
    return Resource(client, POOL, wanted, **_inside(client, params))


def database_replica(params: Params) -> Replica:
    client = connect(params)
    wanted = {
        **{key: params[key] for key in ("name", "size", "region", "storage_size_mib")},
        "vpc": lookup.vpc_id(client, params["vpc"]),
        "tags": None if params["tags"] is None else normal_tags(params["tags"]),
    }
    patience = Patience(wait=params["wait"], timeout=float(params["wait_timeout"]))
    return Replica(client, REPLICA, wanted, patience=patience, **_inside(client, params))


def listed(kind: Kind, answer: str) -> Any:
    """The question for everything of a kind in a cluster; nothing is in a cluster that does not exist."""

    def ask(params: Params) -> dict[str, Any]:
        client = connect(params)
        parent = lookup.cluster_id(client, params["cluster"])
        found = client.list(kind.collection.format(parent=parent), kind.plural) if parent else []
        states = sorted((kind.state(each) for each in found if params["name"] in (None, each["name"])), key=lambda state: str(state["name"]))
        return {answer: [{field: state.get(field) for field in kind.shown} for state in states]}

    return ask
