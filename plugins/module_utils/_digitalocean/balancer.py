# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A droplet's place behind a load balancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.creation import create_once
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.load_balancer import COLLECTION
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.policy import unique
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import LOOK_EVERY


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
        return self._state(self._found) if self._found and self._number in _droplets(self._found) else None

    def desired(self, current: State | None) -> State | None:
        if self._present:
            return current or self._state(self._found)
        others = len(_droplets(self._require())) - 1
        if current is not None and others < self._remaining:
            raise OpsError(
                f"{self._droplet} cannot be taken out of load balancer {self._balancer}: {others} other droplets would be left, and {self._remaining} have to."
                " Put another one in first, or lower remaining.",
                remaining=others,
            )
        return None

    def apply(self, planned: Plan) -> None:
        put_in = planned.after is not None
        self._move(put_in)
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

    def _move(self, put_in: bool) -> None:
        found = self._require()
        where = path("tags", found["tag"], "resources") if found.get("tag") else f"{COLLECTION}/{found['id']}/droplets"
        droplet = {"resources": [{"resource_id": str(self._number), "resource_type": "droplet"}]} if found.get("tag") else {"droplet_ids": [self._number]}
        send: Callable[[str, Any], object] = self._client.post if put_in else self._client.delete
        create_once(
            [self._droplet], lambda _names: send(where, droplet), lambda names: [] if self._is_in() == put_in else list(names), self._clock, doing="Moving"
        )

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"load_balancer_member": {**self._state(self._found), "member": state is not None}}

    def _look(self) -> Object | None:
        named = (each for each in self._client.list(COLLECTION, "load_balancers") if self._balancer in (each["name"], each["id"]))
        return next(iter(unique("load balancer", named).values()), None)

    def _is_in(self) -> bool:
        self._found = self._look()
        return self._number in _droplets(self._require())

    def _require(self) -> Object:
        lookup.require_droplet_id(self._number)
        if self._found is None:
            raise OpsError(f"There is no load balancer named {self._balancer}. Create it with do_load_balancer, or name one that exists.")
        return self._found

    def _state(self, found: Object | None) -> dict[str, Any]:
        tag = (found or {}).get("tag")
        return {"load_balancer": self._balancer, "droplet": self._droplet, "droplet_id": self._number, "by": f"tag {tag}" if tag else "id"}


def _droplets(balancer: Object) -> list[int]:
    return list(balancer.get("droplet_ids") or [])


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
