# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and databases of a cluster: real roles and real databases of its server."""

from __future__ import annotations

import re
import secrets
import string
from urllib.parse import quote

from flask import Blueprint

from localcloud import servers
from localcloud.api.answers import ApiError, body, found, not_found, required, unprocessable
from localcloud.store import Document
from localcloud.world import World

USER = re.compile(r"[A-Za-z0-9_-]{1,63}")
DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
ALPHABET = string.ascii_letters + string.digits


def password() -> str:
    return "AVNS_" + "".join(secrets.choice(ALPHABET) for _each in range(19))


def view(user: Document) -> Document:
    return {key: user[key] for key in ("name", "role", "password", "settings") if key in user}


def connection(cluster: Document) -> Document:
    """How the primary user connects."""
    user, port = cluster["users"][0], servers.PORTS[cluster["engine"]]
    database = "defaultdb" if cluster["engine"] == "pg" else ""
    scheme, query = ("postgresql", "?sslmode=require") if cluster["engine"] == "pg" else ("rediss", "")
    return {
        "protocol": scheme,
        "uri": f"{scheme}://{user['name']}:{quote(user['password'])}@{cluster['address']}:{port}{f'/{database}' if database else ''}{query}",
        "database": database,
        "host": cluster["address"],
        "port": port,
        "user": user["name"],
        "password": user["password"],
        "ssl": True,
    }


def online(world: World, cluster_id: str) -> Document:
    """A cluster whose server runs."""
    cluster = found(world.store.get("database", cluster_id))
    if cluster["status"] in ("creating", "forking"):
        raise ApiError(409, "conflict", "The cluster is still being created.")
    return cluster


def register(app: Blueprint, world: World) -> None:
    def read(cluster_id: str) -> Document:
        return found(world.store.get("database", cluster_id))

    def user_of(cluster: Document, name: str) -> Document:
        return found(next((user for user in cluster["users"] if user["name"] == name), None))

    def sql(cluster: Document, statement: str) -> None:
        servers.psql(world.cloud, cluster, statement)

    def postgresql(cluster_id: str) -> Document:
        cluster = online(world, cluster_id)
        if cluster["engine"] != "pg":
            raise unprocessable(f"The local cloud has users and databases of PostgreSQL clusters only; this one is {cluster['engine']}.")
        return cluster

    @app.get("/v2/databases/<cluster_id>/users")
    def list_users(cluster_id: str) -> Document:
        return {"users": [view(user) for user in read(cluster_id)["users"]]}

    @app.post("/v2/databases/<cluster_id>/users")
    def create_user(cluster_id: str) -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        if not USER.fullmatch(name):
            raise unprocessable("invalid user name")
        replication = bool((data.get("settings") or {}).get("pg_allow_replication"))
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            if any(user["name"] == name for user in cluster["users"]):
                raise unprocessable("user already exists")
            user = {"name": name, "role": "normal", "password": password(), **({"settings": {"pg_allow_replication": True}} if replication else {})}
            # Made by doadmin, who may so grant and change it.
            role, secret = servers.identifier(name), servers.literal(user["password"])
            options = f"LOGIN {'REPLICATION' if replication else 'NOREPLICATION'} PASSWORD {secret}"
            sql(cluster, f"SET ROLE doadmin; CREATE ROLE {role}; RESET ROLE; ALTER ROLE {role} {options}")
            _save(cluster, users=[*cluster["users"], user])
        return {"user": view(user)}, 201

    @app.get("/v2/databases/<cluster_id>/users/<name>")
    def get_user(cluster_id: str, name: str) -> Document:
        return {"user": view(user_of(read(cluster_id), name))}

    @app.put("/v2/databases/<cluster_id>/users/<name>")
    def change_user(cluster_id: str, name: str) -> tuple[Document, int]:
        (settings,) = required(body(), "settings")
        replication = bool(settings.get("pg_allow_replication"))
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            user = {**user_of(cluster, name), "settings": {"pg_allow_replication": replication}}
            sql(cluster, f"ALTER ROLE {servers.identifier(name)} {'REPLICATION' if replication else 'NOREPLICATION'}")
            _save(cluster, users=[user if one["name"] == name else one for one in cluster["users"]])
        return {"user": view(user)}, 201

    @app.delete("/v2/databases/<cluster_id>/users/<name>")
    def delete_user(cluster_id: str, name: str) -> tuple[str, int]:
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            if user_of(cluster, name)["role"] == "primary":
                raise unprocessable("cannot delete the primary user")
            role = servers.identifier(name)
            for database in cluster["databases"]:
                servers.psql(world.cloud, cluster, f"REASSIGN OWNED BY {role} TO doadmin; DROP OWNED BY {role}", database)
            sql(cluster, f"DROP ROLE {role}")
            _save(cluster, users=[user for user in cluster["users"] if user["name"] != name])
        return "", 204

    @app.post("/v2/databases/<cluster_id>/users/<name>/reset_auth")
    def reset_auth(cluster_id: str, name: str) -> Document:
        with world.locks[f"database-{cluster_id}"]:
            cluster = online(world, cluster_id)
            user = {**user_of(cluster, name), "password": password()}
            if cluster["engine"] == "pg":
                sql(cluster, f"ALTER ROLE {servers.identifier(name)} PASSWORD {servers.literal(user['password'])}")
            else:
                servers.redis(world.cloud, cluster, "ACL", "SETUSER", name, "resetpass", f">{user['password']}")
                servers.redis(world.cloud, cluster, "ACL", "SAVE")
            _save(cluster, users=[user if one["name"] == name else one for one in cluster["users"]])
        return {"user": view(user)}

    @app.get("/v2/databases/<cluster_id>/dbs")
    def list_databases(cluster_id: str) -> Document:
        return {"dbs": [{"name": name} for name in read(cluster_id)["databases"]]}

    @app.post("/v2/databases/<cluster_id>/dbs")
    def create_database(cluster_id: str) -> tuple[Document, int]:
        (name,) = required(body(), "name")
        if not DATABASE.fullmatch(name):
            raise unprocessable("invalid database name")
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            if name in cluster["databases"]:
                raise unprocessable("database name is not available")
            sql(cluster, f"CREATE DATABASE {servers.identifier(name)} OWNER doadmin")
            _save(cluster, databases=[*cluster["databases"], name])
        return {"db": {"name": name}}, 201

    @app.get("/v2/databases/<cluster_id>/dbs/<name>")
    def get_database(cluster_id: str, name: str) -> Document:
        if name not in read(cluster_id)["databases"]:
            raise not_found()
        return {"db": {"name": name}}

    @app.delete("/v2/databases/<cluster_id>/dbs/<name>")
    def delete_database(cluster_id: str, name: str) -> tuple[str, int]:
        with world.locks[f"database-{cluster_id}"]:
            cluster = postgresql(cluster_id)
            if name not in cluster["databases"]:
                raise not_found()
            servers.psql(world.cloud, cluster, f"DROP DATABASE {servers.identifier(name)} WITH (FORCE)", "postgres")
            _save(cluster, databases=[one for one in cluster["databases"] if one != name])
        return "", 204

    def _save(cluster: Document, **changes: object) -> None:
        with world.store.edit("database", cluster["id"]) as current:
            if current is not None:
                current |= changes
