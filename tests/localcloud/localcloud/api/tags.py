# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags, and what they are on: droplets, databases and volumes."""

from __future__ import annotations

import re

from flask import Blueprint

from localcloud import trusted
from localcloud.api.answers import body, found, link, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World

NAME = re.compile(r"[a-zA-Z0-9_\-:]{1,255}")
KINDS = {"droplet": "droplets", "database": "databases", "volume": "volumes"}


def require_tag(world: World, name: str) -> None:
    """Make the tag unless it is there."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise unprocessable("Tag names can only contain letters, numbers, colons, dashes and underscores.")
    if not world.store.get("tag", name):
        world.store.put("tag", name, {"name": name})


def view(world: World, tag: Document) -> Document:
    resources: Document = {}
    for kind, key in KINDS.items():
        tagged = [document["id"] for document in world.store.all(kind) if tag["name"] in document["tags"]]
        resources[key] = {"count": len(tagged), **({"last_tagged_uri": link(f"/v2/{key}/{tagged[-1]}")} if tagged else {})}
    for key in ("images", "volume_snapshots"):
        resources[key] = {"count": 0}
    return {"name": tag["name"], "resources": {"count": sum(one["count"] for one in resources.values()), **resources}}


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/tags")
    def list_tags() -> Document:
        return page("tags", [view(world, tag) for tag in world.store.all("tag")])

    @app.post("/v2/tags")
    def create_tag() -> tuple[Document, int]:
        (name,) = required(body(), "name")
        require_tag(world, name)
        return {"tag": view(world, {"name": name})}, 201

    @app.get("/v2/tags/<name>")
    def get_tag(name: str) -> Document:
        return {"tag": view(world, found(world.store.get("tag", name)))}

    @app.delete("/v2/tags/<name>")
    def delete_tag(name: str) -> tuple[str, int]:
        found(world.store.get("tag", name))
        with world.store.transaction():
            world.store.delete("tag", name)
            for kind in KINDS:
                for document in world.store.all(kind):
                    _untag(world, kind, document["id"], name)
        trusted.refresh(world)
        return "", 204

    @app.post("/v2/tags/<name>/resources")
    def tag_resources(name: str) -> tuple[str, int]:
        found(world.store.get("tag", name))
        with world.store.transaction():
            for kind, id_ in _resources(world):
                with world.store.edit(kind, id_) as document:
                    assert document is not None
                    document["tags"] = list(dict.fromkeys([*document["tags"], name]))
        trusted.refresh(world)
        return "", 204

    @app.delete("/v2/tags/<name>/resources")
    def untag_resources(name: str) -> tuple[str, int]:
        found(world.store.get("tag", name))
        with world.store.transaction():
            for kind, id_ in _resources(world):
                _untag(world, kind, id_, name)
        trusted.refresh(world)
        return "", 204


def _resources(world: World) -> list[tuple[str, str]]:
    (listed,) = required(body(), "resources")
    chosen = [(one.get("resource_type"), str(one.get("resource_id"))) for one in listed]
    for kind, id_ in chosen:
        if kind not in KINDS:
            raise unprocessable(f"The local cloud cannot tag a resource of type '{kind}'.")
        found(world.store.get(kind, id_))
    return chosen


def _untag(world: World, kind: str, id_: str, name: str) -> None:
    with world.store.edit(kind, id_) as document:
        assert document is not None
        document["tags"] = [tag for tag in document["tags"] if tag != name]
