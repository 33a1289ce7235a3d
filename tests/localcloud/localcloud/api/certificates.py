# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS certificates, as records: those that the vendor gets from Let's Encrypt."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

from flask import Blueprint, request

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World, now

LIFE = timedelta(days=90)


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/certificates")
    def list_certificates() -> Document:
        name = request.args.get("name")
        return page("certificates", [one for one in world.store.all("certificate") if name in (None, one["name"])])

    @app.post("/v2/certificates")
    def create_certificate() -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        if data.get("type", "lets_encrypt") != "lets_encrypt":
            raise unprocessable("The local cloud has certificates of the type lets_encrypt only.")
        (names,) = required(data, "dns_names")
        id_ = str(uuid.uuid4())
        certificate = {
            "id": id_,
            "name": name,
            "not_after": (datetime.now(UTC) + LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sha1_fingerprint": hashlib.sha1(id_.encode(), usedforsecurity=False).hexdigest(),
            "created_at": now(),
            "dns_names": names,
            "state": "verified",
            "type": "lets_encrypt",
        }
        with world.store.transaction():
            if any(one["name"] == name for one in world.store.all("certificate")):
                raise unprocessable("certificate name must be unique")
            world.store.put("certificate", id_, certificate)
        return {"certificate": certificate}, 201

    @app.get("/v2/certificates/<certificate_id>")
    def get_certificate(certificate_id: str) -> Document:
        return {"certificate": found(world.store.get("certificate", certificate_id))}

    @app.delete("/v2/certificates/<certificate_id>")
    def delete_certificate(certificate_id: str) -> tuple[str, int]:
        found(world.store.get("certificate", certificate_id))
        world.store.delete("certificate", certificate_id)
        return "", 204
