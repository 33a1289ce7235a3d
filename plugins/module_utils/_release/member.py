# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's place behind an HAProxy: out when nothing is in flight to it any more, in when HAProxy's own check says that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import Haproxy

SERVING = ("UP", "no check")


class Balancer(Haproxy):
    """HAProxy's runtime socket, with what its health checks say."""

    def statuses(self) -> dict[str, str]:
        return {name: row["status"] for name, row in self._statistics().items()}


class Member:
    """A noun: the server takes requests, or does not."""

    def __init__(self, params: Mapping[str, Any], balancer: Balancer | None = None, clock: Clock | None = None) -> None:
        self._backend, self._server = params["backend"], params["server"]
        self._wanted = params["state"] == "present"
        self._remaining = int(params["remaining"])
        self._timeout = float(params["timeout"])
        self._balancer = balancer or Balancer(self._backend, params["socket"], "")
        self._clock = clock or Clock()

    def read(self) -> State:
        servers = self._balancer.servers()
        if self._server not in servers:
            raise OpsError(f"The backend {self._backend} has no server {self._server}; it has {', '.join(sorted(servers))}.")
        serves = servers[self._server].state == "ready"
        # Taken out, and not waited for to the end: a run that was killed did that.
        return {"member": serves or (not self._wanted and self._balancer.sessions()[self._server] > 0)}

    def desired(self, current: State | None) -> State:
        if current and current["member"] and not self._wanted:
            servers, statuses = self._balancer.servers(), self._balancer.statuses()
            others = [name for name, each in servers.items() if name != self._server and each.state == "ready" and statuses[name].startswith(SERVING)]
            if len(others) < self._remaining:
                raise OpsError(
                    f"{self._server} was not taken out of {self._backend}: {len(others)} other servers would answer, and {self._remaining} have to."
                    " Put others in first, or lower remaining."
                )
        return {"member": self._wanted}

    def apply(self, planned: Plan) -> None:
        if self._wanted:
            self._balancer.set_states({self._server: "ready"})
            wait_for(
                f"HAProxy to find {self._backend}/{self._server} well",
                lambda: self._balancer.statuses()[self._server],
                lambda status: status.startswith(SERVING),
                timeout=self._timeout,
                interval=0.2,
                clock=self._clock,
            )
            return
        self._balancer.set_states({self._server: "drain"})
        wait_for(
            f"the requests to {self._backend}/{self._server} to end",
            lambda: self._balancer.sessions()[self._server],
            lambda sessions: sessions == 0,
            timeout=self._timeout,
            interval=0.2,
            clock=self._clock,
            describe=lambda sessions: f"{sessions} in flight",
        )

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"haproxy_member": {"backend": self._backend, "server": self._server, **(state or {})}}
