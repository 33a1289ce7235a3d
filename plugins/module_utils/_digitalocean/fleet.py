# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of droplets as one thing that converges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import FleetSpec, fleet_spec, normal_tags, summary

LOOK_EVERY = 2.0  # seconds between two looks at the whole fleet
# Known at creation only: the API does not tell them afterwards.
GIVEN = ("ssh_keys", "user_data")


class Fleet:
    """Reads, compares and changes every member with as few calls as the API allows."""

    def __init__(self, client: Client, spec: FleetSpec, clock: Clock | None = None) -> None:
        self._client = client
        self._spec = spec
        self._clock = clock or Clock()
        self._droplets: dict[str, Any] = {}
        self._given: dict[str, dict[str, Any]] = {}

    def read(self) -> State | None:
        self._droplets = dict(policy.unique("droplet", self._members()))
        states = {name: {**policy.present_state(self._spec, droplet), **self._given.get(name, {})} for name, droplet in self._droplets.items()}
        return {"droplets": states} if states else None

    def desired(self, current: State | None) -> State | None:
        now: Mapping[str, dict[str, Any]] = (current or {}).get("droplets", {})
        wanted = policy.members(self._spec, now) if self._spec.present else []
        policy.leaving(self._spec, now, wanted)
        joining = [name for name in wanted if name not in now]
        if joining:
            new = policy.joining_state(self._spec, self._vpc)
            lookup.require_offer(self._client, new["size"], new["region"], new["image"])
        states = {
            name: policy.staying_state(self._spec, name, now[name], self._vpc) if name in now else policy.joining_state(self._spec, self._vpc)
            for name in wanted
        }
        return {"droplets": states} if states else None

    def apply(self, planned: Plan) -> None:
        before: Mapping[str, dict[str, Any]] = (planned.before or {}).get("droplets", {})
        after: Mapping[str, dict[str, Any]] = (planned.after or {}).get("droplets", {})
        self._create([name for name in after if name not in before], after)
        both = [name for name in after if name in before]
        self._wait_ready(list(after))
        self._retag({name: (before[name]["tags"], after[name]["tags"]) for name in both})
        for name in both:
            if before[name]["backups"] != after[name]["backups"]:
                self._act(name, {"type": "enable_backups" if after[name]["backups"] else "disable_backups"})
            if before[name]["ipv6"] != after[name]["ipv6"]:
                self._act(name, {"type": "enable_ipv6"})
            if before[name]["size"] != after[name]["size"]:
                self._resize(name, after[name]["size"])
        self._delete([name for name in before if name not in after])

    def result(self, state: State | None) -> Mapping[str, Any]:
        states: Mapping[str, dict[str, Any]] = (state or {}).get("droplets", {})
        return {"droplets": [summary(name, self._droplets.get(name), states[name]) for name in sorted(states, key=_natural)]}

    @cached_property
    def _vpc(self) -> str | None:
        return lookup.vpc_id(self._client, self._spec.vpc)

    def _members(self) -> list[dict[str, Any]]:
        tagged = self._client.list("/v2/droplets", "droplets", {"tag_name": self._spec.tag})
        # An archived droplet is one that is being destroyed.
        return [each for each in tagged if policy.belongs(self._spec, each["name"]) and each.get("status") != "archive"]

    def _missing(self, names: Sequence[str]) -> list[str]:
        seen = {each["name"] for each in self._members()}
        return [name for name in names if name not in seen]

    def _create(self, names: list[str], states: Mapping[str, dict[str, Any]]) -> None:
        if not names:
            return
        body = self._creation(states[names[0]])
        for batch in policy.batches(names):
            create_once(batch, lambda wanted: self._client.post("/v2/droplets", {"names": list(wanted), **body}), self._missing, self._clock)
        self._given = {name: {key: states[name][key] for key in GIVEN if key in states[name]} for name in names}

    def _creation(self, state: Mapping[str, Any]) -> dict[str, Any]:
        body = {key: state[key] for key in ("size", "region", "tags", "monitoring", "backups", "ipv6")}
        body["image"] = int(state["image"]) if state["image"].isdigit() else state["image"]
        body["ssh_keys"] = lookup.ssh_key_ids(self._client, self._spec.ssh_keys)
        if state.get("vpc"):
            body["vpc_uuid"] = lookup.require_vpc_id(state["vpc"])
        if self._spec.user_data:
            body["user_data"] = self._spec.user_data
        return body

    def _wait_ready(self, names: list[str]) -> None:
        if self._spec.wait and any(name not in self._droplets or self._droplets[name]["status"] == "new" for name in names):
            self._watch(f"{len(names)} droplets of fleet {self._spec.tag} to start", names, lambda droplet: droplet is not None and droplet["status"] != "new")

    def _watch(self, what: str, names: Sequence[str], done: Callable[[Any], bool]) -> None:
        """One look at the whole fleet answers for every member."""

        def look() -> dict[str, Any]:
            self._droplets = {each["name"]: each for each in self._members()}
            return {name: self._droplets.get(name) for name in names}

        wait_for(
            what,
            look,
            lambda seen: all(done(droplet) for droplet in seen.values()),
            timeout=self._spec.wait_timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda seen: ", ".join(f"{name} {droplet['status'] if droplet else 'not there'}" for name, droplet in seen.items() if not done(droplet)),
        )

    def _retag(self, changes: Mapping[str, tuple[list[str], list[str]]]) -> None:
        """One call for each tag, whatever the number of droplets."""
        for tag in normal_tags(tag for before, after in changes.values() for tag in after if tag not in before):
            body = self._resources(name for name, (before, after) in changes.items() if tag in after and tag not in before)
            lookup.ensure_tags(self._client, [tag])
            self._client.post(path("tags", tag, "resources"), body)
        for tag in normal_tags(tag for before, after in changes.values() for tag in before if tag not in after):
            self._client.delete(
                path("tags", tag, "resources"), self._resources(name for name, (before, after) in changes.items() if tag in before and tag not in after)
            )

    def _resources(self, names: Any) -> dict[str, Any]:
        return {"resources": [{"resource_id": str(self._droplets[name]["id"]), "resource_type": "droplet"} for name in names]}

    def _resize(self, name: str, size: str) -> None:
        """Off, resized, on again: a droplet of the fleet at a time."""
        off = self._droplets[name]["status"] == "off"
        if not off:
            self._act(name, {"type": "shutdown"})
            self._watch(f"droplet {name} to shut down", [name], lambda droplet: droplet is not None and droplet["status"] == "off")
        self._act(name, {"type": "resize", "size": size, "disk": self._spec.resize_disk})
        if not off:
            self._act(name, {"type": "power_on"})
            self._watch(f"droplet {name} to start", [name], lambda droplet: droplet is not None and droplet["status"] == "active")

    def _act(self, name: str, body: Mapping[str, Any]) -> None:
        actions = path("droplets", self._droplets[name]["id"], "actions")
        action = self._client.post(actions, body)["action"]
        done = wait_for(
            f"{body['type']} of droplet {name}",
            lambda: action if action["status"] != "in-progress" else self._client.get(f"{actions}/{action['id']}")["action"],
            lambda seen: seen["status"] != "in-progress",
            timeout=self._spec.wait_timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda seen: seen["status"],
        )
        if done["status"] != "completed":
            raise OpsError(
                f"{body['type']} of droplet {name} ended as {done['status']}. Look at the droplet's history in the control panel, then run again.", droplet=name
            )

    def _delete(self, names: list[str]) -> None:
        for name in names:
            try:
                self._client.delete(path("droplets", self._droplets[name]["id"]))
            except NotFoundError:
                continue  # somebody was faster
        if names:
            self._watch(f"{len(names)} droplets to be gone", names, lambda droplet: droplet is None)


def _natural(name: str) -> tuple[str, int]:
    head, _dash, tail = name.rpartition("-")
    return (head, int(tail)) if tail.isdigit() else (name, 0)


def fleet(params: Mapping[str, Any]) -> Fleet:
    return Fleet(connect(params), fleet_spec(params))
