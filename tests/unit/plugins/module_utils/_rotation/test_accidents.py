# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens around a rotation: a store that is away, a clock that is off, an application that is rolled back, a second run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import State
from tests.unit.plugins.module_utils._rotation.worlds import CONSUMERS, NAME, Saw, World

DAY = 86400.0
QUICK: dict[str, Any] = {"grace": 0.0, "quiet": 0.0, "observe": 0.0}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def state(world: World) -> tuple[State, str | None]:
    rotation = world.records.rotation(NAME)
    assert rotation is not None
    return rotation.state, rotation.outcome


def finish(world: World, acknowledged: list[tuple[str, str]], **patience: Any) -> None:
    world.machine(**{**QUICK, **patience}).go_on("finish", acknowledged)


# The store


def away(world: World, at: str, *, times: int = 1) -> Saw:
    """A saw that does not kill: from a point on, the store is away for some requests."""
    saw = Saw()

    def point(name: str) -> None:
        nonlocal times
        saw.points.append(name)
        if name == at and times:
            times -= 1
            raise OpsError("Cannot reach the store.")

    saw.point = point  # type: ignore[method-assign]
    return saw


@pytest.mark.parametrize("at", ["before store.stage", "after store.stage", "before store.promote"])
def test_a_store_that_goes_away_before_it_is_published_goes_back(world: World, at: str) -> None:
    old = world.secret.current
    with pytest.raises(OpsError, match=r"Cannot reach the store\..* went back; the current credential is untouched"):
        world.machine(away(world, at), **QUICK).begin(CONSUMERS)
    assert (world.secret.current, world.secret.pending) == (old, None)
    assert world.database.enabled == {"shop_a"}
    assert state(world)[1] == "back"


def test_a_store_that_published_and_did_not_say_so_holds_both(world: World) -> None:
    old = world.secret.current
    with pytest.raises(OpsError, match="Cannot reach the store"):
        world.machine(away(world, "after store.promote"), **QUICK).begin(CONSUMERS)
    assert world.works(old)
    assert world.works(world.secret.current)
    assert world.secret.previous == old
    world.machine(**QUICK).begin(CONSUMERS)
    finish(world, world.acknowledge())
    assert state(world)[1] == "done"
    assert world.database.enabled == {"shop_b"}


def test_a_store_that_stays_away_leaves_what_a_later_run_takes_back(world: World) -> None:
    old = world.secret.current
    saw = Saw()
    saw.point = lambda name: down(name, ("before store.promote", "before store.drop_pending"))  # type: ignore[method-assign]
    with pytest.raises(OpsError, match="stays TESTED, because going back failed too"):
        world.machine(saw, **QUICK).begin(CONSUMERS)
    assert world.works(old)
    assert world.secret.current == old
    assert world.machine().back().outcome == "back"
    assert world.database.enabled == {"shop_a"}
    assert world.secret.pending is None


def down(name: str, at: tuple[str, ...]) -> None:
    if name in at:
        raise OpsError("Cannot reach the store.")


# The clock


@pytest.mark.parametrize("skew", [-10 * DAY, -3600.0, 3600.0, 10 * DAY])
def test_a_clock_that_is_set_meanwhile_changes_no_waiting(world: World, skew: float) -> None:
    world.machine().begin(CONSUMERS)
    begun = world.clock.monotonic()

    def set_clock() -> None:
        world.clock.skew = skew

    world.clock.on_sleep = set_clock
    finish(world, world.acknowledge(), grace=120.0, timeout=900.0)
    assert 120 <= world.clock.monotonic() - begun <= 126
    assert state(world)[1] == "done"


@pytest.mark.parametrize("skew", [-10 * DAY, 10 * DAY])
def test_a_clock_that_is_set_while_copies_grow_old_changes_no_waiting(world: World, skew: float) -> None:
    begun = world.clock.monotonic()

    def set_clock() -> None:
        world.clock.skew = skew

    world.clock.on_sleep = set_clock
    world.machine(**QUICK, cache=120.0).begin(CONSUMERS)
    assert 120 <= world.clock.monotonic() - begun <= 126
    assert state(world)[0] is State.PUBLISHED


def test_a_clock_that_was_set_back_waits_no_longer_than_the_grace(world: World) -> None:
    world.machine().begin(CONSUMERS)
    world.database.sessions["shop_a"] = 1
    with pytest.raises(OpsError, match="sessions of the old"):
        finish(world, world.acknowledge(), timeout=10.0)
    world.database.sessions["shop_a"] = 0
    world.clock.skew = -10 * DAY
    begun = world.clock.monotonic()
    finish(world, [], grace=120.0)
    assert world.clock.monotonic() - begun <= 126


def test_a_clock_that_is_behind_the_store_is_named_before_anything_is_done(world: World) -> None:
    world.clock.skew = -3600.0
    with pytest.raises(OpsError, match=r"The clock of this control node is off.* made 3600 s from now"):
        world.machine().begin(CONSUMERS)
    assert world.database.enabled == {"shop_a"}
    assert state(world)[1] == "back"
    world.clock.skew = -60.0
    world.machine().begin(CONSUMERS)


# The application


def test_a_consumer_that_is_rolled_back_has_not_switched_any_more(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)
    new = world.secret.current.fingerprint
    with pytest.raises(OpsError, match=r"1 of 2 .*web-2 \(said nothing\)"):
        finish(world, [("web-1", new)])
    with pytest.raises(OpsError, match=r"1 of 2 .*web-1 \(uses"):
        finish(world, [("web-1", old.fingerprint), ("web-2", new)])
    assert world.works(old)
    finish(world, [("web-1", new)])
    assert state(world)[1] == "done"
    assert not world.works(old)


def test_a_rollback_while_the_old_sessions_end_holds_everything(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)
    world.database.sessions["shop_a"] = 1
    with pytest.raises(OpsError, match="1 sessions of the old credential are open"):
        finish(world, world.acknowledge(), timeout=5.0)
    assert state(world)[0] is State.PROPAGATED
    world.database.sessions["shop_a"] = 0
    with pytest.raises(OpsError, match=r"1 of 2 .*web-2 \(uses"):
        finish(world, [("web-2", old.fingerprint)])
    assert world.works(old)
    finish(world, world.acknowledge())
    assert state(world)[1] == "done"


def test_what_a_consumer_tells_of_other_secrets_takes_nothing_back(world: World) -> None:
    """The control: only the old value of this secret does."""
    world.machine().begin(CONSUMERS)
    with pytest.raises(OpsError, match="web-2"):
        finish(world, world.acknowledge()[:1])
    finish(world, [("web-1", "a" * 64), *world.acknowledge()[1:]])
    assert state(world)[1] == "done"


# Two at once


@pytest.mark.parametrize("second", ["begin", "back"])
def test_a_second_run_is_refused_while_one_is_at_work(world: World, second: str) -> None:
    """In the middle of the first one's step, from another thread with handles of its own."""
    said: list[str] = []
    saw = Saw()
    acts: dict[str, Callable[[], object]] = {"begin": lambda: world.machine().begin(CONSUMERS), "back": lambda: world.machine().back()}

    def meddle() -> None:
        try:
            acts[second]()
        except OpsError as error:
            said.append(error.message)

    def point(name: str) -> None:
        if name == "after store.stage":
            other = threading.Thread(target=meddle)
            other.start()
            other.join(30)

    saw.point = point  # type: ignore[method-assign]
    world.machine(saw, **QUICK).begin(CONSUMERS)
    assert len(said) == 1
    assert "Another run is at work" in said[0]
    finish(world, world.acknowledge())
    assert world.database.enabled == {"shop_b"}
