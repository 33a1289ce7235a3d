# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules predict and tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.noun import SecretNoun, describe
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.phase import Request, RotationPhase
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import Schedule
from tests.unit.plugins.module_utils._rotation.worlds import CONSUMERS, NAME, RECIPE, World

DAY = 86400.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def noun(world: World, name: str, wanted: Recipe | None) -> SecretNoun:
    return SecretNoun(name, wanted, world.store, world.records, world.clock)


def converge(thing: SecretNoun) -> Plan:
    before = thing.read()
    planned = plan(before, thing.desired(before))
    if planned.changed:
        thing.apply(planned)
    return planned


def phase(world: World, verb: str, **request: Any) -> RotationPhase:
    provider = DualUser(world.database, "shop")
    return RotationPhase(Request(NAME, verb, **request), world.store, world.records, provider, Patience(), world.clock)


def do(world: World, verb: str, **request: Any) -> Any:
    operation = phase(world, verb, **request)
    planned = operation.plan()
    if planned.changed:
        return planned, operation.apply(planned)
    return planned, operation.result(planned)


def test_a_secret_is_made_once(world: World) -> None:
    recipe = policy.recipe("password", 256, policy.ALPHABET, ())
    assert converge(noun(world, "shop/jwt", recipe)).verb == "create"
    made = world.store.get("shop/jwt")
    assert converge(noun(world, "shop/jwt", recipe)).verb == "none"
    assert world.store.get("shop/jwt") == made


def test_a_stronger_recipe_keeps_the_value(world: World) -> None:
    before = world.secret.current
    stronger = policy.recipe("database_user", 256, policy.ALPHABET, RECIPE.users)
    assert converge(noun(world, NAME, stronger)).verb == "update"
    assert world.secret.current == before
    assert world.secret.recipe == stronger


@pytest.mark.parametrize(
    "recipe", [policy.recipe("password", 192, policy.ALPHABET, ()), policy.recipe("database_user", 192, policy.ALPHABET, ("shop_a", "shop_c"))]
)
def test_another_kind_or_other_users_are_refused(world: World, recipe: Recipe) -> None:
    thing = noun(world, NAME, recipe)
    with pytest.raises(OpsError, match="never overwritten"):
        thing.desired(thing.read())


def test_a_secret_is_not_removed_during_its_rotation(world: World) -> None:
    world.machine().begin(CONSUMERS)
    thing = noun(world, NAME, None)
    with pytest.raises(OpsError, match=r"is being rotated \(PUBLISHED"):
        thing.desired(thing.read())
    world.machine().go_on("finish", world.acknowledge())
    assert converge(thing).verb == "delete"
    assert converge(thing).verb == "none"
    assert thing.result(None)["secret"]["version"] is None


def test_no_result_and_no_diff_holds_a_value(world: World) -> None:
    password = world.secret.current.part("password")
    thing = noun(world, NAME, RECIPE)
    assert password not in str(thing.result(thing.read()))
    assert password not in str(plan(thing.read(), None).diff())
    planned, result = do(world, "begin", force=True)
    assert password not in str(result) + str(planned.diff())
    assert world.secret.current.part("password") not in str(result) + str(planned.diff())


def test_begin_changes_nothing_before_it_is_due(world: World) -> None:
    assert do(world, "begin")[0].verb == "none"
    assert world.records.rotation(NAME) is None
    world.clock.time += 30 * DAY
    assert do(world, "begin")[0].changed


def test_a_dry_run_predicts_both_phases(world: World) -> None:
    assert phase(world, "begin", force=True).plan().after == {"state": "PUBLISHED", "rotation": None}
    planned = phase(world, "finish", force=True).plan()
    assert planned.after == {"state": "STEADY", "rotation": None}
    finish = policy.PHASES["dual_user"]["finish"]
    assert [step.split(":")[0] for step in planned.steps[: len(finish)]] == [state.value for state in finish]
    assert world.records.rotation(NAME) is None


def test_begin_again_changes_nothing_even_when_forced(world: World) -> None:
    do(world, "begin", force=True, consumers=CONSUMERS)
    planned, result = do(world, "begin", force=True)
    assert not planned.changed
    assert result["secret"]["state"] == "PUBLISHED"


def test_finish_and_finish_again(world: World) -> None:
    do(world, "begin", force=True, consumers=CONSUMERS)
    planned, result = do(world, "finish", acknowledged=world.acknowledge())
    assert planned.changed
    assert result["rotation"]["outcome"] == "done"
    assert do(world, "finish")[0].verb == "none"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_consumer_may_tell_of_other_secrets_too_in_any_order(world: World, position: int) -> None:
    do(world, "begin", force=True, consumers=CONSUMERS)
    others = [(consumer, other) for other in ("a" * 64, "b" * 64) for consumer in CONSUMERS]
    told = [*others[: position * len(CONSUMERS)], *world.acknowledge(), *others[position * len(CONSUMERS) :]]
    assert do(world, "finish", acknowledged=told)[1]["rotation"]["outcome"] == "done"


def test_a_consumer_that_tells_only_of_other_secrets_has_not_moved(world: World) -> None:
    do(world, "begin", force=True, consumers=CONSUMERS)
    with pytest.raises(OpsError, match="have not acknowledged"):
        do(world, "finish", acknowledged=[(consumer, "a" * 64) for consumer in CONSUMERS])


def test_back_is_predicted(world: World) -> None:
    assert not phase(world, "back").plan().changed
    world.records.write(NAME, "planned", rotation="r", secret=NAME, strategy="dual_user", consumers=[], old="first", old_fingerprint="f", new="n")
    planned, result = do(world, "back")
    assert planned.after is not None
    assert planned.after["state"] == "STEADY"
    assert result["secret"]["state"] == "STEADY"


def test_status_changes_nothing(world: World) -> None:
    do(world, "begin", force=True, consumers=CONSUMERS)
    planned, result = do(world, "status")
    assert not planned.changed
    assert result["rotation"]["state"] == "PUBLISHED"


def test_a_secret_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(OpsError, match="There is no secret shop/none"):
        describe("shop/none", world.store, world.records, Schedule(), world.clock)
