# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed database clusters: each one a real server."""

from __future__ import annotations

import base64
import re

from flask import Blueprint, request

from localcloud import servers, trusted
from localcloud.api import database_orders, database_pools, database_replicas, database_users
from localcloud.api.answers import ApiError, body, found, page, required, unprocessable
from localcloud.certificates import Authority
from localcloud.store import Document
from localcloud.world import World

POLICIES = ("noeviction", "allkeys_lru", "allkeys_random", "volatile_lru", "volatile_random", "volatile_ttl")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def view(world: World, cluster: Document) -> Document:
    """A cluster as the API shows it."""
    connection = database_users.connection(cluster)
    postgresql = cluster["engine"] == "pg"
    # A standby is a record, and so is its name.
    standby = connection | {"host": f"replica-{cluster['address']}"}
    return {
        "id": cluster["id"],
        "name": cluster["name"],
        "engine": cluster["engine"],
        "version": cluster["version"],
        "num_nodes": cluster["num_nodes"],
        "size": cluster["size"],
        "region": cluster["region"],
        "status": cluster["status"],
        "created_at": cluster["created_at"],
        "private_network_uuid": cluster["vpc_uuid"],
        "tags": cluster["tags"],
        "db_names": cluster["databases"] if postgresql else None,
        "connection": connection,
        "private_connection": connection,
        "users": [database_users.view(user) for user in cluster["users"]],
        "maintenance_window": cluster["maintenance"],
        "project_id": cluster["project_id"],
        "storage_size_mib": cluster["storage_size_mib"],
        **({"standby_connection": standby, "standby_private_connection": standby} if cluster["num_nodes"] > 1 else {}),
    }


def resume(world: World) -> None:
    for cluster in world.store.all("database"):
        if cluster["status"] != "online":
            world.later(change if "change" in cluster else build, world, cluster["id"])
    database_replicas.resume(world)


def build(world: World, cluster_id: str) -> None:
    """Bring up a cluster's server. Safe to repeat."""
    with world.locks[f"database-{cluster_id}"]:
        cluster = world.store.get("database", cluster_id)
        if cluster is None:
            return
        with world.locks["image-database"]:
            servers.prepare(world.cloud)
        sources = trusted.sources(world, cluster)
        servers.create(world.cloud, cluster, sources)
        for name in cluster["databases"][1:]:
            servers.psql(world.cloud, cluster, f"CREATE DATABASE {servers.identifier(name)} OWNER doadmin")
        with world.store.edit("database", cluster_id) as current:
            if current is not None:
                current |= {"status": "online", "applied_sources": sources}
    trusted.refresh(world)


def begin(world: World, cluster_id: str, status: str, fields: Document) -> None:
    """Note a change that takes its time."""
    with world.store.edit("database", cluster_id) as current:
        if current is not None:
            current |= {"status": status, "change": fields}
    world.later(change, world, cluster_id, seconds=world.settings()["boot_seconds"])


