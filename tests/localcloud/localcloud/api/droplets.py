# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Droplets: each one a real host."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from flask import Blueprint, request

from localcloud import hosts, trusted, userdata
from localcloud.api import actions, volumes
from localcloud.api.account import find_key
from localcloud.api.answers import body, found, link, page, required, unprocessable
from localcloud.api.catalog import IMAGES, REGIONS, SIZES, image
from localcloud.api.droplet_actions import NAME, backup_policy, begin, perform
from localcloud.api.tags import require_tag
from localcloud.api.vpcs import default_vpc
from localcloud.store import Document
from localcloud.world import World, now

ADDRESSES = (10, 149)


def view(world: World, droplet: Document) -> Document:
    """A droplet as the API shows it."""
    size = SIZES[droplet["size"]]
    # The local network is public and private at once: a host has one address.
    address = {"ip_address": droplet["address"], "netmask": "255.255.255.0", "gateway": world.cloud.gateway}
    networks = [] if droplet["status"] == "new" else [{**address, "type": "public"}, {**address, "type": "private"}]
    return {
        "id": droplet["id"],
        "name": droplet["name"],
        "memory": size["memory"],
        "vcpus": size["vcpus"],
        "disk": droplet["disk"],
        "locked": world.store.get("pending", droplet["id"]) is not None,
        "status": droplet["status"],
        "kernel": None,
        "created_at": droplet["created_at"],
        "features": droplet["features"],
        "backup_ids": [],
        "next_backup_window": {"start": droplet["created_at"], "end": droplet["created_at"]} if "backups" in droplet["features"] else None,
        "snapshot_ids": [],
        "image": IMAGES[droplet["image"]],
        "volume_ids": volumes.of_droplet(world, droplet["id"]),
        "size": size,
        "size_slug": droplet["size"],
        "networks": {"v4": networks, "v6": [_ipv6(droplet)] if networks and "ipv6" in droplet["features"] else []},
        "region": REGIONS[droplet["region"]],
        "tags": droplet["tags"],
        "vpc_uuid": droplet["vpc_uuid"],
    }


def _ipv6(droplet: Document) -> Document:
    """An address of the range that is kept for documentation."""
    return {"ip_address": str(IPv6Address("2001:db8::") + droplet["id"]), "netmask": 64, "gateway": "2001:db8::1", "type": "public"}


def _policy(droplet: Document) -> Document:
    """The backups of a droplet as the API shows them."""
    shown = {"droplet_id": droplet["id"], "backup_enabled": "backups" in droplet["features"]}
    if not droplet["backup_policy"]:
        return shown
    window = {"start": droplet["created_at"], "end": droplet["created_at"]}
    return {**shown, "backup_policy": droplet["backup_policy"], "next_backup_window": window}


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/droplets")
    def list_droplets() -> Document:
        tag, name = request.args.get("tag_name"), request.args.get("name")
        chosen = [one for one in world.store.all("droplet") if (tag is None or tag in one["tags"]) and (name is None or one["name"].lower() == name.lower())]
        return page("droplets", chosen, lambda droplet: view(world, droplet))

    @app.post("/v2/droplets")
    def create_droplets() -> tuple[Document, int]:
        data = body()
        many = "names" in data
        names = data["names"] if many else required(data, "name")
        with world.store.transaction():
            template = _template(world, data)
            made = _make(world, names, template)
            begun = [actions.start(world, "create", droplet) for droplet in made]
        for action in begun:
            world.later(perform, world, action, seconds=world.settings()["boot_seconds"])
        links = {
            "actions": [{"id": action["id"], "rel": "multiple_create" if many else "create", "href": link(f"/v2/actions/{action['id']}")} for action in begun]
        }
        shown = [view(world, droplet) for droplet in made]
        return ({"droplets": shown, "links": links} if many else {"droplet": shown[0], "links": links}), 202

    @app.get("/v2/droplets/<int:droplet_id>")
    def get_droplet(droplet_id: int) -> Document:
        return {"droplet": view(world, found(world.store.get("droplet", droplet_id)))}

    @app.delete("/v2/droplets/<int:droplet_id>")
    def delete_droplet(droplet_id: int) -> tuple[str, int]:
        _delete(world, [found(world.store.get("droplet", droplet_id))])
        return "", 204

    @app.delete("/v2/droplets")
    def delete_tagged() -> tuple[str, int]:
        tag = request.args.get("tag_name")
        if not tag:
            raise unprocessable("tag_name is a required parameter")
        _delete(world, [droplet for droplet in world.store.all("droplet") if tag in droplet["tags"]])
        return "", 204

    @app.get("/v2/droplets/<int:droplet_id>/actions")
    def list_actions(droplet_id: int) -> Document:
        found(world.store.get("droplet", droplet_id))
        return page("actions", [actions.view(action) for action in actions.of_droplet(world, droplet_id)])

    @app.post("/v2/droplets/<int:droplet_id>/actions")
    def start_action(droplet_id: int) -> tuple[Document, int]:
        action = begin(world, found(world.store.get("droplet", droplet_id)), body())
        return {"action": actions.view(action)}, 201

    @app.post("/v2/droplets/actions")
    def start_actions() -> tuple[Document, int]:
        tag = request.args.get("tag_name")
        chosen = [droplet for droplet in world.store.all("droplet") if tag in droplet["tags"]]
        return {"actions": [actions.view(begin(world, droplet, body())) for droplet in chosen]}, 201

    @app.get("/v2/droplets/<int:droplet_id>/actions/<int:action_id>")
    def get_action(droplet_id: int, action_id: int) -> Document:
        found(world.store.get("droplet", droplet_id))
        return {"action": actions.view(found(world.store.get("action", action_id)))}

    @app.get("/v2/droplets/backups/policies")
    def list_policies() -> Document:
        listed = page("policies", world.store.all("droplet"), _policy)
        return {**listed, "policies": {str(each["droplet_id"]): each for each in listed["policies"]}}

    @app.get("/v2/droplets/<int:droplet_id>/backups/policy")
    def get_policy(droplet_id: int) -> Document:
        return {"policy": _policy(found(world.store.get("droplet", droplet_id)))}

    @app.get("/v2/droplets/<int:droplet_id>/<any(backups, snapshots, kernels):what>")
    def list_nothing(droplet_id: int, what: str) -> Document:
        # This cloud makes none of these, which is what the lists say.
        found(world.store.get("droplet", droplet_id))
        return page(what, [])


