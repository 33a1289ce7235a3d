# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation: its order, its doubts, and a kill at every point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import State
from tests.unit.plugins.module_utils._rotation.worlds import CONSUMERS, NAME, Killed, Saw, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def rotate(world: World, saw: Saw | None = None) -> None:
    machine = world.machine(saw, grace=6.0, quiet=3.0, observe=3.0)  # two looks each: more of them are no other points
    machine.begin(CONSUMERS)
    machine.go_on("finish", world.acknowledge())


def state(world: World) -> State:
    rotation = world.records.rotation(NAME)
    assert rotation is not None
    return rotation.state


# The order


def test_begin_publishes_beside_the_old_one(world: World) -> None:
    old = world.secret.current
    rotation = world.machine().begin(CONSUMERS)
    assert rotation.state is State.PUBLISHED
    assert world.secret.previous == old
    assert world.secret.current.part("username") == "shop_b"
    assert world.works(old)
    assert world.works(world.secret.current)


def test_finish_takes_the_old_one_away(world: World) -> None:
    old = world.secret.current
    rotate(world)
    assert world.works(world.secret.current)
    assert not world.works(old)
    assert world.database.passwords["shop_a"] is None
    rotation = world.records.rotation(NAME)
    assert rotation is not None
    assert rotation.outcome == "done"


def test_users_take_turns(world: World) -> None:
    users = []
    for _turn in range(4):
        rotate(world)
        users.append(world.secret.current.part("username"))
    assert users == ["shop_b", "shop_a", "shop_b", "shop_a"]


def test_a_second_begin_joins_the_first(world: World) -> None:
    first = world.machine().begin(CONSUMERS)
    current = world.secret.current
    assert world.machine().begin(CONSUMERS).id == first.id
    assert world.secret.current == current
    assert world.works(world.secret.previous)


def test_two_at_once_are_refused(world: World) -> None:
    with world.records.hold(NAME), pytest.raises(OpsError, match="Another run is at work"):
        world.machine().begin(CONSUMERS)


def test_an_intent_is_written_before_each_act(world: World) -> None:
    rotate(world)
    kinds = [(entry["kind"], entry["state"]) for entry in world.records.entries(NAME) if "state" in entry]
    expected = [(kind, member.value) for member in State if member is not State.PLANNED for kind in ("entering", "completed")]
    assert kinds == expected


def test_the_journal_holds_no_value(world: World) -> None:
    values = [world.secret.current.part("password")]
    rotate(world)
    values.append(world.secret.current.part("password"))
    journal = str(world.records.entries(NAME))
    assert not [value for value in values if value in journal]
    assert world.secret.current.fingerprint in journal


# Doubt before PUBLISHED goes back


def refuse_the_new_login(world: World) -> None:
    world.database.effective_user = "shop_b"


def let_wrong_passwords_in(world: World) -> None:
    world.database.wrong_refused = False


def make_rights_differ(world: World) -> None:
    world.database.differences = ["member of reports"]


def break_the_database(world: World) -> None:
    world.database.broken = "enabled"


def take_createrole_away(world: World) -> None:
    world.database.may_create_logins = False


@pytest.mark.parametrize("trouble", [refuse_the_new_login, let_wrong_passwords_in, make_rights_differ, break_the_database, take_createrole_away])
def test_a_new_credential_that_proves_nothing_is_withdrawn(world: World, trouble: Callable[[World], None]) -> None:
    old = world.secret.current
    trouble(world)
    with pytest.raises(OpsError, match="went back; the current credential is untouched"):
        world.machine().begin(CONSUMERS)
    assert world.secret.current == old
    assert world.secret.pending is None
    assert world.works(old)
    assert world.database.enabled == {"shop_a"}


def test_going_back_that_fails_too_is_said_and_can_be_repeated(world: World) -> None:
    make_rights_differ(world)
    world.database.broken = "retired"
    with pytest.raises(OpsError, match="stays SET, because going back failed too"):
        world.machine().begin(CONSUMERS)
    world.database.broken = None
    assert world.machine().back().outcome == "back"
    assert world.database.enabled == {"shop_a"}


def test_a_stored_value_that_no_longer_works_is_not_built_upon(world: World) -> None:
    world.database.passwords["shop_a"] = "changed by hand"
    with pytest.raises(OpsError, match="refuses the login of shop_a"):
        world.machine().begin(CONSUMERS)


# Doubt after PUBLISHED holds


def test_a_consumer_that_says_nothing_holds_everything(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)
    with pytest.raises(OpsError, match=r"1 of 2 consumers .* web-2 \(said nothing\)") as caught:
        world.machine().go_on("finish", world.acknowledge()[:1])
    assert caught.value.details["missing"] == ["web-2 (said nothing)"]
    assert world.works(old)
    assert world.machine().go_on("finish", world.acknowledge()[1:]).outcome == "done"


def test_a_consumer_that_still_uses_the_old_one_holds_everything(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)
    with pytest.raises(OpsError, match=r"web-1 \(uses"):
        world.machine().go_on("finish", [("web-1", old.fingerprint), ("web-2", world.secret.current.fingerprint)])
    assert world.works(old)


def test_sessions_of_the_old_one_hold_everything(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)
    world.database.sessions["shop_a"] = 3
    with pytest.raises(OpsError, match="3 sessions of the old credential are open"):
        world.machine().go_on("finish", world.acknowledge())
    assert world.works(old)
    assert state(world) is State.PROPAGATED


