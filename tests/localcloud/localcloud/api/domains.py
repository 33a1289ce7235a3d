# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains and their records: kept and answered, no name server asks for them."""

from __future__ import annotations

import ipaddress
import re

from flask import Blueprint, request

from localcloud.api.answers import body, found, page, required, unprocessable
from localcloud.store import Document
from localcloud.world import World

NAME = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
FIELDS = ("type", "name", "data", "priority", "port", "ttl", "weight", "flags", "tag")
NEEDED = {"MX": ("priority",), "SRV": ("priority", "port", "weight"), "CAA": ("flags", "tag")}
HOST_NAMES = ("CNAME", "MX", "NS", "SRV")
TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT")
TTL = 1800


def register(app: Blueprint, world: World) -> None:
    def records(domain: str) -> list[Document]:
        found(world.store.get("domain", domain))
        return [record for record in world.store.all("domain_record") if record["domain"] == domain]

    def record_of(domain: str, record_id: int) -> Document:
        return found(next((record for record in records(domain) if record["id"] == record_id), None))

    def keep(domain: str, data: Document, record_id: int) -> Document:
        record = {**dict.fromkeys(FIELDS), "ttl": TTL, **{key: data[key] for key in FIELDS if key in data}}
        with world.store.transaction():
            _check(record, [other for other in records(domain) if other["id"] != record_id])
            if record["type"] in HOST_NAMES and record["data"] != "@":
                record["data"] = record["data"].removesuffix(".")
            world.store.put("domain_record", record_id, {**record, "id": record_id, "domain": domain})
        return record_of(domain, record_id)

    @app.get("/v2/domains")
    def list_domains() -> Document:
        return page("domains", world.store.all("domain"))

    @app.post("/v2/domains")
    def create_domain() -> tuple[Document, int]:
        (name,) = required(body(), "name")
        if not NAME.fullmatch(name):
            raise unprocessable("Name is invalid")
        with world.store.transaction():
            if world.store.get("domain", name):
                raise unprocessable("Name already exists")
            world.store.put("domain", name, {"name": name, "ttl": TTL, "zone_file": f"$ORIGIN {name}.\n$TTL {TTL}\n"})
            for server in ("ns1", "ns2", "ns3"):
                keep(name, {"type": "NS", "name": "@", "data": f"{server}.digitalocean.com."}, world.store.number("domain_record", 300_000_001))
        return {"domain": {"name": name, "ttl": TTL, "zone_file": None}}, 201

    @app.get("/v2/domains/<domain>")
    def get_domain(domain: str) -> Document:
        return {"domain": found(world.store.get("domain", domain))}

    @app.delete("/v2/domains/<domain>")
    def delete_domain(domain: str) -> tuple[str, int]:
        with world.store.transaction():
            for record in records(domain):
                world.store.delete("domain_record", record["id"])
            world.store.delete("domain", domain)
        return "", 204

    @app.get("/v2/domains/<domain>/records")
    def list_records(domain: str) -> Document:
        name, type_ = request.args.get("name"), request.args.get("type")
        if name and name != domain and not name.endswith(f".{domain}"):
            raise unprocessable("name must be a fully qualified name of this domain")
        relative = None if name is None else "@" if name == domain else name.removesuffix(f".{domain}")
        chosen = [one for one in records(domain) if relative in (None, one["name"]) and type_ in (None, one["type"])]
        return page("domain_records", chosen, _view)

    @app.post("/v2/domains/<domain>/records")
    def create_record(domain: str) -> tuple[Document, int]:
        return {"domain_record": _view(keep(domain, body(), world.store.number("domain_record", 300_000_001)))}, 201

    @app.get("/v2/domains/<domain>/records/<int:record_id>")
    def get_record(domain: str, record_id: int) -> Document:
        return {"domain_record": _view(record_of(domain, record_id))}

    @app.route("/v2/domains/<domain>/records/<int:record_id>", methods=["PUT", "PATCH"])
    def change_record(domain: str, record_id: int) -> Document:
        old = _view(record_of(domain, record_id))
        if old["type"] in HOST_NAMES and old["data"] != "@":
            old["data"] += "."
        return {"domain_record": _view(keep(domain, {**old, **body()}, record_id))}

    @app.delete("/v2/domains/<domain>/records/<int:record_id>")
    def delete_record(domain: str, record_id: int) -> tuple[str, int]:
        world.store.delete("domain_record", record_of(domain, record_id)["id"])
        return "", 204


def _view(record: Document) -> Document:
    return {key: value for key, value in record.items() if key != "domain"}


def _check(record: Document, others: list[Document]) -> None:
    type_, name, data = record["type"], record["name"], record["data"]
    if type_ not in TYPES:
        raise unprocessable("Type is invalid")
    for field in ("name", "data", *NEEDED.get(type_, ())):
        if record[field] in (None, ""):
            raise unprocessable(f"{field} can't be blank")
    if type_ in HOST_NAMES and data != "@" and not data.endswith("."):
        raise unprocessable("Data needs to end with a dot (.)")
    if type_ in ("A", "AAAA"):
        try:
            ipaddress.IPv4Address(data) if type_ == "A" else ipaddress.IPv6Address(data)
        except ValueError as error:
            raise unprocessable("IP address did not match IPv4 format" if type_ == "A" else "IP address did not match IPv6 format") from error
    if not 30 <= record["ttl"] <= 2**31:
        raise unprocessable("TTL must be at least 30")
    same = [other for other in others if other["name"] == name]
    if same and "CNAME" in (type_, *(other["type"] for other in same)):
        raise unprocessable("CNAME records cannot share a name with other records")
    if any(all(other[key] == record[key] for key in FIELDS if key != "ttl") for other in same):
        raise unprocessable("Record already exists")