def _template(world: World, data: Document) -> Document:
    """What all droplets of a request have in common, checked."""
    required(data, "size", "image")
    if data["size"] not in SIZES:
        raise unprocessable("You specified an invalid size for Droplet creation.")
    region = data.get("region", next(iter(REGIONS)))
    if region not in REGIONS:
        raise unprocessable("You specified an invalid region for Droplet creation.")
    chosen = image(data["image"])
    if chosen is None:
        raise unprocessable("You specified an invalid image for Droplet creation.")
    keys = [(identifier, find_key(world, identifier)) for identifier in data.get("ssh_keys") or []]
    unknown = [identifier for identifier, key in keys if key is None]
    if unknown:
        raise unprocessable(f"{', '.join(map(str, unknown))} are invalid key identifiers for Droplet creation.")
    if data.get("volumes"):
        raise unprocessable("The local cloud has no volumes.")
    vpc = data.get("vpc_uuid") or default_vpc(world, region)["id"]
    network = world.store.get("vpc", vpc)
    if network is None or network["region"] != region:
        raise unprocessable("The specified VPC does not exist in this region." if network is None else "You specified a VPC of another region.")
    try:
        script = userdata.script(data.get("user_data"))
    except userdata.UserDataError as error:
        raise unprocessable(str(error)) from error
    for tag in data.get("tags") or []:
        require_tag(world, tag)
    features = ["droplet_agent"] if data.get("with_droplet_agent") else []
    features += [feature for feature, field in (("monitoring", "monitoring"), ("backups", "backups"), ("ipv6", "ipv6")) if data.get(field)]
    return {
        "size": data["size"],
        "disk": SIZES[data["size"]]["disk"],
        "backup_policy": backup_policy(data.get("backup_policy")) if data.get("backups") else None,
        "region": region,
        "image": chosen["slug"],
        "tags": list(dict.fromkeys(data.get("tags") or [])),
        "public_keys": [key["public_key"] for _id, key in keys if key],
        "script": script,
        "vpc_uuid": vpc,
        "features": [*features, "private_networking"],
        "status": "new",
        "created_at": now(),
    }


def _make(world: World, names: list[Any], template: Document) -> list[Document]:
    if not names or len(names) > 10:
        raise unprocessable("You can create between 1 and 10 Droplets in one request.")
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > 255:
            raise unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    if len(world.store.all("droplet")) + len(names) > world.settings()["droplet_limit"]:
        raise unprocessable("creating this/these droplet(s) will exceed your droplet limit")
    made = []
    for name in names:
        droplet = {"id": world.store.number("droplet", 400_000_001), "name": name, **template, "address": world.free_address(*ADDRESSES)}
        world.store.put("droplet", droplet["id"], droplet)
        made.append(droplet)
    return made


def _delete(world: World, droplets: list[Document]) -> None:
    with world.store.transaction():
        for droplet in droplets:
            world.store.delete("droplet", droplet["id"])
            world.remove_container(hosts.container(world.cloud, droplet), droplet["address"], [])
            actions.end(world, actions.start(world, "destroy", droplet), "completed")
    world.later(_finish_deletion, world, [droplet["id"] for droplet in droplets])


def _finish_deletion(world: World, droplet_ids: list[int]) -> None:
    # One that is still being created must not come back after its removal.
    for droplet_id in droplet_ids:
        with world.locks[f"droplet-{droplet_id}"]:
            world.finish_removals()
    trusted.refresh(world)
