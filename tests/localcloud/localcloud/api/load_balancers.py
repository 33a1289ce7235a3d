# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers, as records: kept and answered, no traffic goes through them."""

from __future__ import annotations

import re
import time
import uuid

from flask import Blueprint

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.projects import default_project
from localcloud.api.settling import change, settled
from localcloud.api.vpcs import default_vpc
from localcloud.store import Document
from localcloud.world import World, now

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*")
HEALTH_CHECK: Document = {
    "protocol": "http",
    "port": 80,
    "path": "/",
    "check_interval_seconds": 10,
    "response_timeout_seconds": 5,
    "unhealthy_threshold": 5,
    "healthy_threshold": 3,
}
# What a change resets where it does not name it.
DEFAULTS: Document = {
    "size_unit": 1,
    "algorithm": "round_robin",
    "sticky_sessions": {"type": "none"},
    "redirect_http_to_https": False,
    "enable_proxy_protocol": False,
    "enable_backend_keepalive": False,
    "http_idle_timeout_seconds": 60,
    "disable_lets_encrypt_dns_records": False,
    "network": "EXTERNAL",
    "network_stack": "IPV4",
    "type": "REGIONAL",
    "tls_cipher_policy": "DEFAULT",
    "firewall": {"deny": [], "allow": []},
    "tag": "",
}


def members(world: World, balancer: Document) -> list[int]:
    """The droplets behind it: by tag, or by number as far as they still exist."""
    droplets = world.store.all("droplet")
    if balancer["tag"]:
        return [one["id"] for one in droplets if balancer["tag"] in one["tags"] and one["region"] == balancer["region"]]
    return [one["id"] for one in droplets if one["id"] in balancer["droplet_ids"]]


def view(world: World, balancer: Document) -> Document:
    shown = settled(balancer)
    ready = time.time() >= shown["ready_at"]
    return {
        **{key: value for key, value in shown.items() if key not in ("ready_at", "pending")},
        "region": REGIONS[shown["region"]],
        "status": "active" if ready else "new",
        "ip": shown["ip"] if ready else "",
        "droplet_ids": members(world, shown),
    }


def register(app: Blueprint, world: World) -> None:
    def stored(balancer_id: str) -> Document:
        return settled(found(world.store.get("load_balancer", balancer_id)))

    @app.get("/v2/load_balancers")
    def list_balancers() -> Document:
        return page("load_balancers", world.store.all("load_balancer"), lambda one: view(world, one))

    @app.post("/v2/load_balancers")
    def create_balancer() -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        if not NAME.fullmatch(name):
            raise unprocessable("name can only contain alphanumeric characters, dashes and periods")
        with world.store.transaction():
            if any(other["name"] == name for other in world.store.all("load_balancer")):
                raise unprocessable("load balancer name must be unique")
            settings = _checked(world, data)
            balancer = {
                "id": str(uuid.uuid4()),
                "name": name,
                **settings,
                "vpc_uuid": _vpc(world, data, settings["region"]),
                "ip": f"203.0.113.{world.store.number('load_balancer', 0) % 254 + 1}",
                "created_at": now(),
                "ready_at": time.time() + world.settings()["settle_seconds"],
            }
            world.store.put("load_balancer", balancer["id"], balancer)
        return {"load_balancer": view(world, balancer)}, 202

    @app.get("/v2/load_balancers/<balancer_id>")
    def get_balancer(balancer_id: str) -> Document:
        return {"load_balancer": view(world, stored(balancer_id))}

    @app.put("/v2/load_balancers/<balancer_id>")
    def replace_balancer(balancer_id: str) -> Document:
        data = body()
        with world.store.transaction():
            balancer = stored(balancer_id)
            changes = _checked(world, data)
            if changes["region"] != balancer["region"] or data.get("vpc_uuid", balancer["vpc_uuid"]) != balancer["vpc_uuid"]:
                raise unprocessable("region and vpc_uuid cannot be changed")
            world.store.put("load_balancer", balancer_id, {**balancer, "name": data.get("name", balancer["name"]), **changes})
        return {"load_balancer": view(world, stored(balancer_id))}

    @app.delete("/v2/load_balancers/<balancer_id>")
    def delete_balancer(balancer_id: str) -> tuple[str, int]:
        stored(balancer_id)
        world.store.delete("load_balancer", balancer_id)
        return "", 204

    def change_members(balancer_id: str, *, add: bool) -> tuple[str, int]:
        (named,) = required(body(), "droplet_ids")
        with world.store.transaction():
            balancer = stored(balancer_id)
            if balancer["tag"]:
                raise unprocessable("cannot change the droplets of a load balancer that is configured by tag")
            _check_droplets(world, named if add else [], balancer["region"])
            rest = [one for one in balancer["droplet_ids"] if one not in named]
            world.store.put("load_balancer", balancer_id, change(world, balancer, droplet_ids=[*rest, *named] if add else rest))
        return "", 204

    @app.post("/v2/load_balancers/<balancer_id>/droplets")
    def add_droplets(balancer_id: str) -> tuple[str, int]:
        return change_members(balancer_id, add=True)

    @app.delete("/v2/load_balancers/<balancer_id>/droplets")
    def remove_droplets(balancer_id: str) -> tuple[str, int]:
        return change_members(balancer_id, add=False)


