# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers: one as a kind of object, and a droplet's place behind one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import unique
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import LOOK_EVERY, Kind, Patience, Resource, Update

COLLECTION = "/v2/load_balancers"
# A change replaces the whole load balancer, so all that can be set is read and sent again, also what no option names.
SETTINGS = (
    *("size_unit", "redirect_http_to_https", "enable_proxy_protocol", "enable_backend_keepalive", "http_idle_timeout_seconds", "tls_cipher_policy"),
    *("disable_lets_encrypt_dns_records", "project_id", "network", "network_stack", "type", "firewall", "domains", "glb_settings"),
    "target_load_balancer_ids",
)
DECLARED = SETTINGS[:6]


def normal_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A forwarding rule as it is compared: without what is empty or off."""
    return {key: value for key, value in rule.items() if value not in (None, "", False)}


def normal_rules(rules: Any) -> list[dict[str, Any]]:
    return sorted((normal_rule(rule) for rule in rules or []), key=lambda rule: int(rule["entry_port"]))


def normal_check(check: Mapping[str, Any]) -> dict[str, Any]:
    """A health check as it is compared; one that only connects asks for no path."""
    return {key: value for key, value in check.items() if value is not None and (key != "path" or check.get("protocol") != "tcp")}


def normal_sessions(sessions: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = {key: value for key, value in (sessions or {}).items() if value not in (None, "", 0)}
    return kept if kept.get("type") == "cookies" else {"type": "none"}


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
        **{key: found[key] for key in SETTINGS if found.get(key) is not None},
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
            raise OpsError(f"There is no TLS certificate named {named}. Add it to the account, or name one that exists.", field="certificate")
    lookup.ensure_tags(client, [state["tag"]] if state.get("tag") else [])


LOAD_BALANCER = Kind(
    noun="load balancer",
    key="load_balancer",
    plural="load_balancers",
    collection=COLLECTION,
    state=state_of,
    shown=("id", "name", "status", "ip", "region", "vpc", "forwarding_rules", "health_check", "sticky_sessions", "tag", "droplet_ids", *DECLARED, "network"),
    create=_body,
    updates=(Update(("forwarding_rules", "health_check", "sticky_sessions", "tag", "droplet_ids", *DECLARED), "PUT", "", _body, settles=True),),
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


class Member:
    """A droplet's place behind a load balancer: taken out before work on it, put in again afterwards.

    remaining: how many other droplets have to be behind the load balancer before this one may go.
    drain_seconds: how long requests that are under way get, once it is out.
    """

    def __init__(
        self,
        client: Client,
        balancer: str,
        droplet: str,
        *,
        present: bool,
        remaining: int = 1,
        drain_seconds: float = 0.0,
        timeout: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        self._client, self._balancer, self._droplet = client, balancer, droplet
        self._present, self._remaining = present, remaining
        self._drain_seconds, self._timeout = drain_seconds, timeout
        self._clock = clock or Clock()
        self._found: Object | None = None
        self._number: int | str = droplet

    def read(self) -> State | None:
        self._found = self._look()
        self._number = lookup.droplet_number(self._client, self._droplet)
        if not self._present:
            # Who takes a droplet out relies on its being out, so a name that fits nothing is not passed over.
            self._require()
        return self._state(self._found) if self._found and self._number in self._found["droplet_ids"] else None

    def desired(self, current: State | None) -> State | None:
        if self._present:
            return current or self._state(self._found)
        others = len(self._require()["droplet_ids"]) - 1
        if current is not None and others < self._remaining:
            raise OpsError(
                f"{self._droplet} cannot be taken out of load balancer {self._balancer}: {others} other droplets would be left, and {self._remaining} have to."
                " Put another one in first, or lower remaining.",
                remaining=others,
            )
        return None

    def apply(self, planned: Plan) -> None:
        found = self._require()
        put_in = planned.after is not None
        where = path("tags", found["tag"], "resources") if found.get("tag") else f"{COLLECTION}/{found['id']}/droplets"
        droplet = {"resources": [{"resource_id": str(self._number), "resource_type": "droplet"}]} if found.get("tag") else {"droplet_ids": [self._number]}
        send: Callable[[str, Any], object] = self._client.post if put_in else self._client.delete
        create_once(
            [self._droplet], lambda _names: send(where, droplet), lambda names: [] if self._is_in() == put_in else list(names), self._clock, doing="Moving"
        )
        wait_for(
            f"droplet {self._droplet} to be {'behind' if put_in else 'out of'} load balancer {self._balancer}",
            self._is_in,
            lambda is_in: is_in == put_in,
            timeout=self._timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda is_in: "in" if is_in else "out",
        )
        if not put_in:
            self._clock.sleep(self._drain_seconds)

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"load_balancer_member": {**self._state(self._found), "member": state is not None}}

    def _look(self) -> Object | None:
        named = (each for each in self._client.list(COLLECTION, "load_balancers") if self._balancer in (each["name"], each["id"]))
        return next(iter(unique("load balancer", named).values()), None)

    def _is_in(self) -> bool:
        self._found = self._look()
        return self._number in self._require()["droplet_ids"]

    def _require(self) -> Object:
        lookup.require_droplet_id(self._number)
        if self._found is None:
            raise OpsError(f"There is no load balancer named {self._balancer}. Create it with do_load_balancer, or name one that exists.")
        return self._found

    def _state(self, found: Object | None) -> dict[str, Any]:
        tag = (found or {}).get("tag")
        return {"load_balancer": self._balancer, "droplet": self._droplet, "droplet_id": self._number, "by": f"tag {tag}" if tag else "id"}


def load_balancer_member(params: Mapping[str, Any]) -> Member:
    return Member(
        connect(params),
        params["load_balancer"],
        params["droplet"],
        present=params["state"] == "present",
        remaining=params["remaining"],
        drain_seconds=float(params["drain_seconds"]),
        timeout=float(params["wait_timeout"]),
    )
