# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read-only replicas of a PostgreSQL cluster, where clusters are records: no server would replicate."""

from __future__ import annotations

import uuid

from flask import Blueprint

from localcloud.api import database_orders, database_users, tags
from localcloud.api.answers import ApiError, body, found, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.vpcs import default_vpc
from localcloud.store import Document
from localcloud.world import World, now


def resume(world: World) -> None:
    for replica in world.store.all("replica"):
        if replica["status"] != "online":
            world.later(change, world, replica["id"])


def begin(world: World, replica_id: str, status: str, fields: Document) -> None:
    """Note a change that takes its time."""
    with world.store.edit("replica", replica_id) as current:
        if current is not None:
            current |= {"status": status, "change": fields}
    world.later(change, world, replica_id, seconds=world.settings()["boot_seconds"])


def change(world: World, replica_id: str) -> None:
    """Make a change that was begun, or finish the creation. Safe to repeat."""
    with world.store.edit("replica", replica_id) as current:
        if current is not None:
            current |= {**current.pop("change", {}), "status": "online"}


def forget(world: World, cluster_id: str) -> None:
    """A cluster's replicas go with it."""
    for replica in world.store.all("replica"):
        if replica["cluster_id"] == cluster_id:
            world.store.delete("replica", replica["id"])


def register(app: Blueprint, world: World) -> None:
    def postgresql(cluster_id: str) -> Document:
        cluster = database_users.online(world, cluster_id)
        if cluster["engine"] != "pg":
            raise unprocessable("read-only replicas are for PostgreSQL and MySQL clusters")
        return cluster

    def one(cluster_id: str, name: str) -> Document:
        postgresql(cluster_id)
        return found(next((each for each in world.store.all("replica") if (each["cluster_id"], each["name"]) == (cluster_id, name)), None))

    @app.get("/v2/databases/<cluster_id>/replicas")
    def list_replicas(cluster_id: str) -> Document:
        cluster = postgresql(cluster_id)
        return {"replicas": [view(cluster, replica) for replica in world.store.all("replica") if replica["cluster_id"] == cluster_id]}

    @app.post("/v2/databases/<cluster_id>/replicas")
    def create_replica(cluster_id: str) -> tuple[Document, int]:
        if not world.cloud.records_only:
            raise ApiError(501, "not_implemented", "The local cloud has read-only replicas only where clusters are records (the real API has them).")
        with world.store.transaction():
            cluster = postgresql(cluster_id)
            replica = _new(world, cluster, body())
            world.store.put("replica", replica["id"], replica)
        world.later(change, world, replica["id"], seconds=world.settings()["boot_seconds"])
        return {"replica": view(cluster, replica)}, 201

    @app.get("/v2/databases/<cluster_id>/replicas/<name>")
    def get_replica(cluster_id: str, name: str) -> Document:
        return {"replica": view(postgresql(cluster_id), one(cluster_id, name))}

    @app.delete("/v2/databases/<cluster_id>/replicas/<name>")
    def delete_replica(cluster_id: str, name: str) -> tuple[str, int]:
        world.store.delete("replica", one(cluster_id, name)["id"])
        return "", 204

    @app.put("/v2/databases/<cluster_id>/replicas/<name>/promote")
    def promote_replica(cluster_id: str, name: str) -> tuple[str, int]:
        with world.store.transaction():
            replica, cluster = one(cluster_id, name), postgresql(cluster_id)
            if replica["status"] != "online":
                raise ApiError(409, "conflict", f"The replica is {replica['status']}.")
            own = {key: replica[key] for key in ("id", "name", "size", "region", "storage_size_mib", "tags", "vpc_uuid", "address", "created_at", "status")}
            world.store.delete("replica", replica["id"])
            world.store.put("database", replica["id"], {**cluster, **own, "num_nodes": 1, "rules": [], "pools": []})
        return "", 204


def view(cluster: Document, replica: Document) -> Document:
    connection = database_users.connection({**cluster, "address": replica["address"]})
    shown = {key: replica[key] for key in ("id", "name", "region", "size", "status", "tags", "created_at", "storage_size_mib")}
    return {**shown, "private_network_uuid": replica["vpc_uuid"], "connection": connection, "private_connection": connection}


def _new(world: World, cluster: Document, data: Document) -> Document:
    name, size = required(data, "name", "size")
    region = data.get("region") or cluster["region"]
    if region not in REGIONS:
        raise unprocessable("invalid region")
    database_orders.check_layout(size, 1)
    if database_orders.SIZES.index(size) < database_orders.SIZES.index(cluster["size"]):
        raise unprocessable(f"invalid size {size}: it has to be at least the cluster's, {cluster['size']}")
    storage = data.get("storage_size_mib") or max(cluster["storage_size_mib"], database_orders.STORAGE_MIB[size])
    if storage < cluster["storage_size_mib"]:
        raise unprocessable("storage_size_mib has to be at least the cluster's")
    if any(other["name"] == name for kind in ("replica", "database") for other in world.store.all(kind)):
        raise unprocessable("replica name is not available")
    vpc = data.get("private_network_uuid") or default_vpc(world, region)["id"]
    if not world.store.get("vpc", vpc):
        raise unprocessable("invalid private_network_uuid")
    for tag in data.get("tags") or []:
        tags.require_tag(world, tag)
    return {
        "id": str(uuid.uuid4()),
        "cluster_id": cluster["id"],
        "name": name,
        "size": size,
        "region": region,
        "storage_size_mib": storage,
        "status": "forking",
        "tags": data.get("tags") or [],
        "created_at": now(),
        "vpc_uuid": vpc,
        "address": world.free_address(*database_orders.ADDRESSES),
    }
