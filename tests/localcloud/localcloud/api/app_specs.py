# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specs of apps: what is refused, what is filled in, and secrets that are kept encrypted."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Iterator
from typing import Any

from localcloud.api.answers import unprocessable
from localcloud.store import Document
from localcloud.world import World

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
COMPONENTS = ("services", "static_sites", "jobs", "workers", "functions")
SOURCES = ("git", "github", "gitlab", "bitbucket", "image")
SIZES = ("apps-s-1vcpu-0.5gb", "apps-s-1vcpu-1gb", "apps-s-1vcpu-2gb", "apps-d-1vcpu-1gb")
# Only these keep their type, so plain variables come back without one.
SECRET = "SECRET"


def components(spec: Document) -> Iterator[tuple[str, Document]]:
    for kind in COMPONENTS:
        for component in spec.get(kind) or []:
            yield kind, component


def checked(spec: Document) -> None:
    """Refuse a spec that cannot be deployed."""
    if not NAME.fullmatch(str(spec.get("name"))):
        raise unprocessable("spec.name: must match ^[a-z][a-z0-9-]{0,30}[a-z0-9]$")
    names: set[str] = set()
    for kind, component in components(spec):
        name = str(component.get("name"))
        if not NAME.fullmatch(name) or name in names:
            raise unprocessable(f"spec.{kind}: invalid or repeated name {name}")
        names.add(name)
        if not any(source in component for source in SOURCES):
            raise unprocessable(f"spec.{kind}.{name}: one of {', '.join(SOURCES)} must be specified")
        if component.get("instance_size_slug", SIZES[0]) not in SIZES:
            raise unprocessable(f"spec.{kind}.{name}.instance_size_slug: invalid value {component['instance_size_slug']}")


def stored(world: World, wanted: Document) -> Document:
    """A spec as the API keeps it: with its defaults, and with secrets encrypted."""
    spec: Document = {"region": "fra", "features": ["buildpack-stack=ubuntu-22"], **copy.deepcopy(wanted)}
    routed: list[Document] = []
    for kind, component in components(spec):
        if kind in ("services", "workers"):
            component.setdefault("instance_count", 1)
            component.setdefault("instance_size_slug", SIZES[0])
        if kind == "services":
            component.setdefault("http_port", 8080)
        if kind in ("services", "static_sites"):
            routed.append({"match": {"path": {"prefix": "/" if not routed else f"/{component['name']}"}}, "component": {"name": component["name"]}})
        if "image" in component and "digest" not in component["image"]:
            component["image"].setdefault("tag", "latest")
        if "registry_credentials" in component.get("image", {}):
            component["image"]["registry_credentials"] = _encrypted(world, component["image"]["registry_credentials"])
    for variable in _variables(spec):
        variable.setdefault("scope", "RUN_AND_BUILD_TIME")
        if variable.get("type", "GENERAL") == "GENERAL":
            variable.pop("type", None)
        elif "value" in variable:
            variable["value"] = _encrypted(world, variable["value"])
    if routed:
        spec.setdefault("ingress", {"rules": routed})
    return spec


def environment(world: World, spec: Document) -> list[str]:
    """What a process of the app would see."""
    return [f"{variable['key']}={_decrypted(world, str(variable.get('value', '')))}" for variable in _variables(spec)]


def _variables(spec: Document) -> Iterator[dict[str, Any]]:
    yield from spec.get("envs") or []
    for _kind, component in components(spec):
        yield from component.get("envs") or []


def _encrypted(world: World, value: str) -> str:
    if value.startswith("EV["):
        return value
    sealed = f"EV[1:{secrets.token_urlsafe(24)}:{secrets.token_urlsafe(24)}]"
    world.store.put("sealed", sealed, {"value": value})
    return sealed


def _decrypted(world: World, value: str) -> str:
    return str((world.store.get("sealed", value) or {"value": value})["value"])
