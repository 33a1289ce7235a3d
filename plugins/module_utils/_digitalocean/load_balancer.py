# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer as a kind of object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Patience, Resource, Update

COLLECTION = "/v2/load_balancers"
# A change replaces the whole load balancer, so all that can be set is read and sent again, also what no option names.
SETTINGS = (
    *("size_unit", "redirect_http_to_https", "enable_proxy_protocol", "enable_backend_keepalive", "http_idle_timeout_seconds", "tls_cipher_policy"),
    *("disable_lets_encrypt_dns_records", "project_id", "network", "network_stack", "type", "firewall", "domains", "glb_settings"),
    "target_load_balancer_ids",
)
DECLARED = SETTINGS[:6]
RULE = ("entry_protocol", "entry_port", "target_protocol", "target_port", "certificate_id", "tls_passthrough")
CHECK = ("protocol", "port", "path", "check_interval_seconds", "response_timeout_seconds", "unhealthy_threshold", "healthy_threshold")
SESSIONS = ("type", "cookie_name", "cookie_ttl_seconds")


def normal_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A forwarding rule as it is compared: without what is empty or off."""
    return {key: rule[key] for key in RULE if rule.get(key)}


def normal_rules(rules: Any) -> list[dict[str, Any]]:
    return sorted((normal_rule(rule) for rule in rules or []), key=lambda rule: int(rule["entry_port"]))


def normal_check(check: Mapping[str, Any]) -> dict[str, Any]:
    """A health check as it is compared; one that only connects asks for no path."""
    return {key: check[key] for key in CHECK if check.get(key) is not None and (key != "path" or check.get("protocol") != "tcp")}


def normal_sessions(sessions: Mapping[str, Any] | None) -> dict[str, Any]:
    given = sessions or {}
    return {key: given[key] for key in SESSIONS if given.get(key)} if given.get("type") == "cookies" else {"type": "none"}


def state_of(found: Object) -> dict[str, Any]:
    return {
        **{key: found.get(key) for key in ("id", "name", "status", "ip")},
        "region": (found.get("region") or {}).get("slug"),
        "vpc": found.get("vpc_uuid"),
        "forwarding_rules": normal_rules(found.get("forwarding_rules")),
        "health_check": normal_check(found.get("health_check") or {}),
        "sticky_sessions": normal_sessions(found.get("sticky_sessions")),
        "tag": found.get("tag") or "",
        "droplet_ids": sorted(found.get("droplet_ids") or []),
        **{key: found[key] for key in SETTINGS if found.get(key) not in (None, [], {})},
    }


def _body(state: State) -> dict[str, Any]:
    body = {key: state[key] for key in ("name", "region", "forwarding_rules", "health_check", "sticky_sessions", *SETTINGS) if key in state}
    if state.get("vpc"):
        body["vpc_uuid"] = state["vpc"]
    # The API takes one of the two; a load balancer by tag tells its droplets all the same.
    return body | ({"tag": state["tag"]} if state.get("tag") else {"droplet_ids": state.get("droplet_ids") or []})


def _prepare(client: Client, state: State) -> None:
    if state.get("vpc"):
        lookup.require_vpc_id(state["vpc"])
    for droplet in state.get("droplet_ids") or []:
        lookup.require_droplet_id(droplet)
    for rule in state.get("forwarding_rules") or []:
        named = rule.get("certificate_id")
        if named and not lookup.UUID.fullmatch(named):
            raise OpsError(f"There is no TLS certificate named {named}. Create it with do_certificate, or name one that exists.", field="certificate")
    lookup.ensure_tags(client, [state["tag"]] if state.get("tag") else [])


LOAD_BALANCER = Kind(
    noun="load balancer",
    key="load_balancer",
    plural="load_balancers",
    collection=COLLECTION,
    state=state_of,
    shown=("id", "name", "status", "ip", "region", "vpc", "forwarding_rules", "health_check", "sticky_sessions", "tag", "droplet_ids", *DECLARED, "network"),
    create=_body,
    updates=(Update(("forwarding_rules", "health_check", "sticky_sessions", "tag", "droplet_ids", *DECLARED), "PUT", "", _body),),
    prepare=_prepare,
    ready=lambda found: found.get("status") == "active",
)


def load_balancer(params: Mapping[str, Any]) -> Resource:
    client = connect(params)
    check, sessions = params["health_check"], params["sticky_sessions"]
    wanted = {
        **{key: params[key] for key in ("name", "region", "network", *DECLARED)},
        "vpc": lookup.vpc_id(client, params["vpc"]),
        "forwarding_rules": _rules(client, params["forwarding_rules"]),
        "health_check": None if check is None else normal_check(check),
        "sticky_sessions": None if sessions is None else normal_sessions(sessions),
        **_droplets(client, params),
    }
    patience = Patience(wait=params["wait"], timeout=float(params["wait_timeout"]))
    return Resource(client, LOAD_BALANCER, wanted, present=params["state"] == "present", patience=patience)


def _rules(client: Client, declared: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    if declared is None:
        return None
    ids = lookup.certificate_ids(client, [rule["certificate"] for rule in declared if rule["certificate"]])
    rules = [{**rule, "certificate": None, "certificate_id": ids.get(rule["certificate"], rule["certificate"])} for rule in declared]
    return normal_rules(rules)


def _droplets(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    if params["droplets"] is None:
        return {"tag": params["tag"]}
    ids = lookup.droplet_ids(client, params["droplets"])
    numbers = sorted(int(ids[name]) for name in params["droplets"] if name in ids)
    return {"tag": "", "droplet_ids": [*numbers, *sorted(name for name in params["droplets"] if name not in ids)]}
