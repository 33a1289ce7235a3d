# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection pools of a PostgreSQL cluster, as records: no pooler runs, so the connection of a pool is the server's own."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint

from localcloud.api import database_users
from localcloud.api.answers import body, found, required, unprocessable
from localcloud.store import Document
from localcloud.world import World

MODES = ("session", "transaction", "statement")
# Connections of a server that pools may share, by its size.
CONNECTIONS = {"db-s-1vcpu-1gb": 22, "db-s-1vcpu-2gb": 47, "db-s-2vcpu-4gb": 97}


def register(app: Blueprint, world: World) -> None:
    def postgresql(cluster_id: str) -> Document:
        cluster = database_users.online(world, cluster_id)
        if cluster["engine"] != "pg":
            raise unprocessable("connection pools are for PostgreSQL clusters")
        return cluster

    def one(cluster: Document, name: str) -> Document:
        return found(next((pool for pool in cluster["pools"] if pool["name"] == name), None))

    def save(cluster: Document, pools: list[Document]) -> None:
        with world.store.edit("database", cluster["id"]) as current:
            if current is not None:
                current["pools"] = pools

    @app.get("/v2/databases/<cluster_id>/pools")
    def list_pools(cluster_id: str) -> Document:
        cluster = postgresql(cluster_id)
        return {"pools": [view(cluster, pool) for pool in cluster["pools"]]}

    @app.post("/v2/databases/<cluster_id>/pools")
    def create_pool(cluster_id: str) -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            if not 3 <= len(name) <= 60:
                raise unprocessable("name of a pool has 3 to 60 characters")
            if any(pool["name"] == name for pool in cluster["pools"]):
                raise unprocessable("pool name is not available")
            pool = {"name": name, **_checked(cluster, data, cluster["pools"])}
            save(cluster, [*cluster["pools"], pool])
        return {"pool": view(cluster, pool)}, 201

    @app.get("/v2/databases/<cluster_id>/pools/<name>")
    def get_pool(cluster_id: str, name: str) -> Document:
        cluster = postgresql(cluster_id)
        return {"pool": view(cluster, one(cluster, name))}

    @app.put("/v2/databases/<cluster_id>/pools/<name>")
    def change_pool(cluster_id: str, name: str) -> tuple[str, int]:
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            one(cluster, name)
            changed = {"name": name, **_checked(cluster, body(), [pool for pool in cluster["pools"] if pool["name"] != name])}
            save(cluster, [changed if pool["name"] == name else pool for pool in cluster["pools"]])
        return "", 204

    @app.delete("/v2/databases/<cluster_id>/pools/<name>")
    def delete_pool(cluster_id: str, name: str) -> tuple[str, int]:
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            one(cluster, name)
            save(cluster, [pool for pool in cluster["pools"] if pool["name"] != name])
        return "", 204


def view(cluster: Document, pool: Document) -> Document:
    connection = database_users.connection(cluster) | {"database": pool["db"]}
    user = next((user for user in cluster["users"] if user["name"] == pool.get("user")), None)
    if user:
        connection |= {"user": user["name"], "password": user["password"]}
    login = f"{quote(connection['user'])}:{quote(connection['password'])}"
    connection["uri"] = f"postgresql://{login}@{connection['host']}:{connection['port']}/{pool['db']}?sslmode=require"
    return {**pool, "connection": connection, "private_connection": connection}


def _checked(cluster: Document, data: Document, others: list[Document]) -> Document:
    mode, size, db = required(data, "mode", "size", "db")
    user = data.get("user")
    if mode not in MODES:
        raise unprocessable(f"invalid mode {mode}: it is one of {', '.join(MODES)}")
    left = CONNECTIONS[cluster["size"]] - sum(pool["size"] for pool in others)
    if not 1 <= size <= left:
        raise unprocessable(f"invalid size {size}: {left} connections are left")
    if db not in cluster["databases"]:
        raise unprocessable(f"db {db} does not exist")
    if user and not any(one["name"] == user for one in cluster["users"]):
        raise unprocessable(f"user {user} does not exist")
    return {"mode": mode, "size": size, "db": db, **({"user": user} if user else {})}
