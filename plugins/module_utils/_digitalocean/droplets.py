# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The droplets of a fleet in the account: one look sees all of them, and one wait is for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import REPLACEMENT, FleetSpec, marked
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

LOOK_EVERY = 2.0  # seconds between two looks at the whole fleet


class Droplets:
    """Members by name. Of a name being replaced there are two: ``current``, and ``coming``, which has the mark."""

    def __init__(self, client: Client, spec: FleetSpec, clock: Clock) -> None:
        self._client = client
        self._spec = spec
        self._clock = clock
        self.current: dict[str, Object] = {}
        self.coming: dict[str, Object] = {}

    @property
    def standing(self) -> dict[str, Object]:
        """The droplet that a name stands for: a replacement whose predecessor is gone has taken its place."""
        return {**self.coming, **self.current}

    def look(self) -> None:
        tagged = self._client.list("/v2/droplets", "droplets", {"tag_name": self._spec.tag})
        # An archived droplet is one that is being destroyed.
        members = [each for each in tagged if policy.belongs(self._spec, each["name"]) and each.get("status") != "archive"]
        self.current = policy.unique("droplet", (each for each in members if not marked(each, REPLACEMENT)))
        self.coming = policy.unique("replacement", (each for each in members if marked(each, REPLACEMENT)))

    def create(self, states: Mapping[str, State], mark: str | None = None) -> None:
        """Order droplets by name, ten of a kind in a call."""
        kinds: list[tuple[dict[str, Any], list[str]]] = []
        for name, state in states.items():
            body = self._body(name, state, mark)
            same = next((names for known, names in kinds if known == body), None)
            if same is None:
                kinds.append((body, [name]))
            else:
                same.append(name)
        for body, names in kinds:
            for batch in policy.batches(names):
                self._order(batch, body, mark)

    def _order(self, names: list[str], body: Mapping[str, Any], mark: str | None) -> None:
        def missing(wanted: Sequence[str]) -> list[str]:
            self.look()
            return [name for name in wanted if name not in (self.coming if mark else self.current)]

        create_once(names, lambda wanted: self._client.post("/v2/droplets", {"names": list(wanted), **body}), missing, self._clock)

    def _body(self, name: str, state: State, mark: str | None) -> dict[str, Any]:
        body: dict[str, Any] = {key: state[key] for key in ("size", "region", "monitoring", "backups", "ipv6")}
        body["tags"] = [*state["tags"], *([mark] if mark else [])]
        body["image"] = int(state["image"]) if state["image"].isdigit() else state["image"]
        body["ssh_keys"] = self._ssh_keys
        before = self.current.get(name)
        if state.get("vpc"):
            body["vpc_uuid"] = lookup.require_vpc_id(state["vpc"])
        elif before and before["region"]["slug"] == state["region"]:
            body["vpc_uuid"] = before["vpc_uuid"]
        if self._spec.user_data:
            body["user_data"] = self._spec.user_data
        if self._spec.backup_policy:
            body["backup_policy"] = dict(self._spec.backup_policy)
        return body

    @cached_property
    def _ssh_keys(self) -> list[int | str]:
        return lookup.ssh_key_ids(self._client, self._spec.ssh_keys)

    def watch(self, what: str, left: Callable[[], Mapping[str, str]], timeout: float | None = None) -> None:
        """Look at the whole fleet until nothing is left: what is not as it should be yet, and how it is."""

        def seen() -> Mapping[str, str]:
            self.look()
            return left()

        wait_for(
            what,
            seen,
            lambda still: not still,
            timeout=timeout or self._spec.wait_timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda still: ", ".join(f"{name} {how}" for name, how in still.items()),
        )

    def wait_ready(self, names: Iterable[str], *, among: Callable[[], Mapping[str, Object]] | None = None) -> None:
        """Wait until droplets run and nothing else is being done to them."""
        names, among = list(names), among or (lambda: self.standing)

        def left() -> dict[str, str]:
            seen = among()
            return {name: "is not there" if name not in seen else f"is {seen[name]['status']}" for name in names if name not in seen or _busy(seen[name])}

        if left():
            self.watch(f"{len(names)} droplets of fleet {self._spec.tag} to start", left)

    def act(self, bodies: Mapping[str, Mapping[str, Any]], effect: Callable[[Object], bool], timeout: float | None = None) -> None:
        """Begin an action on each droplet, then wait for all of them.

        effect: whether a droplet is as the action leaves it.
        """
        begun: dict[str, Any] = {}
        for name, body in bodies.items():

            def begin(_names: Sequence[str], name: str = name, body: Mapping[str, Any] = body) -> None:
                begun[name] = self._client.post(path("droplets", self.standing[name]["id"], "actions"), body)["action"]

            create_once([name], begin, lambda names: self._not_begun(names, effect), self._clock, doing=f"{body['type']} of")

        def left() -> dict[str, str]:
            seen = {name: droplet for name, droplet in self.standing.items() if name in bodies}
            return {name: f"is {droplet['status']}" for name, droplet in seen.items() if not self._done(name, droplet, effect, begun)}

        self.watch(f"{', '.join(sorted({body['type'] for body in bodies.values()}))} of {', '.join(bodies)}", left, timeout)

    def _not_begun(self, names: Sequence[str], effect: Callable[[Object], bool]) -> list[str]:
        self.look()
        return [name for name in names if not self.standing[name].get("locked") and not effect(self.standing[name])]

    def _done(self, name: str, droplet: Object, effect: Callable[[Object], bool], begun: Mapping[str, Any]) -> bool:
        if droplet.get("locked"):
            return False
        if effect(droplet):
            return True
        if name in begun:
            action = self._client.get(path("droplets", droplet["id"], "actions", begun[name]["id"]))["action"]
            if action["status"] == "errored":
                raise OpsError(
                    f"{action['type']} of droplet {name} ended as errored. Look at the droplet's history in the control panel, then run again.", droplet=name
                )
        return False

    def tag(self, tag: str, names: Sequence[str]) -> None:
        lookup.ensure_tags(self._client, [tag])

        def post(wanted: Sequence[str]) -> None:
            self._client.post(path("tags", tag, "resources"), _resources(self.standing[name] for name in wanted))

        def missing(wanted: Sequence[str]) -> list[str]:
            self.look()
            return [name for name in wanted if not marked(self.standing[name], tag)]

        create_once(names, post, missing, self._clock, doing=f"Tagging as {tag}:")

    def untag(self, tag: str, droplets: Iterable[Object]) -> None:
        self._client.delete(path("tags", tag, "resources"), _resources(droplets))

    def delete(self, droplets: Iterable[Object]) -> None:
        """Remove droplets and wait until they are gone."""
        gone = {each["id"]: str(each["name"]) for each in droplets}
        for identifier in gone:
            try:
                self._client.delete(path("droplets", identifier))
            except NotFoundError:
                continue  # somebody was faster

        def left() -> dict[str, str]:
            return {str(each["name"]): "is there" for each in (*self.current.values(), *self.coming.values()) if each["id"] in gone}

        if gone:
            self.watch(f"{len(gone)} droplets to be gone", left)


def _busy(droplet: Object) -> bool:
    return droplet["status"] == "new" or bool(droplet.get("locked"))


def _resources(droplets: Iterable[Object]) -> dict[str, Any]:
    return {"resources": [{"resource_id": str(each["id"]), "resource_type": "droplet"} for each in droplets]}
