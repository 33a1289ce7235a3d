# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody is refused in ten rotations of a database's and of a cache's users, while their consumers do nothing but log in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.acl import AclUser
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.acl import look as look_at
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser, Logins
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from localcloud.shell import wait_until
from tests import figures
from tests.integration import test_rotation, test_rotation_redis
from tests.integration.rotation_world import RULES, CachePlace, Consumers, DirectLogins, Place, redis_server
from tests.integration.test_rotation import place as database

__all__ = ["database"]
ROTATIONS = 10
LOGINS = 20_000  # in each of them
# A consumer that has switched may be in the middle of a login still.
PATIENCE = Patience(grace=1, quiet=1, observe=0, interval=0.2)
MOST = 2_000_000  # and then nobody works any more
# What one login may take at the most on a slow machine, so that a load that hangs ends.
SECONDS = 0.1


class CacheLogins:
    """What the modules do, without Ansible in between."""

    server = "The cache"

    def __init__(self, place: CachePlace) -> None:
        self._place = place

    def ensure(self, name: str, password: str, state: str) -> None:
        user = AclUser(self._place.cache, name, state, password, RULES)
        before = user.read()
        planned = plan(before, user.desired(before))
        if planned.changed:
            user.apply(planned)

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        return look_at(self._place.cache, name, password, compare_with)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CachePlace]:
    with redis_server(tmp_path_factory.mktemp("cache") / "redis") as place:
        made = place.play("main")
        assert made.rc == 0, made.output
        yield place


def rotate_under_load(place: Place, logins: Logins, owner: str | None) -> Consumers:
    """Ten rotations. Before, between and after their steps consumers log in, a third of the logins each time."""
    consumers = Consumers(place, workers=6, pause=0.0, most=MOST)

    def work() -> None:
        wanted = consumers.accepted + LOGINS // 3 + 1
        wait_until("the consumers to log in", lambda: consumers.accepted >= wanted or bool(consumers.refused), seconds=LOGINS * SECONDS, pause=0.05)

    with consumers.running():
        for _rotation in range(ROTATIONS):
            old = place.secret.current
            machine = Machine(place.name, place.store, place.records, DualUser(logins, owner), PATIENCE)
            work()
            machine.begin(["shop"])
            work()
            consumers.switch(place.secret.current)
            machine.go_on("finish", [("shop", place.secret.current.fingerprint)])
            work()
            assert not place.accepts(old)
    return consumers


def test_nobody_is_refused(database: Place, cache: CachePlace) -> None:
    begun = time.monotonic()
    done = [rotate_under_load(database, DirectLogins(database), "shop"), rotate_under_load(cache, CacheLogins(cache), None)]
    red = [test_rotation.refused_by_changing_the_live_role(database), test_rotation_redis.refused_by_changing_the_live_user(cache)]
    refused = [each for consumers in done for each in consumers.refused]
    figures.record(
        "rotation.logins_refused",
        len(refused),
        unit="logins",
        of=sum(consumers.accepted for consumers in done) + len(refused),
        target="== 0",
        command="make load",
        control={"what": "another password for the live user, of PostgreSQL and of Redis; consumers follow 0.5 s later", "value": sum(red), "red": all(red)},
        seconds=time.monotonic() - begun,
    )
    assert refused == []
    assert min(consumers.accepted for consumers in done) >= ROTATIONS * LOGINS
    assert all(red), "the harness does not see refused logins"
