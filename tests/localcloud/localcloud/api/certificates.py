# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS certificates, as records: those that the vendor gets from Let's Encrypt, and an account's own."""

from __future__ import annotations

import hashlib
import time
import uuid
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from flask import Blueprint, request

from localcloud.api.answers import ApiError, body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World, now

LIFE = timedelta(days=90)
INSTANT = "%Y-%m-%dT%H:%M:%SZ"


def view(certificate: Document) -> Document:
    shown = {key: value for key, value in certificate.items() if key not in ("ready_at", "outcome")}
    return {**shown, "state": certificate["outcome"] if time.time() >= certificate["ready_at"] else "pending"}


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/certificates")
    def list_certificates() -> Document:
        name = request.args.get("name")
        return page("certificates", [one for one in world.store.all("certificate") if name in (None, one["name"])], view)

    @app.post("/v2/certificates")
    def create_certificate() -> tuple[Document, int]:
        data = body()
        (name,) = required(data, "name")
        content = _own(data) if data.get("type", "lets_encrypt") == "custom" else _issued(world, data)
        certificate = {"id": str(uuid.uuid4()), "name": name, "created_at": now(), **content}
        with world.store.transaction():
            if any(one["name"] == name for one in world.store.all("certificate")):
                raise unprocessable("certificate name must be unique")
            world.store.put("certificate", certificate["id"], certificate)
        return {"certificate": view(certificate)}, 201

    @app.get("/v2/certificates/<certificate_id>")
    def get_certificate(certificate_id: str) -> Document:
        return {"certificate": view(found(world.store.get("certificate", certificate_id)))}

    @app.delete("/v2/certificates/<certificate_id>")
    def delete_certificate(certificate_id: str) -> tuple[str, int]:
        found(world.store.get("certificate", certificate_id))
        for balancer in world.store.all("load_balancer"):
            if any(rule.get("certificate_id") == certificate_id for rule in balancer["forwarding_rules"]):
                raise ApiError(403, "forbidden", f"certificate is in use by load balancer {balancer['name']}")
        world.store.delete("certificate", certificate_id)
        return "", 204


def _issued(world: World, data: Document) -> Document:
    """Let's Encrypt asks for each name, which has to be in a domain of the account."""
    (names,) = required(data, "dns_names")
    domains = {domain["name"] for domain in world.store.all("domain")}
    known = all(any(f".{name}".endswith(f".{domain}") for domain in domains) for name in names)
    return {
        "type": "lets_encrypt",
        "dns_names": names,
        "not_after": (datetime.now(UTC) + LIFE).strftime(INSTANT),
        "sha1_fingerprint": hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest(),
        "ready_at": time.time() + world.settings()["settle_seconds"],
        "outcome": "verified" if known else "error",
    }


def _own(data: Document) -> Document:
    leaf, key = required(data, "leaf_certificate", "private_key")
    try:
        certificate = x509.load_pem_x509_certificate(leaf.encode())
        public = serialization.load_pem_private_key(key.encode(), None).public_key()
    except ValueError as error:
        raise unprocessable("leaf_certificate and private_key have to be in PEM") from error
    if public != certificate.public_key():
        raise unprocessable("private_key does not belong to leaf_certificate")
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    return {
        "type": "custom",
        "dns_names": names,
        "not_after": certificate.not_valid_after_utc.strftime(INSTANT),
        "sha1_fingerprint": certificate.fingerprint(hashes.SHA1()).hex(),
        "ready_at": 0.0,
        "outcome": "verified",
    }
