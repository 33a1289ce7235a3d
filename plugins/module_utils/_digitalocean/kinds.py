# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of object that converge, as data for the one engine."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import normal_tags
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource, Update

Params = Mapping[str, Any]


def bare_key(public_key: str) -> str:
    """A public key without its comment. Raises OpsError for what is not one."""
    parts = public_key.split()
    try:
        if len(parts) < 2:
            raise ValueError(public_key)
        base64.b64decode(parts[1], validate=True)
    except (ValueError, binascii.Error) as error:
        raise OpsError(
            "public_key is not an SSH public key. Give the one line of a .pub file, such as 'ssh-ed25519 AAAA... you@example.com'.", field="public_key"
        ) from error
    return " ".join(parts[:2])


def key_fingerprint(public_key: str) -> str:
    """The MD5 fingerprint by which the API knows a key."""
    digest = hashlib.md5(base64.b64decode(public_key.split()[1]), usedforsecurity=False).hexdigest()
    return ":".join(digest[start : start + 2] for start in range(0, 32, 2))


def _is_key(found: Object, wanted: State) -> bool:
    """The same key material, or, where none is given, the same name."""
    if "public_key" in wanted:
        return found["fingerprint"] == key_fingerprint(wanted["public_key"])
    return bool(found["name"] == wanted["name"])


SSH_KEY = Kind(
    noun="SSH key",
    key="ssh_key",
    plural="ssh_keys",
    collection="/v2/account/keys",
    state=lambda found: {"name": found["name"], "public_key": bare_key(found["public_key"]), "id": found["id"], "fingerprint": found["fingerprint"]},
    shown=("id", "name", "fingerprint", "public_key"),
    create=lambda state: {"name": state["name"], "public_key": state["public_key"]},
    updates=(Update(("name",), "PUT", "", lambda state: {"name": state["name"]}),),
    matches=_is_key,
)

VPC = Kind(
    noun="VPC",
    key="vpc",
    plural="vpcs",
    collection="/v2/vpcs",
    state=lambda found: {key: found.get(key) for key in ("id", "name", "region", "ip_range", "description", "default")},
    shown=("id", "name", "region", "ip_range", "description", "default"),
    create=lambda state: {key: state[key] for key in ("name", "region", "ip_range", "description") if key in state},
    updates=(Update(("description",), "PUT", "", lambda state: {"name": state["name"], "description": state["description"]}),),
)


def normal_rule(rule: Mapping[str, Any], peers: str) -> dict[str, Any]:
    """A firewall rule as it is compared: no empty lists, no order, one way to write "all ports".

    peers: "sources" or "destinations".
    """
    ports = str(rule.get("ports") or "0")
    kept = {key: sorted(values) for key, values in (rule.get(peers) or {}).items() if values}
    return {"protocol": rule["protocol"], "ports": "0" if rule["protocol"] == "icmp" or ports in ("all", "1-65535") else ports, peers: kept}


def normal_rules(rules: Any, peers: str) -> list[dict[str, Any]]:
    return sorted((normal_rule(rule, peers) for rule in rules or []), key=repr)


def _firewall_tags(client: Client, state: State) -> None:
    named = set(state.get("tags") or [])
    for rules, peers in (("inbound_rules", "sources"), ("outbound_rules", "destinations")):
        named.update(tag for rule in state.get(rules) or [] for tag in rule[peers].get("tags", []))
    lookup.ensure_tags(client, named)


def _firewall_body(state: State) -> dict[str, Any]:
    # A PUT replaces the whole firewall, so what is not declared is sent as it is.
    return {key: state.get(key) or [] for key in ("inbound_rules", "outbound_rules", "tags", "droplet_ids")} | {"name": state["name"]}


FIREWALL = Kind(
    noun="firewall",
    key="firewall",
    plural="firewalls",
    collection="/v2/firewalls",
    state=lambda found: {
        "id": found["id"],
        "name": found["name"],
        "status": found.get("status"),
        "inbound_rules": normal_rules(found.get("inbound_rules"), "sources"),
        "outbound_rules": normal_rules(found.get("outbound_rules"), "destinations"),
        "tags": normal_tags(found.get("tags")),
        "droplet_ids": sorted(found.get("droplet_ids") or []),
    },
    shown=("id", "name", "inbound_rules", "outbound_rules", "tags", "droplet_ids"),
    create=_firewall_body,
    updates=(Update(("inbound_rules", "outbound_rules", "tags", "droplet_ids"), "PUT", "", _firewall_body),),
    prepare=_firewall_tags,
)


def ssh_key(params: Params) -> Resource:
    key = params["public_key"]
    wanted = {"name": params["name"], "public_key": bare_key(key) if key else None}
    return Resource(connect(params), SSH_KEY, wanted, present=params["state"] == "present")


def vpc(params: Params) -> Resource:
    wanted = {key: params[key] for key in ("name", "region", "ip_range", "description")}
    return Resource(connect(params), VPC, wanted, present=params["state"] == "present")


def firewall(params: Params) -> Resource:
    wanted = {
        "name": params["name"],
        "inbound_rules": _declared(params["inbound_rules"], "sources"),
        "outbound_rules": _declared(params["outbound_rules"], "destinations"),
        "tags": None if params["tags"] is None else normal_tags(params["tags"]),
        "droplet_ids": None if params["droplet_ids"] is None else sorted(params["droplet_ids"]),
    }
    return Resource(connect(params), FIREWALL, wanted, present=params["state"] == "present")


def _declared(rules: Any, peers: str) -> list[dict[str, Any]] | None:
    return None if rules is None else normal_rules(rules, peers)
