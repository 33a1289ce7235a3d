# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of droplets as one thing that converges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State as Whole
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup, policy, states
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.belongings import Belongings
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.droplets import Droplets
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import RESIZE, FleetSpec, fleet_spec, marked, normal_tags, summary
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.replacement import Replacement

SHUTDOWN_SECONDS = 120.0  # then the power goes, as the vendor advises
DECLARED = ("project", "reserved_ip", "volumes", "backup_policy")


class Fleet:
    """Reads, compares and changes every member with as few calls as the API allows."""

    def __init__(self, client: Client, spec: FleetSpec, clock: Clock | None = None) -> None:
        self._client = client
        self._spec = spec
        clock = clock or Clock()
        self._droplets = Droplets(client, spec, clock)
        self._belongings = Belongings(client, spec, clock)
        self._wanted: Mapping[str, State] = {}
        self._replacement = Replacement(self._droplets, spec, clock, lambda members: self._belongings.give_reserved_ips(members, self._wanted))
        self._given: dict[str, State] = {}

    def read(self) -> Whole | None:
        self._droplets.look()
        members = self._droplets.standing
        if not members:
            return None
        begun = {name: states.unfinished(droplet) for name, droplet in {**self._droplets.current, **self._droplets.coming}.items()}
        return {"droplets": self._states(), "unfinished": {name: marks for name, marks in begun.items() if marks}}

    def desired(self, current: Whole | None) -> Whole | None:
        now: Mapping[str, State] = (current or {}).get("droplets", {})
        wanted = policy.members(self._spec, now) if self._spec.present else []
        policy.leaving(self._spec, now, wanted)
        own = {name: states.staying(self._spec, name, now[name], self._vpc) if name in now else states.joining(self._spec, self._vpc) for name in wanted}
        ordered = {(state["size"], state["region"], state["image"]) for name, state in own.items() if name not in now or _ordered(now[name], state)}
        for size, region, image in sorted(ordered):
            lookup.require_offer(self._client, size, region, image)
        also = states.belongings(self._spec, wanted)
        return {"droplets": {name: {**own[name], **also[name]} for name in wanted}, "unfinished": {}} if wanted else None

    def apply(self, planned: Plan) -> None:
        before: Mapping[str, State] = (planned.before or {}).get("droplets", {})
        after: Mapping[str, State] = (planned.after or {}).get("droplets", {})
        self._wanted = after
        if after:
            self._belongings.require(after)
        joining = {name: state for name, state in after.items() if name not in before}
        replaced = {name: state for name, state in after.items() if name in before and states.is_replaced(before[name], state)}
        self._droplets.create(joining)
        self._given = {name: {key: state[key] for key in states.GIVEN if key in state} for name, state in {**joining, **replaced}.items()}
        if self._spec.wait:
            self._droplets.wait_ready(after)
        self._replacement.clear([*replaced, *(name for name in before if name not in after)])
        self._replacement.run(replaced)
        self._change(after)
        gone = [name for name in before if name not in after]
        self._droplets.delete(each[name] for name in gone for each in (self._droplets.current, self._droplets.coming) if name in each)

    def result(self, state: Whole | None) -> Mapping[str, Any]:
        shown: Mapping[str, State] = (state or {}).get("droplets", {})
        standing = self._droplets.standing
        return {
            "droplets": [
                {**summary(name, standing.get(name), shown[name]), **{key: shown[name].get(key) for key in DECLARED}}
                for name in sorted(shown, key=policy.natural)
            ]
        }

    @cached_property
    def _vpc(self) -> str | None:
        return lookup.vpc_id(self._client, self._spec.vpc)

    def _states(self) -> dict[str, State]:
        members = self._droplets.standing
        also = self._belongings.read(members)
        return {name: {**states.present(self._spec, droplet), **also[name], **self._given.get(name, {})} for name, droplet in members.items()}

    def _change(self, after: Mapping[str, State]) -> None:
        """Everything that is changed in place, from what is seen now."""
        now = {name: state for name, state in self._states().items() if name in after}
        self._retag(now, after)
        self._act_on({"type": "enable_ipv6"}, (name for name in now if after[name]["ipv6"] and not now[name]["ipv6"]), _has("ipv6"))
        self._change_backups(now, after)
        for name, droplet in self._droplets.standing.items():
            if name in now and (now[name]["size"] != after[name]["size"] or marked(droplet, RESIZE)):
                self._resize(name, after[name]["size"])
        moved = [name for name in now if any(now[name].get(key) != after[name].get(key) for key in ("reserved_ip", "volumes"))]
        self._droplets.wait_ready(moved)
        members = {name: self._droplets.standing[name] for name in now}
        self._belongings.give(members, now, after)

    def _change_backups(self, now: Mapping[str, State], after: Mapping[str, State]) -> None:
        rules = {"backup_policy": dict(self._spec.backup_policy)} if self._spec.backup_policy else {}
        on = [name for name in now if after[name]["backups"] and not now[name]["backups"]]
        off = [name for name in now if now[name]["backups"] and not after[name]["backups"]]
        other = [name for name in now if name not in on and after[name].get("backup_policy") != now[name].get("backup_policy")]
        self._act_on({"type": "enable_backups", **rules}, on, _has("backups"))
        self._act_on({"type": "disable_backups"}, off, lambda droplet: not _has("backups")(droplet))
        self._act_on({"type": "change_backup_policy", **rules}, other, lambda _droplet: True)

    def _act_on(self, body: Mapping[str, Any], names: Iterable[str], effect: Any) -> None:
        bodies = dict.fromkeys(names, body)
        if bodies:
            self._droplets.wait_ready(bodies)
            self._droplets.act(bodies, effect)

    def _retag(self, now: Mapping[str, State], after: Mapping[str, State]) -> None:
        """One call for each tag, whatever the number of droplets."""
        for tag in normal_tags(tag for name in now for tag in after[name]["tags"] if tag not in now[name]["tags"]):
            self._droplets.tag(tag, [name for name in now if tag in after[name]["tags"] and tag not in now[name]["tags"]])
        for tag in normal_tags(tag for name in now for tag in now[name]["tags"] if tag not in after[name]["tags"]):
            others = [name for name in now if tag in now[name]["tags"] and tag not in after[name]["tags"]]
            self._droplets.untag(tag, [self._droplets.standing[name] for name in others])

    def _resize(self, name: str, size: str) -> None:
        """Off, resized, on again: one at a time. The mark says that it was on."""
        droplet = self._droplets.standing[name]
        was_on = marked(droplet, RESIZE) or droplet["status"] == "active"
        if was_on and not marked(droplet, RESIZE):
            self._droplets.tag(RESIZE, [name])
        try:
            if droplet["size_slug"] != size:
                self._switch_off(name)
                body = {"type": "resize", "size": size, "disk": self._spec.resize_disk}
                self._act_on(body, [name], lambda seen: seen["size_slug"] == size)
        finally:
            if was_on:
                self._switch_on(name)

    def _switch_off(self, name: str) -> None:
        self._droplets.wait_ready([name])
        if self._droplets.standing[name]["status"] == "off":
            return
        try:
            self._droplets.act({name: {"type": "shutdown"}}, _is("off"), SHUTDOWN_SECONDS)
        except OpsError:  # it does not listen
            self._act_on({"type": "power_off"}, [name], _is("off"))

    def _switch_on(self, name: str) -> None:
        self._droplets.wait_ready([name])
        if self._droplets.standing[name]["status"] == "off":
            self._droplets.act({name: {"type": "power_on"}}, _is("active"))
        self._droplets.untag(RESIZE, [self._droplets.standing[name]])


def _ordered(now: State, want: State) -> bool:
    return states.is_replaced(now, want) or now["size"] != want["size"]


def _has(feature: str) -> Any:
    return lambda droplet: feature in (droplet.get("features") or [])


def _is(status: str) -> Any:
    def holds(droplet: Object) -> bool:
        return bool(droplet["status"] == status)

    return holds


def fleet(params: Mapping[str, Any]) -> Fleet:
    return Fleet(connect(params), fleet_spec(params))
