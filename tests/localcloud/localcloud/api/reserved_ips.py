# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserved IPs, as records: kept and answered, no traffic goes to them."""

from __future__ import annotations

from flask import Blueprint

from localcloud.api import droplets
from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.projects import default_project
from localcloud.api.settling import change, is_pending, noted_action, settled
from localcloud.store import Document
from localcloud.world import World


def holder(world: World, address: Document) -> Document | None:
    """The droplet that has it, as long as that exists."""
    return world.store.get("droplet", settled(address)["droplet_id"] or 0)


def view(world: World, address: Document) -> Document:
    droplet = holder(world, address)
    return {
        "ip": address["ip"],
        "region": REGIONS[address["region"]],
        "droplet": droplets.view(world, droplet) if droplet else None,
        "locked": is_pending(address),
        "project_id": address["project_id"],
    }


def register(app: Blueprint, world: World) -> None:
    def stored(address: str) -> Document:
        return found(world.store.get("reserved_ip", address))

    @app.get("/v2/reserved_ips")
    def list_addresses() -> Document:
        return page("reserved_ips", world.store.all("reserved_ip"), lambda one: view(world, one))

    @app.post("/v2/reserved_ips")
    def reserve() -> tuple[Document, int]:
        data = body()
        with world.store.transaction():
            droplet = _droplet(world, data["droplet_id"]) if "droplet_id" in data else None
            region = droplet["region"] if droplet else required(data, "region")[0]
            if region not in REGIONS:
                raise unprocessable("region is not valid")
            number = world.store.number("reserved_ip", 0)
            address = {
                "ip": f"198.18.{number // 250}.{number % 250 + 1}",
                "region": region,
                "droplet_id": None,
                "project_id": data.get("project_id") or default_project(world)["id"],
            }
            if droplet:
                address = change(world, address, droplet_id=droplet["id"])
            world.store.put("reserved_ip", address["ip"], address)
        return {"reserved_ip": view(world, address), "links": {"droplets": [], "actions": []}}, 202

    @app.get("/v2/reserved_ips/<address>")
    def get_address(address: str) -> Document:
        return {"reserved_ip": view(world, stored(address))}

    @app.delete("/v2/reserved_ips/<address>")
    def release(address: str) -> tuple[str, int]:
        if holder(world, stored(address)):
            raise unprocessable("The reserved IP is assigned to a droplet: unassign it first.")
        world.store.delete("reserved_ip", address)
        return "", 204

    @app.post("/v2/reserved_ips/<address>/actions")
    def act(address: str) -> tuple[Document, int]:
        data = body()
        (kind,) = required(data, "type")
        with world.store.transaction():
            reserved = stored(address)
            if is_pending(reserved):
                raise unprocessable("The reserved IP already has a pending event.")
            if kind == "assign":
                droplet = _droplet(world, *required(data, "droplet_id"))
                if droplet["region"] != reserved["region"]:
                    raise unprocessable("The droplet is in another region than the reserved IP.")
                changed = change(world, reserved, droplet_id=droplet["id"])
            elif kind == "unassign":
                if not holder(world, reserved):
                    raise unprocessable("The reserved IP is not assigned.")
                changed = change(world, reserved, droplet_id=None)
            else:
                raise unprocessable("type must be assign or unassign")
            world.store.put("reserved_ip", address, changed)
            action = noted_action(world, f"{kind}_ip", "reserved_ip", reserved["region"])
        return {"action": {**action, "project_id": reserved["project_id"]}}, 201


def _droplet(world: World, droplet_id: int) -> Document:
    droplet = world.store.get("droplet", droplet_id)
    if droplet is None:
        raise unprocessable(f"droplet_id: droplet {droplet_id} does not exist")
    taken = (holder(world, address) for address in world.store.all("reserved_ip"))
    if any(one and one["id"] == droplet_id for one in taken):
        raise unprocessable("The droplet already has a reserved IP.")
    return droplet