def _checked(world: World, data: Document) -> Document:
    """What a creation and a change have in common, with defaults for what is not named."""
    rules, region = required(data, "forwarding_rules", "region")
    if region not in REGIONS:
        raise unprocessable("region is not valid")
    tag, droplets = data.get("tag") or "", data.get("droplet_ids") or []
    if tag and droplets:
        raise unprocessable("only one of droplet_ids or tag can be given")
    if tag and not world.store.get("tag", tag):
        raise unprocessable(f"tag {tag} does not exist")
    _check_droplets(world, droplets, region)
    for rule in rules:
        secure = rule["entry_protocol"] in ("https", "http2", "http3")
        if secure and not (rule.get("certificate_id") or rule.get("tls_passthrough")):
            raise unprocessable("forwarding_rules: https and http2 need a certificate_id or tls_passthrough")
        if rule.get("certificate_id") and not world.store.get("certificate", rule["certificate_id"]):
            raise unprocessable(f"forwarding_rules: certificate_id {rule['certificate_id']} does not exist")
        if not (0 < rule["entry_port"] < 65536 and 0 < rule["target_port"] < 65536):
            raise unprocessable("forwarding_rules: a port is between 1 and 65535")
    entries = [rule["entry_port"] for rule in rules]
    if len(entries) > len(set(entries)):
        raise unprocessable("forwarding_rules: two rules have the same entry_port")
    if data.get("redirect_http_to_https") and not any(rule["entry_protocol"] in ("https", "http2") for rule in rules):
        raise unprocessable("redirect_http_to_https needs a forwarding rule for https")
    return {
        **{key: data.get(key, value) for key, value in DEFAULTS.items()},
        "project_id": data.get("project_id") or default_project(world)["id"],
        "health_check": {**HEALTH_CHECK, **(data.get("health_check") or {})},
        "forwarding_rules": [{"certificate_id": "", "tls_passthrough": False, **rule} for rule in rules],
        "region": region,
        "tag": tag,
        "droplet_ids": droplets,
    }


def _check_droplets(world: World, droplet_ids: list[int], region: str) -> None:
    for droplet_id in droplet_ids:
        droplet = world.store.get("droplet", droplet_id)
        if droplet is None or droplet["region"] != region:
            raise unprocessable(f"droplet_ids: droplet {droplet_id} does not exist in {region}")


def _vpc(world: World, data: Document, region: str) -> str:
    named = data.get("vpc_uuid") or default_vpc(world, region)["id"]
    vpc = world.store.get("vpc", named)
    if vpc is None or vpc["region"] != region:
        raise unprocessable("vpc_uuid: the VPC does not exist in this region")
    return str(named)
