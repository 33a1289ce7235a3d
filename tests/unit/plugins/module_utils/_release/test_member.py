# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's place behind an HAProxy, over a scripted one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release.member import Balancer, Member
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Server


class Hurried(Clock):
    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Scripted(Balancer):
    """Two servers; requests to one end after so many looks, and its check passes after as many."""

    def __init__(self, looks: int = 2, other: str = "UP") -> None:
        self.states = {"h1": "ready", "h2": "ready"}
        self._looks, self._other = looks, other

    def servers(self) -> dict[str, Server]:
        return {name: Server(name, state, 80) for name, state in self.states.items()}

    def sessions(self) -> dict[str, int]:
        self._looks -= 1
        return {"h1": max(self._looks, 0), "h2": 5}

    def statuses(self) -> dict[str, str]:
        self._looks -= 1
        return {"h1": "UP" if self._looks <= 0 else "DOWN", "h2": self._other}

    def set_states(self, states: Any, weights: Any = None) -> None:
        self.states |= states


def converge(balancer: Scripted, state: str, **options: Any) -> bool:
    member = Member({"backend": "shop", "server": "h1", "state": state, "remaining": 1, "timeout": 5, "socket": "", **options}, balancer, Hurried())
    current = member.read()
    planned = plan(current, member.desired(current))
    if planned.changed:
        member.apply(planned)
    assert member.read() == {"member": state == "present"}
    return planned.changed


def test_a_server_is_out_when_nothing_is_in_flight_and_in_when_it_is_well() -> None:
    balancer = Scripted()
    assert converge(balancer, "absent") and balancer.states == {"h1": "drain", "h2": "ready"}
    assert not converge(balancer, "absent")
    assert converge(balancer, "present") and not converge(balancer, "present")


def test_requests_that_do_not_end_are_counted() -> None:
    with pytest.raises(OpsError, match=r"requests to shop/h1 to end after 5 s; last seen: \d+ in flight"):
        converge(Scripted(looks=1000), "absent")


def test_a_run_that_was_killed_while_it_waited_is_taken_up() -> None:
    balancer = Scripted(looks=4)
    balancer.states["h1"] = "drain"
    assert converge(balancer, "absent")


@pytest.mark.parametrize(("other", "state"), [("DOWN", "ready"), ("UP", "drain")])
def test_the_last_server_that_answers_stays(other: str, state: str) -> None:
    balancer = Scripted(other=other)
    balancer.states["h2"] = state
    with pytest.raises(OpsError, match="0 other servers would answer, and 1 have to"):
        converge(balancer, "absent")
    assert balancer.states["h1"] == "ready"
    assert converge(balancer, "absent", remaining=0)


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OpsError, match="has no server h9; it has h1, h2"):
        Member({"backend": "shop", "server": "h9", "state": "absent", "remaining": 1, "timeout": 5, "socket": ""}, Scripted()).read()
