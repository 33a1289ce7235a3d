# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run tells how long, for whom, and what is for good; the time is that of earlier rotations, and unknown before them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.forecast import forecast
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.phase import Request, RotationPhase
from tests.unit.plugins.module_utils._rotation.worlds import CONSUMERS, NAME, World

PATIENCE = Patience(grace=60, quiet=15, observe=30)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def told(world: World, phase: str, patience: Patience = PATIENCE) -> Sequence[str]:
    request = Request(NAME, phase, consumers=CONSUMERS, force=True)
    return RotationPhase(request, world.store, world.records, DualUser(world.database, "shop"), patience, world.clock).plan().steps


def rotate(world: World, seconds: float, patience: Patience = PATIENCE) -> None:
    """Each change of a login takes that long."""
    ensure = world.database.ensure

    def slow(name: str, password: str, state: str) -> None:
        world.clock.time += seconds
        ensure(name, password, state)

    world.database.ensure = slow  # type: ignore[method-assign]
    machine = world.machine(grace=patience.grace, quiet=patience.quiet, observe=patience.observe)
    machine.begin(CONSUMERS)
    world.clock.time += 3600  # until the consumers had switched
    machine.go_on("finish", world.acknowledge())
    world.database.ensure = ensure  # type: ignore[method-assign]


def test_the_time_is_unknown_before_the_first_rotation(world: World) -> None:
    assert "Estimated time: unknown, it was never measured. That consumers take to switch is not in it." in told(world, "begin")
    assert "Estimated time: unknown, it was never measured; waiting alone takes 90 s, as it was asked for." in " ".join(told(world, "finish"))
    assert not [line for line in told(world, "begin") if "about" in line]


def test_the_time_is_the_median_of_earlier_rotations(world: World) -> None:
    for seconds in (5, 700, 7):
        rotate(world, seconds)
    assert "SET: have it accepted beside the current one (about 7.0 s)" in told(world, "begin")
    assert "Estimated time: about 7 s, by earlier rotations of it. That consumers take to switch is not in it." in told(world, "begin")
    # Two logins are changed, and the waiting that is asked for now counts, not that of then.
    assert "Estimated time: about 104 s, 90 s of it waiting as it was asked for" in " ".join(told(world, "finish"))
    assert "Estimated time: about 15 s, 1 s of it waiting" in " ".join(told(world, "finish", Patience(grace=1, quiet=0, observe=0)))
    assert "Estimated time: about 14 s, by earlier" in " ".join(told(world, "finish", Patience(compromised=True)))


def test_consumers_and_what_is_for_good_are_named(world: World) -> None:
    assert told(world, "begin")[-2:] == ("Have to acknowledge: web-1, web-2.", "Cannot be undone: nothing of it.")
    assert told(world, "finish")[-1] == "Cannot be undone: DESTROYED."
    world.machine().begin(["web-3"])
    assert told(world, "finish")[-2] == "Have to acknowledge: web-3.", "those that the rotation began with count"


def test_a_value_with_one_place_is_replaced_for_good() -> None:
    last = forecast(policy.PHASES["cutover"]["begin"], "cutover", [], {}, []).sentences()[-2:]
    assert last == ("Have to acknowledge: nobody, no consumer was named.", "Cannot be undone: PUBLISHED.")


def test_a_step_that_was_killed_is_not_measured() -> None:
    entries = [
        {"kind": "entering", "state": "SET", "at": 10.0},
        {"kind": "entering", "state": "SET", "at": 500.0, "waits": 0.0},
        {"kind": "completed", "state": "SET", "at": 502.0},
    ]
    assert forecast([State.SET], "dual_user", [], {}, entries).seconds == 2.0