def test_the_quiet_period_begins_again_with_each_session(world: World) -> None:
    world.machine().begin(CONSUMERS)
    begun = world.clock.now()

    def come_and_go() -> None:
        world.database.sessions["shop_a"] = 1 if world.clock.now() - begun < 100 and world.clock.now() % 10 < 3 else 0

    world.clock.on_sleep = come_and_go
    world.machine(grace=0.0, quiet=30.0).go_on("finish", world.acknowledge())
    assert world.clock.now() - begun >= 120


def test_compromised_waits_for_nothing_and_ends_sessions(world: World) -> None:
    world.machine().begin(CONSUMERS)
    world.database.sessions["shop_a"] = 3
    begun = world.clock.now()
    world.machine(compromised=True).go_on("finish", world.acknowledge())
    assert world.clock.now() == begun
    assert world.database.sessions["shop_a"] == 0


def test_a_new_one_that_fails_later_opens_the_old_one_again(world: World) -> None:
    old = world.secret.current
    world.machine().begin(CONSUMERS)

    def break_once_disabled() -> None:
        if "shop_a" not in world.database.enabled:
            world.database.enabled.discard("shop_b")

    world.clock.on_sleep = break_once_disabled
    with pytest.raises(OpsError, match="was enabled again"):
        world.machine().go_on("finish", world.acknowledge())
    assert world.works(old)
    assert state(world) is State.GRACE


def test_a_store_that_somebody_else_changed_is_not_promoted(world: World) -> None:
    saw = Saw()
    machine = world.machine(saw)
    original = saw.point

    def meddle(name: str) -> None:
        original(name)
        if name == "before store.promote":
            world.store._change(NAME, lambda secret: replace(secret, current=replace(secret.current, id="another")))

    saw.point = meddle  # type: ignore[method-assign]
    with pytest.raises(OpsError, match="Somebody else changed it; nothing was promoted"):
        machine.begin(CONSUMERS)
    assert world.secret.current.id == "another"


# Back


def test_back_after_publishing_is_refused(world: World) -> None:
    world.machine().begin(CONSUMERS)
    with pytest.raises(OpsError, match="both work"):
        world.machine().back()


def test_back_after_the_end_is_refused(world: World) -> None:
    rotate(world)
    with pytest.raises(OpsError, match="No rotation of shop/database is in progress"):
        world.machine().back()


def test_finish_before_begin_is_refused(world: World) -> None:
    with pytest.raises(OpsError, match="No rotation"):
        world.machine().go_on("finish", [])


# A kill at every point, enumerated by the code


def points(act: Callable[[World, Saw], None]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        saw = Saw()
        act(World(Path(folder)), saw)
        return saw.points


def set_but_not_published(world: World) -> None:
    with pytest.raises(Killed):
        rotate(world, Saw(POINTS.index("before store.promote") + 1))


def take_back(world: World, saw: Saw) -> None:
    set_but_not_published(world)
    world.machine(saw).back()


POINTS = points(rotate)
POINTS_OF_BACK = points(take_back)


@pytest.mark.parametrize("at", range(1, len(POINTS) + 1), ids=lambda at: f"{at}-{POINTS[at - 1].replace(' ', '-')}")
def test_a_killed_rotation_is_continued(world: World, at: int) -> None:
    first = world.secret.current
    with pytest.raises(Killed):
        rotate(world, Saw(at))
    assert world.works(world.secret.current), "what the store calls current does not log in"
    rotation = world.records.rotation(NAME)
    if rotation is None or rotation.state.order < State.DISABLED.order - 1:
        assert world.works(first)
    if rotation is None or rotation.live:
        rotate(world)
    latest = world.records.rotation(NAME)
    assert latest is not None
    assert latest.outcome == "done"
    assert world.secret.current.id == latest.new
    assert world.works(world.secret.current)
    assert world.database.enabled == {world.secret.current.part("username")}, "a credential was left behind"
    assert [password for password in world.database.passwords.values() if password] == [world.secret.current.part("password")]
    assert world.secret.pending is None


@pytest.mark.parametrize("at", range(2, POINTS.index("before store.promote") + 2))
def test_a_killed_begin_can_be_taken_back(world: World, at: int) -> None:
    first = world.secret.current
    with pytest.raises(Killed):
        rotate(world, Saw(at))
    assert world.machine().back().outcome == "back"
    assert world.secret.current == first
    assert world.secret.pending is None
    assert world.database.enabled == {"shop_a"}


def test_what_the_store_published_is_not_taken_back(world: World) -> None:
    with pytest.raises(Killed):
        rotate(world, Saw(POINTS.index("after store.promote") + 1))
    assert state(world) is State.TESTED
    with pytest.raises(OpsError, match="both work"):
        world.machine().back()
    assert world.works(world.secret.current)


@pytest.mark.parametrize("at", range(1, len(POINTS_OF_BACK) + 1))
def test_going_back_can_be_killed_too(world: World, at: int) -> None:
    set_but_not_published(world)
    with pytest.raises(Killed):
        world.machine(Saw(at)).back()
    rotation = world.records.rotation(NAME)
    assert rotation is not None
    if rotation.live:
        world.machine().back()
    assert world.database.enabled == {"shop_a"}
    assert world.secret.pending is None
    assert world.works(world.secret.current)


def test_every_state_is_among_the_points_of_kill() -> None:
    assert POINTS.count("before records.write") >= 2 * (len(State) - 1)
    assert {"before store.stage", "after store.promote", "before database.ensure", "after database.look"} <= set(POINTS)
