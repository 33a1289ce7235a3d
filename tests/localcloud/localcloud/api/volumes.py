# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, as records: kept and answered, no disk appears in a host."""

from __future__ import annotations

import re
import uuid

from flask import Blueprint, request

from localcloud.api import tags
from localcloud.api.answers import ApiError, body, found, page, required, unprocessable
from localcloud.api.catalog import REGIONS
from localcloud.api.settling import change, is_pending, noted_action, settled
from localcloud.store import Document
from localcloud.world import World, now

NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
FILE_SYSTEMS = ("", "ext4", "xfs")
LARGEST_GIB = 16384


def holders(world: World, volume: Document) -> list[int]:
    """The droplets that have it, as long as they exist."""
    return [droplet_id for droplet_id in settled(volume)["droplet_ids"] if world.store.get("droplet", droplet_id)]


def of_droplet(world: World, droplet_id: int) -> list[str]:
    """The volumes of a droplet."""
    return [volume["id"] for volume in world.store.all("volume") if droplet_id in settled(volume)["droplet_ids"]]


def view(world: World, volume: Document) -> Document:
    shown = settled(volume)
    return {
        **{key: value for key, value in shown.items() if key != "pending"},
        "region": REGIONS[shown["region"]],
        "droplet_ids": holders(world, shown),
    }


def register(app: Blueprint, world: World) -> None:
    def stored(volume_id: str) -> Document:
        return found(world.store.get("volume", volume_id))

    @app.get("/v2/volumes")
    def list_volumes() -> Document:
        name, region = request.args.get("name"), request.args.get("region")
        chosen = [one for one in world.store.all("volume") if name in (None, one["name"]) and region in (None, one["region"])]
        return page("volumes", chosen, lambda one: view(world, one))

    @app.post("/v2/volumes")
    def create_volume() -> tuple[Document, int]:
        data = body()
        name, size, region = required(data, "name", "size_gigabytes", "region")
        if not NAME.fullmatch(name):
            raise unprocessable("name must begin with a letter and have only lower case letters, digits and dashes")
        if region not in REGIONS:
            raise unprocessable("region is not valid")
        _check_size(size, 1)
        if data.get("filesystem_type", "") not in FILE_SYSTEMS:
            raise unprocessable("filesystem_type must be ext4 or xfs")
        with world.store.transaction():
            if any((one["name"], one["region"]) == (name, region) for one in world.store.all("volume")):
                raise ApiError(409, "conflict", "a volume with that name already exists in this region")
            for tag in data.get("tags") or []:
                tags.require_tag(world, tag)
            volume = {
                "id": str(uuid.uuid4()),
                "name": name,
                "region": region,
                "size_gigabytes": size,
                "description": data.get("description", ""),
                "filesystem_type": data.get("filesystem_type", ""),
                "filesystem_label": data.get("filesystem_label", ""),
                "droplet_ids": [],
                "tags": data.get("tags") or [],
                "created_at": now(),
            }
            world.store.put("volume", volume["id"], volume)
        return {"volume": view(world, volume)}, 201

    @app.get("/v2/volumes/<volume_id>")
    def get_volume(volume_id: str) -> Document:
        return {"volume": view(world, stored(volume_id))}

    @app.delete("/v2/volumes/<volume_id>")
    def delete_volume(volume_id: str) -> tuple[str, int]:
        if holders(world, stored(volume_id)):
            raise ApiError(409, "conflict", "The volume is attached to a Droplet. Detach it first.")
        world.store.delete("volume", volume_id)
        return "", 204

    @app.post("/v2/volumes/<volume_id>/actions")
    def act(volume_id: str) -> tuple[Document, int]:
        data = body()
        (kind,) = required(data, "type")
        with world.store.transaction():
            volume = settled(stored(volume_id))
            if is_pending(volume):
                raise unprocessable("The volume already has a pending event.")
            world.store.put("volume", volume_id, change(world, volume, **_changes(volume, kind, data)))
            action = noted_action(world, f"{kind}_volume", "volume", volume["region"])
        return {"action": action}, 202

    def _changes(volume: Document, kind: str, data: Document) -> Document:
        if kind == "resize":
            (size,) = required(data, "size_gigabytes")
            _check_size(size, volume["size_gigabytes"] + 1)
            return {"size_gigabytes": size}
        (droplet_id,) = required(data, "droplet_id")
        if kind == "detach":
            if droplet_id not in holders(world, volume):
                raise unprocessable("droplet_id: the volume is not attached to this Droplet")
            return {"droplet_ids": []}
        if kind != "attach":
            raise unprocessable("type must be attach, detach or resize")
        droplet = world.store.get("droplet", droplet_id)
        if droplet is None or droplet["region"] != volume["region"]:
            raise unprocessable(f"droplet_id: Droplet {droplet_id} does not exist in {volume['region']}")
        if holders(world, volume):
            raise unprocessable("droplet_id: the volume is already attached to a Droplet")
        return {"droplet_ids": [droplet_id]}


def _check_size(size: int, least: int) -> None:
    if not least <= size <= LARGEST_GIB:
        raise unprocessable(f"size_gigabytes must be between {least} and {LARGEST_GIB}")
