# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps to a server, and what a Redis server answers that is still loading."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Unread
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.way import walk
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.diagnose import CATALOG


def wrong(words: str) -> Callable[[], str]:
    def step() -> str:
        raise OpsError(words)

    return step


def test_the_first_step_that_is_wrong_is_the_cause_and_shows_no_secret() -> None:
    facts = walk({"dns": lambda: "10.0.0.1", "tls": wrong("redis://shop:hunter2@cache is no server"), "credentials": lambda: "never asked"})
    assert facts["dns"] == (True, "10.0.0.1") and facts["tls"] == (False, "redis://shop:<secret>@cache is no server")
    assert facts["credentials"] == Unread("tls has to be right first")


def test_a_server_that_still_loads_is_named() -> None:
    def verdict(loading: int) -> str:
        found = {each.id: each for each in CATALOG.examine("cache", {"info": {"loading": loading, "used_memory": 1, "connected_clients": 1}})}
        return found["diagnose.redis.loaded"].verdict

    assert (verdict(1), verdict(0)) == ("fail", "pass")
