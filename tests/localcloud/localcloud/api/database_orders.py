# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What managed databases can be ordered: engines, versions, sizes and layouts, and what an order says."""

from __future__ import annotations

import ipaddress
import re
import secrets
import uuid

from flask import Blueprint

from localcloud.api import database_users, tags
from localcloud.api.answers import required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.projects import default_project
from localcloud.api.vpcs import default_vpc
from localcloud.store import Document
from localcloud.world import World, now

ADDRESSES = (150, 249)
NAME = re.compile(r"[a-z][a-z0-9-]{2,62}")
SIZES = ["db-s-1vcpu-1gb", "db-s-1vcpu-2gb", "db-s-2vcpu-4gb"]
STORAGE_MIB = dict(zip(SIZES, (10240, 30720, 61440), strict=True))
# The smallest size has no standby. A standby is a record: one server runs for each cluster.
LAYOUTS = {1: SIZES, 2: SIZES[1:], 3: SIZES[1:]}


def versions(world: World) -> dict[str, list[str]]:
    """The major versions of each engine: those of the image, and more where nothing runs, so that there is something to upgrade."""
    return {"pg": ["15", "16", "17"] if world.cloud.records_only else ["17"], "valkey": ["8"], "redis": ["8"]}


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/databases/options")
    def options() -> Document:
        layouts = [{"num_nodes": nodes, "sizes": sizes} for nodes, sizes in LAYOUTS.items()]
        had = versions(world)
        return {
            "options": {engine: {"regions": list(REGIONS), "versions": offered, "layouts": layouts} for engine, offered in had.items()},
            "version_availability": {
                engine: [{"version": version, "end_of_life": None, "end_of_availability": None} for version in offered] for engine, offered in had.items()
            },
        }


def new(world: World, data: Document) -> Document:
    """A cluster as ordered. Refuses what cannot be had."""
    name, engine, size, region, nodes = required(data, "name", "engine", "size", "region", "num_nodes")
    if not NAME.fullmatch(name):
        raise unprocessable("invalid cluster name: 3 to 63 lower case letters, digits and dashes, a letter first")
    offered = versions(world)
    if engine not in offered:
        raise unprocessable(f"The local cloud has no engine '{engine}'; it has {', '.join(offered)}.")
    source = _source(world, data)
    version = str(data.get("version") or (source["version"] if source else offered[engine][-1]))
    if version not in offered[engine]:
        raise unprocessable(f"invalid cluster engine version; available: {', '.join(offered[engine])}")
    if source and (source["engine"] != engine or int(version) < int(source["version"])):
        raise unprocessable("backup_restore: a fork has the engine of its source, and no older version")
    if region not in REGIONS:
        raise unprocessable("invalid region")
    check_layout(size, nodes)
    if any(cluster["name"] == name for cluster in world.store.all("database")):
        raise unprocessable("cluster name is not available")
    vpc = data.get("private_network_uuid") or default_vpc(world, region)["id"]
    if not world.store.get("vpc", vpc):
        raise unprocessable("invalid private_network_uuid")
    for tag in data.get("tags") or []:
        tags.require_tag(world, tag)
    primary = {"name": "doadmin" if engine == "pg" else "default", "role": "primary", "password": database_users.password()}
    cluster: Document = {
        "id": str(uuid.uuid4()),
        "name": name,
        "engine": engine,
        "version": version,
        "num_nodes": nodes,
        "size": size,
        "storage_size_mib": data.get("storage_size_mib") or max(STORAGE_MIB[size], source["storage_size_mib"] if source else 0),
        "region": region,
        "status": "forking" if source else "creating",
        "created_at": now(),
        "vpc_uuid": vpc,
        "tags": data.get("tags") or [],
        "databases": source["databases"] if source else ["defaultdb"] if engine == "pg" else [],
        "users": [primary, *(source["users"][1:] if source else [])],
        "pools": [],
        "admin_password": secrets.token_hex(16),
        "eviction_policy": "noeviction",
        "maintenance": {"day": "monday", "hour": "03:00:00", "pending": False, "description": []},
        "project_id": data.get("project_id") or default_project(world)["id"],
        "rules": [],
        "address": world.free_address(*ADDRESSES),
    }
    cluster["rules"] = [rule(world, cluster, wanted) for wanted in data.get("rules") or []]
    return cluster


def _source(world: World, data: Document) -> Document | None:
    """The cluster that a new one is forked from."""
    restore = data.get("backup_restore")
    if not restore:
        return None
    if not world.cloud.records_only:
        raise unprocessable("backup_restore: the local cloud forks clusters only where they are records.")
    (name,) = required(restore, "database_name")
    source = next((cluster for cluster in world.store.all("database") if cluster["name"] == name), None)
    if source is None or source["engine"] != "pg":
        raise unprocessable(f"backup_restore: there is no PostgreSQL cluster named {name}")
    taken = restore.get("backup_created_at")
    if taken and not source["created_at"] <= taken <= now():
        raise unprocessable("backup_created_at is outside the time that can be restored")
    return source


def check_layout(size: str, nodes: int) -> None:
    if size not in SIZES:
        raise unprocessable("invalid size")
    if size not in LAYOUTS.get(nodes, []):
        raise unprocessable(f"invalid num_nodes {nodes} for size {size}")


def rule(world: World, cluster: Document, wanted: Document) -> Document:
    """A trusted source of a cluster."""
    kind, value = required(wanted, "type", "value")
    value = str(value)
    if kind == "ip_addr":
        try:
            ipaddress.IPv4Network(value)
        except ValueError as error:
            raise unprocessable(f"invalid ip_addr rule: {value}") from error
    elif kind in ("droplet", "tag", "app"):
        if not world.store.get(kind, value):
            raise unprocessable(f"{kind} {value} does not exist")
    else:
        raise unprocessable(f"The local cloud knows trusted sources of type ip_addr, droplet, tag and app, not '{kind}'.")
    kept = next((old for old in cluster["rules"] if (old["type"], old["value"]) == (kind, value)), None)
    return kept or {"uuid": str(uuid.uuid4()), "cluster_uuid": cluster["id"], "type": kind, "value": value, "created_at": now()}
