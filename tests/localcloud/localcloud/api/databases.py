# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed database clusters: each one a real server."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
import uuid

from flask import Blueprint, request

from localcloud import servers, trusted
from localcloud.api import database_users, tags
from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.projects import default_project
from localcloud.api.vpcs import default_vpc
from localcloud.certificates import Authority
from localcloud.store import Document
from localcloud.world import World, now

ADDRESSES = (150, 249)
NAME = re.compile(r"[a-z][a-z0-9-]{2,62}")
VERSIONS = {"pg": ["17"], "valkey": ["8"], "redis": ["8"]}
SIZES = ["db-s-1vcpu-1gb", "db-s-1vcpu-2gb", "db-s-2vcpu-4gb"]
STORAGE_MIB = dict(zip(SIZES, (10240, 30720, 61440), strict=True))
POLICIES = ("noeviction", "allkeys_lru", "allkeys_random", "volatile_lru", "volatile_random", "volatile_ttl")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def view(world: World, cluster: Document) -> Document:
    """A cluster as the API shows it."""
    connection = database_users.connection(cluster)
    postgresql = cluster["engine"] == "pg"
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
    }


def resume(world: World) -> None:
    for cluster in world.store.all("database"):
        if cluster["status"] != "online":
            world.later(build, world, cluster["id"])


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


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/databases/options")
    def options() -> Document:
        def offer(versions: list[str]) -> Document:
            return {"regions": list(REGIONS), "versions": versions, "layouts": [{"num_nodes": 1, "sizes": SIZES}]}

        engines = {engine: offer(versions) for engine, versions in VERSIONS.items()}
        availability = {
            engine: [{"version": version, "end_of_life": None, "end_of_availability": None} for version in versions] for engine, versions in VERSIONS.items()
        }
        return {"options": engines, "version_availability": availability}

    @app.get("/v2/databases")
    def list_clusters() -> Document:
        tag = request.args.get("tag_name")
        return {"databases": [view(world, cluster) for cluster in world.store.all("database") if tag is None or tag in cluster["tags"]]}

    @app.post("/v2/databases")
    def create_cluster() -> tuple[Document, int]:
        with world.store.transaction():
            cluster = _new(world, body())
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
            world.remove_container(name, cluster["address"], [name])
        world.later(_finish_deletion, world, cluster_id)
        return "", 204

    @app.put("/v2/databases/<cluster_id>/resize")
    def resize(cluster_id: str) -> tuple[str, int]:
        cluster = database_users.online(world, cluster_id)
        data = body()
        size, nodes = required(data, "size", "num_nodes")
        storage = data.get("storage_size_mib", max(cluster["storage_size_mib"], STORAGE_MIB.get(size, 0)))
        _check_layout(size, nodes)
        if storage < cluster["storage_size_mib"]:
            raise unprocessable("storage_size_mib cannot be reduced")
        with world.store.edit("database", cluster_id) as current:
            if current is not None:
                current |= {"size": size, "num_nodes": nodes, "storage_size_mib": storage}
        return "", 202

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
        rules = [_rule(world, cluster, rule) for rule in body().get("rules") or []]
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

    def _memory_store(cluster_id: str) -> Document:
        cluster = database_users.online(world, cluster_id)
        if cluster["engine"] == "pg":
            raise unprocessable("eviction policies are for Valkey and Redis clusters")
        return cluster

    @app.get("/v2/databases/<cluster_id>/backups")
    def list_backups(cluster_id: str) -> Document:
        found(world.store.get("database", cluster_id))
        return {"backups": []}

    @app.get("/v2/databases/<cluster_id>/events")
    def list_events(cluster_id: str) -> Document:
        found(world.store.get("database", cluster_id))
        return page("events", [])

    database_users.register(app, world)


def _new(world: World, data: Document) -> Document:
    name, engine, size, region, nodes = required(data, "name", "engine", "size", "region", "num_nodes")
    if not NAME.fullmatch(name):
        raise unprocessable("invalid cluster name: 3 to 63 lower case letters, digits and dashes, a letter first")
    if engine not in VERSIONS:
        raise unprocessable(f"The local cloud has no engine '{engine}'; it has {', '.join(VERSIONS)}.")
    version = str(data.get("version") or VERSIONS[engine][-1])
    if version not in VERSIONS[engine]:
        raise unprocessable(f"invalid cluster engine version; available: {', '.join(VERSIONS[engine])}")
    if region not in REGIONS:
        raise unprocessable("invalid region")
    _check_layout(size, nodes)
    if any(cluster["name"] == name for cluster in world.store.all("database")):
        raise unprocessable("cluster name is not available")
    vpc = data.get("private_network_uuid") or default_vpc(world, region)["id"]
    if not world.store.get("vpc", vpc):
        raise unprocessable("invalid private_network_uuid")
    for tag in data.get("tags") or []:
        tags.require_tag(world, tag)
    cluster: Document = {
        "id": str(uuid.uuid4()),
        "name": name,
        "engine": engine,
        "version": version,
        "num_nodes": nodes,
        "size": size,
        "storage_size_mib": data.get("storage_size_mib") or STORAGE_MIB[size],
        "region": region,
        "status": "creating",
        "created_at": now(),
        "vpc_uuid": vpc,
        "tags": data.get("tags") or [],
        "databases": ["defaultdb"] if engine == "pg" else [],
        "users": [{"name": "doadmin" if engine == "pg" else "default", "role": "primary", "password": database_users.password()}],
        "admin_password": secrets.token_hex(16),
        "eviction_policy": "noeviction",
        "maintenance": {"day": "monday", "hour": "03:00:00", "pending": False, "description": []},
        "project_id": data.get("project_id") or default_project(world)["id"],
        "rules": [],
        "address": world.free_address(*ADDRESSES),
    }
    cluster["rules"] = [_rule(world, cluster, rule) for rule in data.get("rules") or []]
    return cluster


def _rule(world: World, cluster: Document, rule: Document) -> Document:
    kind, value = required(rule, "type", "value")
    value = str(value)
    if kind == "ip_addr":
        try:
            ipaddress.IPv4Network(value)
        except ValueError as error:
            raise unprocessable(f"invalid ip_addr rule: {value}") from error
    elif kind == "droplet":
        if not world.store.get("droplet", value):
            raise unprocessable(f"droplet {value} does not exist")
    elif kind == "tag":
        if not world.store.get("tag", value):
            raise unprocessable(f"tag {value} does not exist")
    else:
        raise unprocessable(f"The local cloud knows trusted sources of type ip_addr, droplet and tag, not '{kind}'.")
    kept = next((old for old in cluster["rules"] if (old["type"], old["value"]) == (kind, value)), None)
    return kept or {"uuid": str(uuid.uuid4()), "cluster_uuid": cluster["id"], "type": kind, "value": value, "created_at": now()}


def _check_layout(size: str, nodes: int) -> None:
    if size not in SIZES:
        raise unprocessable("invalid size")
    if nodes != 1:
        raise unprocessable("The local cloud runs one node for each cluster: num_nodes must be 1.")


def _finish_deletion(world: World, cluster_id: str) -> None:
    # One that is still being created must not come back after its removal.
    with world.locks[f"database-{cluster_id}"]:
        world.finish_removals()
