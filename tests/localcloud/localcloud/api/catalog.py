# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be had: regions, sizes and images. Only what this cloud really makes."""

from __future__ import annotations

from flask import Blueprint, request

from localcloud.api.answers import not_found, page
from localcloud.store import Document
from localcloud.world import World

_SIZES = {"s-1vcpu-1gb": (1, 1024, 25, 6.0), "s-1vcpu-2gb": (1, 2048, 50, 12.0), "s-2vcpu-4gb": (2, 4096, 80, 24.0)}
_REGIONS = {"fra1": "Frankfurt 1", "ams3": "Amsterdam 3", "nyc3": "New York 3"}
_IMAGES = {"debian-13-x64": (194_000_013, "13 x64"), "debian-12-x64": (194_000_012, "12 x64")}

SIZES: dict[str, Document] = {
    slug: {
        "slug": slug,
        "memory": memory,
        "vcpus": vcpus,
        "disk": disk,
        "transfer": 1.0,
        "price_monthly": price,
        "price_hourly": round(price / 672, 5),
        "regions": list(_REGIONS),
        "available": True,
        "description": "Basic",
    }
    for slug, (vcpus, memory, disk, price) in _SIZES.items()
}
_FEATURES = ["backups", "ipv6", "metadata", "install_agent"]
REGIONS: dict[str, Document] = {
    slug: {"name": name, "slug": slug, "features": _FEATURES, "available": True, "sizes": list(_SIZES)} for slug, name in _REGIONS.items()
}
IMAGES: dict[str, Document] = {
    slug: {
        "id": number,
        "name": name,
        "distribution": "Debian",
        "slug": slug,
        "public": True,
        "regions": list(_REGIONS),
        "created_at": "2025-08-11T00:00:00Z",
        "min_disk_size": 10,
        "type": "base",
        "size_gigabytes": 0.2,
        "description": f"Debian {name}",
        "tags": [],
        "status": "available",
    }
    for slug, (number, name) in _IMAGES.items()
}


def image(name: str | int) -> Document | None:
    """An image by slug or number."""
    return next((document for slug, document in IMAGES.items() if name in (slug, document["id"]) or str(name) == str(document["id"])), None)


def register(app: Blueprint, world: World) -> None:
    @app.get("/v2/regions")
    def regions() -> Document:
        return page("regions", list(REGIONS.values()))

    @app.get("/v2/sizes")
    def sizes() -> Document:
        return page("sizes", list(SIZES.values()))

    @app.get("/v2/images")
    def images() -> Document:
        # All images here are public distributions: no snapshots, no applications.
        private = request.args.get("private") == "true" or request.args.get("type") == "application" or "tag_name" in request.args
        return page("images", [] if private else list(IMAGES.values()))

    @app.get("/v2/images/<name>")
    def one_image(name: str) -> Document:
        found = image(name)
        if not found:
            raise not_found()
        return {"image": found}
