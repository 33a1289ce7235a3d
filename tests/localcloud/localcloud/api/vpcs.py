# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual private clouds, as records: all hosts of this cloud are in one network."""

from __future__ import annotations

import ipaddress
import re
import uuid

from flask import Blueprint

from localcloud.api.answers import ApiError, body, found, page, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.store import Document
from localcloud.world import World, now

NAME = re.compile(r"[a-zA-Z0-9\-.]+")


def default_vpc(world: World, region: str) -> Document:
    """The VPC that each region has from its first use."""
    with world.store.transaction():
        for vpc in world.store.all("vpc"):
            if vpc["region"] == region and vpc["default"]:
                return vpc
        return _add(world, f"default-{region}", region, f"10.{100 + list(REGIONS).index(region)}.0.0/20", "", default=True)


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/vpcs")
    def list_vpcs() -> Document:
        return page("vpcs", world.store.all("vpc"))

    @app.post("/v2/vpcs")
    def create_vpc() -> tuple[Document, int]:
        data = body()
        name, region = required(data, "name", "region")
        _check_name(name)
        if region not in REGIONS:
            raise unprocessable("region is not valid")
        with world.store.transaction():
            vpcs = world.store.all("vpc")
            if any(vpc["name"] == name for vpc in vpcs):
                raise unprocessable("a VPC with the same name already exists in your account")
            default_vpc(world, region)
            range_ = data.get("ip_range") or f"10.{150 + world.store.number('vpc-range', 0) % 100}.0.0/20"
            _check_range(range_, vpcs)
            vpc = _add(world, name, region, range_, data.get("description") or "", default=False)
        return {"vpc": vpc}, 201

    @app.get("/v2/vpcs/<vpc_id>")
    def get_vpc(vpc_id: str) -> Document:
        return {"vpc": found(world.store.get("vpc", vpc_id))}

    @app.put("/v2/vpcs/<vpc_id>")
    def replace_vpc(vpc_id: str) -> Document:
        data = body()
        required(data, "name")
        return _change(vpc_id, {"description": "", "default": False, **data})

    @app.patch("/v2/vpcs/<vpc_id>")
    def change_vpc(vpc_id: str) -> Document:
        return _change(vpc_id, body())

    @app.delete("/v2/vpcs/<vpc_id>")
    def delete_vpc(vpc_id: str) -> tuple[str, int]:
        vpc = found(world.store.get("vpc", vpc_id))
        if vpc["default"]:
            raise ApiError(403, "forbidden", "Can not delete default VPCs")
        if _members(vpc_id):
            raise ApiError(403, "forbidden", "Can not delete VPC with members")
        world.store.delete("vpc", vpc_id)
        return "", 204

    @app.get("/v2/vpcs/<vpc_id>/members")
    def list_members(vpc_id: str) -> Document:
        found(world.store.get("vpc", vpc_id))
        return page("members", _members(vpc_id))

    def _change(vpc_id: str, data: Document) -> Document:
        vpc = found(world.store.get("vpc", vpc_id))
        changes: Document = {key: data[key] for key in ("name", "description", "default") if key in data}
        _check_name(changes.get("name", vpc["name"]))
        with world.store.transaction():
            if changes.get("default"):
                other = default_vpc(world, vpc["region"])
                world.store.put("vpc", other["id"], {**other, "default": False})
            elif vpc["default"]:
                changes["default"] = True  # a region is never without one
            vpc |= changes
            world.store.put("vpc", vpc_id, vpc)
        return {"vpc": vpc}

    def _members(vpc_id: str) -> list[Document]:
        return [
            {"urn": f"do:{urn}:{one['id']}", "name": one["name"], "created_at": one["created_at"]}
            for kind, urn in {"droplet": "droplet", "database": "dbaas"}.items()
            for one in world.store.all(kind)
            if one["vpc_uuid"] == vpc_id
        ]


def _add(world: World, name: str, region: str, range_: str, description: str, *, default: bool) -> Document:
    id_ = str(uuid.uuid4())
    vpc = {
        "id": id_,
        "urn": f"do:vpc:{id_}",
        "name": name,
        "description": description,
        "region": region,
        "ip_range": range_,
        "created_at": now(),
        "default": default,
    }
    world.store.put("vpc", id_, vpc)
    return vpc


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise unprocessable("name may only contain alphanumeric characters, dashes, and periods")


def _check_range(range_: str, vpcs: list[Document]) -> None:
    try:
        network = ipaddress.ip_network(range_)
    except ValueError as error:
        raise unprocessable("ip_range is not a valid CIDR") from error
    if not network.is_private or not 16 <= network.prefixlen <= 28:
        raise unprocessable("ip_range must be private and between /16 and /28")
    if any(network.overlaps(ipaddress.ip_network(vpc["ip_range"])) for vpc in vpcs):
        raise unprocessable("This range/size overlaps with another VPC network in your account")
