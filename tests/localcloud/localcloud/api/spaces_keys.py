# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys of Spaces, as records: the local S3 server has a key of its own."""

from __future__ import annotations

import secrets
import string

from flask import Blueprint, request

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World, now

PERMISSIONS = ("", "read", "readwrite", "fullaccess")
ALPHABET = string.ascii_uppercase + string.digits


def register(app: Blueprint, world: World) -> None:
    def rename(access_key: str) -> Document:
        data = body()
        key = found(world.store.get("spaces_key", access_key))
        if "grants" in data and data["grants"] != key["grants"]:
            raise unprocessable("grants cannot be changed")
        key["name"] = data.get("name", key["name"])
        world.store.put("spaces_key", access_key, key)
        return {"key": key}

    @app.get("/v2/spaces/keys")
    def list_keys() -> Document:
        name = request.args.get("name")
        return page("keys", [key for key in world.store.all("spaces_key") if name in (None, key["name"])])

    @app.post("/v2/spaces/keys")
    def create_key() -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        grants = data.get("grants") or []
        for grant in grants:
            if grant["permission"] not in PERMISSIONS:
                raise unprocessable("grants: permission must be read, readwrite or fullaccess")
            if not grant["bucket"] and grant["permission"] != "fullaccess":
                raise unprocessable("grants: bucket is required")
        key = {"name": name, "grants": grants, "access_key": "DO" + "".join(secrets.choice(ALPHABET) for _each in range(18)), "created_at": now()}
        world.store.put("spaces_key", key["access_key"], key)
        # The only answer that ever holds it: it is not kept.
        return {"key": {**key, "secret_key": secrets.token_urlsafe(32)}}, 201

    @app.get("/v2/spaces/keys/<access_key>")
    def get_key(access_key: str) -> Document:
        return {"key": found(world.store.get("spaces_key", access_key))}

    app.add_url_rule("/v2/spaces/keys/<access_key>", "replace_key", rename, methods=["PUT"])
    app.add_url_rule("/v2/spaces/keys/<access_key>", "change_key", rename, methods=["PATCH"])

    @app.delete("/v2/spaces/keys/<access_key>")
    def delete_key(access_key: str) -> tuple[str, int]:
        found(world.store.get("spaces_key", access_key))
        world.store.delete("spaces_key", access_key)
        return "", 204
