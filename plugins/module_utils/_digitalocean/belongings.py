# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What droplets have from elsewhere: project, reserved IP, volumes, backup policy. Only what the fleet declares is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.droplets import LOOK_EVERY
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import FleetSpec
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import State, unique
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

Members = Mapping[str, Object]


class Belongings:
    """Reads them for the whole fleet with a call or two for each kind, and gives them."""

    def __init__(self, client: Client, spec: FleetSpec, clock: Clock) -> None:
        self._client = client
        self._spec = spec
        self._clock = clock

    def read(self, members: Members) -> dict[str, State]:
        states: dict[str, State] = {name: {} for name in members}
        if self._spec.project:
            held = self._urns()
            for name, droplet in members.items():
                states[name]["project"] = self._spec.project if _urn(droplet) in held else None
        if self._spec.reserved_ips is not None:
            holders = {holder: ip for ip, holder in self._holders().items() if ip in self._spec.reserved_ips}
            for name, droplet in members.items():
                states[name]["reserved_ip"] = holders.get(droplet["id"])
        if self._spec.volumes is not None:
            volumes = self._volumes()
            for name, droplet in members.items():
                states[name]["volumes"] = sorted(volume["name"] for volume in volumes if droplet["id"] in (volume.get("droplet_ids") or []))
        if self._spec.backup_policy:
            policies = {each["droplet_id"]: each.get("backup_policy") or {} for each in self._client.list("/v2/droplets/backups/policies", "policies")}
            for name, droplet in members.items():
                states[name]["backup_policy"] = {key: policies.get(droplet["id"], {}).get(key) for key in self._spec.backup_policy}
        return states

    def require(self, wanted: Mapping[str, State]) -> None:
        """Everything that is declared exists, before anything is changed."""
        if self._spec.project and self._project is None:
            raise OpsError(f"There is no project named {self._spec.project}. Create it with do_project, or name one that exists.", field="project")
        if self._spec.reserved_ips:
            unknown = sorted(set(self._spec.reserved_ips) - set(self._holders()))
            if unknown:
                raise OpsError(f"The account has no reserved IP {', '.join(unknown)}. Reserve it with do_reserved_ip.", field="reserved_ips", missing=unknown)
        if self._spec.volumes:
            there = {volume["name"] for volume in self._volumes()}
            missing = sorted({volume for state in wanted.values() for volume in state["volumes"]} - there)
            if missing:
                raise OpsError(f"There is no volume named {', '.join(missing)}. Create it with do_volume.", field="volumes", missing=missing)

    def give(self, members: Members, now: Mapping[str, State], wanted: Mapping[str, State]) -> None:
        """Bring what members have from elsewhere to what they should have. Backup policies are actions of the droplets themselves."""
        homeless = [_urn(droplet) for name, droplet in members.items() if name in wanted and now[name].get("project") != wanted[name].get("project")]
        if homeless:
            where = path("projects", self._project, "resources")
            create_once(
                homeless,
                lambda urns: self._client.post(where, {"resources": list(urns)}),
                lambda urns: [urn for urn in urns if urn not in self._urns()],
                self._clock,
                doing=f"Moving to project {self._spec.project}:",
            )
        self.give_reserved_ips(members, wanted)
        self._give_volumes(members, now, wanted)

    def give_reserved_ips(self, members: Members, wanted: Mapping[str, State]) -> None:
        """An address moves at once from whichever droplet has it."""
        if not self._spec.reserved_ips:
            return
        holders = self._holders()
        for name, droplet in members.items():
            ip = wanted.get(name, {}).get("reserved_ip")
            if ip and holders[ip] != droplet["id"]:
                self._act(
                    path("reserved_ips", ip, "actions"),
                    {"type": "assign", "droplet_id": droplet["id"]},
                    lambda ip=ip, wanted=droplet["id"]: self._holders()[ip] == wanted,
                    f"reserved IP {ip} to be assigned to {name}",
                )

    def _give_volumes(self, members: Members, now: Mapping[str, State], wanted: Mapping[str, State]) -> None:
        if self._spec.volumes is None:
            return
        moves = [(name, droplet, set(now[name]["volumes"]), set(wanted[name]["volumes"])) for name, droplet in members.items() if name in wanted]
        if all(has == should for _name, _droplet, has, should in moves):
            return
        known = unique("volume", (volume for volume in self._volumes() if any(volume["name"] in has | should for _name, _droplet, has, should in moves)))
        # First every one that goes: it may be wanted elsewhere in the fleet.
        for _name, droplet, has, should in moves:
            for volume in sorted(has - should):
                self._attach(known[volume], droplet, on=False)
        for _name, droplet, has, should in moves:
            for volume in sorted(should - has):
                self._attach(known[volume], droplet, on=True)

    def _attach(self, volume: Object, droplet: Object, *, on: bool) -> None:
        def holds() -> bool:
            return (droplet["id"] in (self._client.get(path("volumes", volume["id"]))["volume"].get("droplet_ids") or [])) == on

        body = {"type": "attach" if on else "detach", "droplet_id": droplet["id"], "region": volume["region"]["slug"]}
        self._act(path("volumes", volume["id"], "actions"), body, holds, f"{body['type']} of volume {volume['name']} and droplet {droplet['name']}")

    def _act(self, where: str, body: Mapping[str, Any], holds: Any, what: str) -> None:
        create_once([what], lambda _names: self._client.post(where, body), lambda names: [] if holds() else list(names), self._clock, doing="Asking for")
        wait_for(what, holds, bool, timeout=self._spec.wait_timeout, interval=LOOK_EVERY, clock=self._clock, describe=lambda _seen: "it is not done")

    @cached_property
    def _project(self) -> str | None:
        wanted = self._spec.project
        found = unique("project", (each for each in self._client.list("/v2/projects", "projects") if wanted in (each["name"], each["id"])))
        return str(next(iter(found.values()))["id"]) if found else None

    def _urns(self) -> set[str]:
        return {each["urn"] for each in self._client.list(path("projects", self._project, "resources"), "resources")} if self._project else set()

    def _holders(self) -> dict[str, Any]:
        """The droplet that each reserved IP of the account is assigned to, by id."""
        return {each["ip"]: (each.get("droplet") or {}).get("id") for each in self._client.list("/v2/reserved_ips", "reserved_ips")}

    def _volumes(self) -> list[dict[str, Any]]:
        return self._client.list("/v2/volumes", "volumes")


def _urn(droplet: Object) -> str:
    return f"do:droplet:{droplet['id']}"
