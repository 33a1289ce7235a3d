# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed database cluster as a kind of object, with its trusted sources, standbys, upgrades and forks."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.managed import Managed
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import normal_tags
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Patience, Update

SOURCES = ("droplet", "tag", "ip_addr", "app", "k8s")


def ca_certificate(client: Client, cluster: Object) -> str:
    """The certificate authority of a cluster, as PEM."""
    encoded = client.get(path("databases", cluster["id"], "ca"))["ca"]["certificate"]
    # The API wraps the PEM text in base64.
    return encoded if encoded.startswith("-----") else _decoded(encoded)


def _decoded(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def state_of(found: Object) -> dict[str, Any]:
    """A cluster as compared and shown: no password, and no address that holds one."""
    public, private = found.get("connection") or {}, found.get("private_connection") or {}
    window = found.get("maintenance_window") or {}
    return {
        **{key: found.get(key) for key in ("id", "name", "engine", "version", "status", "num_nodes", "size", "region", "storage_size_mib")},
        "vpc": found.get("private_network_uuid"),
        "tags": normal_tags(found.get("tags")),
        "maintenance_window": {"day": window.get("day"), "hour": str(window.get("hour") or "")[:5]} if window else None,
        "host": public.get("host"),
        "private_host": private.get("host") or public.get("host"),
        "standby_host": (found.get("standby_connection") or {}).get("host"),
        "port": public.get("port"),
        "user": public.get("user"),
        "database": public.get("database"),
    }


def is_online(found: Object) -> bool:
    return found.get("status") == "online"


def _more(client: Client, found: Object) -> Mapping[str, Any]:
    rules = client.get(path("databases", found["id"], "firewall")).get("rules") or []
    sources = sorted(f"{rule['type']}:{rule['value']}" for rule in rules)
    return {"trusted_sources": sources, "ca": ca_certificate(client, found) if is_online(found) else None}


def _rules(sources: Sequence[str]) -> list[dict[str, str]]:
    return [dict(zip(("type", "value"), source.split(":", 1), strict=True)) for source in sources]


def _creation(state: State) -> dict[str, Any]:
    body = {key: state[key] for key in ("name", "engine", "version", "size", "region", "tags", "storage_size_mib") if key in state}
    body["num_nodes"] = state.get("num_nodes", 1)
    if "vpc" in state:
        body["private_network_uuid"] = state["vpc"]
    if state.get("trusted_sources"):
        # With the creation, so that the cluster is never open to everybody.
        body["rules"] = _rules(state["trusted_sources"])
    if "restore_from" in state:
        source, at = state["restore_from"]["cluster"], state["restore_from"].get("at")
        body["backup_restore"] = {"database_name": source, **({"backup_created_at": at} if at else {})}
    return body


def resize_body(state: State) -> dict[str, Any]:
    return {key: state[key] for key in ("size", "num_nodes", "storage_size_mib") if state.get(key) is not None}


def _prepare(client: Client, state: State) -> None:
    if state.get("vpc"):
        lookup.require_vpc_id(state["vpc"])
    sources = _rules(state.get("trusted_sources") or [])
    for source in sources:
        kind, value = source["type"], source["value"]
        if (kind == "droplet" and not value.isdigit()) or (kind in ("app", "k8s") and not lookup.UUID.fullmatch(value)):
            raise OpsError(f"The trusted source {kind} {value} does not exist. Create it first, or name one that exists.", field="trusted_sources")
    lookup.ensure_tags(client, (source["value"] for source in sources if source["type"] == "tag"))


SHOWN = (
    *("id", "name", "engine", "version", "status", "num_nodes", "size", "region", "storage_size_mib", "vpc", "tags"),
    *("maintenance_window", "trusted_sources", "host", "private_host", "standby_host", "port", "user", "database", "ca"),
)

CLUSTER = Kind(
    noun="database cluster",
    key="database_cluster",
    plural="databases",
    collection="/v2/databases",
    state=state_of,
    shown=SHOWN,
    create=_creation,
    updates=(
        Update(("trusted_sources",), "PUT", "/firewall", lambda state: {"rules": _rules(state["trusted_sources"])}),
        Update(("maintenance_window",), "PUT", "/maintenance", lambda state: state["maintenance_window"], at_creation=True),
        Update(("size", "num_nodes", "storage_size_mib"), "PUT", "/resize", resize_body, settles=True),
        Update(("version",), "PUT", "/upgrade", lambda state: {"version": state["version"]}, settles=True),
    ),
    more=_more,
    prepare=_prepare,
    ready=is_online,
)


def trusted_sources(client: Client, declared: Sequence[Mapping[str, str | None]] | None) -> list[str] | None:
    """Sources as type:value, with ids for names; a name that does not exist (yet) stays a name."""
    if declared is None:
        return None
    pairs = [(kind, str(source[kind])) for source in declared for kind in SOURCES if source.get(kind)]
    ids = {
        "droplet": lookup.droplet_ids(client, [value for kind, value in pairs if kind == "droplet"]),
        "app": lookup.app_ids(client, [value for kind, value in pairs if kind == "app"]),
    }
    return sorted({f"{kind}:{ids.get(kind, {}).get(value, value)}" for kind, value in pairs})


def cluster(params: Mapping[str, Any]) -> Managed:
    client = connect(params)
    window, source = params["maintenance_window"], params["restore_from"]
    wanted = {
        **{key: params[key] for key in ("name", "engine", "version", "size", "num_nodes", "region", "storage_size_mib")},
        "vpc": lookup.vpc_id(client, params["vpc"]),
        "tags": None if params["tags"] is None else normal_tags(params["tags"]),
        "trusted_sources": trusted_sources(client, params["trusted_sources"]),
        "maintenance_window": {"day": window["day"], "hour": window["hour"]} if window else None,
        "restore_from": {key: value for key, value in source.items() if value} if source else None,
    }
    patience = Patience(wait=params["wait"], timeout=float(params["wait_timeout"]))
    present = params["state"] == "present"
    return Managed(client, CLUSTER, wanted, given=("restore_from",), upgrade=params["upgrade"], present=present, patience=patience)


def informed(client: Client, found: Object) -> dict[str, Any]:
    """What an information module and a result say about a cluster."""
    state = {**state_of(found), **_more(client, found)}
    return {key: state[key] for key in SHOWN}
