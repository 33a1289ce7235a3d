# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account and its SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid

from flask import Blueprint

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World

KEY_TYPES = (
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def find_key(world: World, identifier: str | int) -> Document | None:
    """A key by number or fingerprint."""
    return next((key for key in world.store.all("key") if str(identifier) in (str(key["id"]), key["fingerprint"])), None)


def fingerprint(public_key: str) -> str:
    """The MD5 fingerprint by which the API names keys."""
    words = public_key.split()
    try:
        if len(words) < 2 or words[0] not in KEY_TYPES:
            raise ValueError
        digest = hashlib.md5(base64.b64decode(words[1], validate=True), usedforsecurity=False).hexdigest()
    except (ValueError, binascii.Error) as error:
        raise unprocessable("Key invalid, key should be of the format `ssh-rsa AAAAB3... user@host`") from error
    return ":".join(digest[index : index + 2] for index in range(0, 32, 2))


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/account")
    def account() -> Document:
        return {
            "account": {
                "droplet_limit": world.settings()["droplet_limit"],
                "floating_ip_limit": 3,
                "email": "local@example.com",
                "name": "Local cloud",
                "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, world.cloud.name)),
                "email_verified": True,
                "status": "active",
                "status_message": "",
            }
        }

    @app.get("/v2/account/keys")
    def list_keys() -> Document:
        return page("ssh_keys", world.store.all("key"))

    @app.post("/v2/account/keys")
    def add_key() -> tuple[Document, int]:
        name, public_key = required(body(), "name", "public_key")
        with world.store.transaction():
            print_ = fingerprint(public_key)
            if find_key(world, print_):
                raise unprocessable("SSH Key is already in use on your account")
            key = {"id": world.store.number("key", 38_000_001), "fingerprint": print_, "public_key": public_key.strip(), "name": name}
            world.store.put("key", key["id"], key)
        return {"ssh_key": key}, 201

    @app.get("/v2/account/keys/<identifier>")
    def get_key(identifier: str) -> Document:
        return {"ssh_key": found(find_key(world, identifier))}

    @app.put("/v2/account/keys/<identifier>")
    def rename_key(identifier: str) -> Document:
        (name,) = required(body(), "name")
        key = {**found(find_key(world, identifier)), "name": name}
        world.store.put("key", key["id"], key)
        return {"ssh_key": key}

    @app.delete("/v2/account/keys/<identifier>")
    def delete_key(identifier: str) -> tuple[str, int]:
        world.store.delete("key", found(find_key(world, identifier))["id"])
        return "", 204
