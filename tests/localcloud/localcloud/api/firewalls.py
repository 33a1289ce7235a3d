# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloud firewalls, as records: kept and answered, not enforced on the hosts."""

from __future__ import annotations

import re
import uuid

from flask import Blueprint

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World, now

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]+")
LISTS = ("inbound_rules", "outbound_rules", "droplet_ids", "tags")


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/firewalls")
    def list_firewalls() -> Document:
        return page("firewalls", world.store.all("firewall"))

    @app.post("/v2/firewalls")
    def create_firewall() -> tuple[Document, int]:
        firewall = {"id": str(uuid.uuid4()), **_checked(body()), "status": "succeeded", "created_at": now(), "pending_changes": []}
        with world.store.transaction():
            if any(other["name"] == firewall["name"] for other in world.store.all("firewall")):
                raise unprocessable("duplicate name")
            world.store.put("firewall", firewall["id"], firewall)
        return {"firewall": firewall}, 202

    @app.get("/v2/firewalls/<firewall_id>")
    def get_firewall(firewall_id: str) -> Document:
        return {"firewall": found(world.store.get("firewall", firewall_id))}

    @app.put("/v2/firewalls/<firewall_id>")
    def replace_firewall(firewall_id: str) -> Document:
        firewall = {**found(world.store.get("firewall", firewall_id)), **_checked(body())}
        world.store.put("firewall", firewall_id, firewall)
        return {"firewall": firewall}

    @app.delete("/v2/firewalls/<firewall_id>")
    def delete_firewall(firewall_id: str) -> tuple[str, int]:
        found(world.store.get("firewall", firewall_id))
        world.store.delete("firewall", firewall_id)
        return "", 204

    @app.get("/v2/droplets/<int:droplet_id>/firewalls")
    def of_droplet(droplet_id: int) -> Document:
        droplet = found(world.store.get("droplet", droplet_id))
        return page("firewalls", [one for one in world.store.all("firewall") if droplet_id in one["droplet_ids"] or set(one["tags"]) & set(droplet["tags"])])

    def change(firewall_id: str, keys: tuple[str, ...], *, add: bool) -> tuple[str, int]:
        data = body()
        with world.store.transaction():
            firewall = found(world.store.get("firewall", firewall_id))
            for key in keys:
                named = data.get(key) or []
                rest = [one for one in firewall[key] if one not in named]
                firewall[key] = [*rest, *named] if add else rest
            world.store.put("firewall", firewall_id, {**firewall, **_checked(firewall)})
        return "", 204

    for path, keys in {"droplets": ("droplet_ids",), "tags": ("tags",), "rules": ("inbound_rules", "outbound_rules")}.items():
        app.add_url_rule(
            f"/v2/firewalls/<firewall_id>/{path}", f"add_{path}", lambda firewall_id, keys=keys: change(firewall_id, keys, add=True), methods=["POST"]
        )
        app.add_url_rule(
            f"/v2/firewalls/<firewall_id>/{path}", f"remove_{path}", lambda firewall_id, keys=keys: change(firewall_id, keys, add=False), methods=["DELETE"]
        )

    def _checked(data: Document) -> Document:
        (name,) = required(data, "name")
        if not NAME.fullmatch(name):
            raise unprocessable("name must contain only alphanumeric characters, periods and dashes")
        lists = {key: data.get(key) or [] for key in LISTS}
        if not lists["inbound_rules"] and not lists["outbound_rules"]:
            raise unprocessable("must specify at least one inbound or outbound rule")
        for droplet_id in lists["droplet_ids"]:
            if not world.store.get("droplet", droplet_id):
                raise unprocessable(f"droplet {droplet_id} does not exist")
        for tag in lists["tags"]:
            if not world.store.get("tag", tag):
                raise unprocessable(f"tag {tag} does not exist")
        return {"name": name, **lists}