def change(world: World, cluster_id: str) -> None:
    """Make a change that was begun. Safe to repeat."""
    with world.store.edit("database", cluster_id) as current:
        if current is not None:
            current |= {**current.pop("change", {}), "status": "online"}
    trusted.refresh(world)


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/databases")
    def list_clusters() -> Document:
        tag = request.args.get("tag_name")
        return {"databases": [view(world, cluster) for cluster in world.store.all("database") if tag is None or tag in cluster["tags"]]}

    @app.post("/v2/databases")
    def create_cluster() -> tuple[Document, int]:
        with world.store.transaction():
            cluster = database_orders.new(world, body())
            world.store.put("database", cluster["id"], cluster)
        world.later(build, world, cluster["id"], seconds=world.settings()["boot_seconds"])
        return {"database": view(world, cluster)}, 201

    @app.get("/v2/databases/<cluster_id>")
    def get_cluster(cluster_id: str) -> Document:
        return {"database": view(world, found(world.store.get("database", cluster_id)))}

    @app.delete("/v2/databases/<cluster_id>")
    def delete_cluster(cluster_id: str) -> tuple[str, int]:
        cluster = found(world.store.get("database", cluster_id))
        name = servers.container(world.cloud, cluster)
        with world.store.transaction():
            world.store.delete("database", cluster_id)
            database_replicas.forget(world, cluster_id)
            world.remove_container(name, cluster["address"], [name])
        world.later(_finish_deletion, world, cluster_id)
        return "", 204

    @app.put("/v2/databases/<cluster_id>/resize")
    def resize(cluster_id: str) -> tuple[str, int]:
        data = body()
        size, nodes = required(data, "size", "num_nodes")
        database_orders.check_layout(size, nodes)
        # A replica is resized by its own id, like a cluster.
        replica = world.store.get("replica", cluster_id)
        cluster = replica or _changeable(cluster_id)
        if replica and nodes != 1:
            raise unprocessable("num_nodes of a read-only replica is 1")
        storage = data.get("storage_size_mib") or max(cluster["storage_size_mib"], database_orders.STORAGE_MIB[size])
        if storage < cluster["storage_size_mib"]:
            raise unprocessable("storage_size_mib cannot be reduced")
        fields = {"size": size, "storage_size_mib": storage}
        if replica:
            database_replicas.begin(world, cluster_id, "resizing", fields)
        else:
            begin(world, cluster_id, "resizing", {**fields, "num_nodes": nodes})
        return "", 202

    @app.put("/v2/databases/<cluster_id>/upgrade")
    def upgrade(cluster_id: str) -> tuple[str, int]:
        cluster = _changeable(cluster_id)
        (version,) = required(body(), "version")
        offered = database_orders.versions(world)[cluster["engine"]]
        if version not in offered or int(version) <= int(cluster["version"]):
            raise unprocessable(f"invalid version {version}: the cluster has {cluster['version']}; available are newer ones of {', '.join(offered)}")
        begin(world, cluster_id, "migrating", {"version": version})
        return "", 204

    @app.get("/v2/databases/<cluster_id>/ca")
    def certificate(cluster_id: str) -> Document:
        found(world.store.get("database", cluster_id))
        return {"ca": {"certificate": base64.b64encode(Authority(world.cloud.dir).certificate.encode()).decode()}}

    @app.get("/v2/databases/<cluster_id>/firewall")
    def get_rules(cluster_id: str) -> Document:
        return {"rules": found(world.store.get("database", cluster_id))["rules"]}

    @app.put("/v2/databases/<cluster_id>/firewall")
    def put_rules(cluster_id: str) -> tuple[str, int]:
        cluster = found(world.store.get("database", cluster_id))
        rules = [database_orders.rule(world, cluster, rule) for rule in body().get("rules") or []]
        with world.store.edit("database", cluster_id) as current:
            if current is not None:
                current["rules"] = rules
        trusted.refresh(world)
        return "", 204

    @app.put("/v2/databases/<cluster_id>/maintenance")
    def put_maintenance(cluster_id: str) -> tuple[str, int]:
        found(world.store.get("database", cluster_id))
        day, hour = required(body(), "day", "hour")
        if day not in DAYS or not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", hour):
            raise unprocessable("invalid maintenance window: day is the English name of a weekday in lower case, hour is HH:MM in UTC")
        with world.store.edit("database", cluster_id) as current:
            if current is not None:
                current["maintenance"] = {"day": day, "hour": hour, "pending": False, "description": []}
        return "", 204

    @app.get("/v2/databases/<cluster_id>/eviction_policy")
    def get_policy(cluster_id: str) -> Document:
        return {"eviction_policy": _memory_store(cluster_id)["eviction_policy"]}

    @app.put("/v2/databases/<cluster_id>/eviction_policy")
    def put_policy(cluster_id: str) -> tuple[str, int]:
        cluster = _memory_store(cluster_id)
        (policy,) = required(body(), "eviction_policy")
        if policy not in POLICIES:
            raise unprocessable("invalid eviction policy")
        servers.redis(world.cloud, cluster, "CONFIG", "SET", "maxmemory-policy", policy.replace("_", "-"))
        servers.keep(world.cloud, cluster, "eviction-policy", policy.replace("_", "-"))
        with world.store.edit("database", cluster_id) as current:
            if current is not None:
                current["eviction_policy"] = policy
        return "", 204

    def _changeable(cluster_id: str) -> Document:
        cluster = database_users.online(world, cluster_id)
        if cluster["status"] != "online":
            raise ApiError(409, "conflict", f"The cluster is {cluster['status']}.")
        return cluster

    def _memory_store(cluster_id: str) -> Document:
        cluster = database_users.online(world, cluster_id)
        if cluster["engine"] == "pg":
            raise unprocessable("eviction policies are for Valkey and Redis clusters")
        return cluster

    @app.get("/v2/databases/<cluster_id>/backups")
    def list_backups(cluster_id: str) -> Document:
        cluster = found(world.store.get("database", cluster_id))
        taken = [{"created_at": cluster["created_at"], "size_gigabytes": 0.03, "incremental": False}]
        return {"backups": taken if world.cloud.records_only and cluster["engine"] == "pg" else []}

    @app.get("/v2/databases/<cluster_id>/events")
    def list_events(cluster_id: str) -> Document:
        found(world.store.get("database", cluster_id))
        return page("events", [])

    for part in (database_orders, database_users, database_pools, database_replicas):
        part.register(app, world)


def _finish_deletion(world: World, cluster_id: str) -> None:
    # One that is still being created must not come back after its removal.
    with world.locks[f"database-{cluster_id}"]:
        world.finish_removals()
