# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release machine against a host in memory: its path, its way back, and a kill at every point it passes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import PATH
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Release
from tests.unit.plugins.module_utils._release.worlds import Killed, Killer, Lab, make

OLD, NEW = make("1.0.0"), make("1.1.0")


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill of the process loses no write, so nothing here waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_release_goes_through_every_state_and_says_so(lab: Lab) -> None:
    outcome = lab.machine().release("run", OLD)
    assert (outcome.verdict, list(outcome.seconds), lab.serves) == ("released", list(PATH), OLD.id)
    assert [(entry["kind"], entry.get("state")) for entry in lab.store.journal(50) if entry["kind"] == "intent"] == [("intent", name) for name in PATH]
    assert lab.store.read().committed == (OLD.id,)


def test_the_same_release_again_does_nothing(lab: Lab) -> None:
    lab.machine().release("run", OLD)
    before = lab.store.read()
    assert lab.machine().reasons(OLD) == [] and lab.machine().drift() == {}
    assert lab.machine().release("again", OLD).verdict == "unchanged"
    assert lab.store.read() == before


def test_the_next_release_takes_the_other_slot_and_stops_the_old_one(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.in_flight["a1"] = 7
    assert lab.machine().release("two", NEW).forced == 0
    assert lab.serves == NEW.id
    assert {slot for slot, _service in lab.world.running} == {"b"}
    assert lab.world.states == {"a1": "maint", "a2": "maint", "b1": "ready", "b2": "ready"} == lab.world.saved_states


def test_requests_that_outlast_the_drain_are_counted(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.in_flight["a1"] = 500
    assert lab.machine().release("two", NEW).forced > 0


def test_the_migration_runs_once_for_a_release(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.machine().release("two", NEW)
    lab.machine().release("back", OLD)
    assert lab.world.migrations == [OLD.id, NEW.id]


def test_a_derived_release_runs_no_migration_and_takes_the_place_of_its_origin(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.machine().release("two", NEW)
    derived = make("1.0.0", secret="2")
    lab.machine().release("back", derived, OLD.id)
    assert derived.id not in lab.world.migrations
    assert lab.store.read().committed == (derived.id, NEW.id)


def test_another_number_of_replicas_is_rolled_the_same_way(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    fewer = make("1.0.0", replicas=1)
    assert fewer.id == OLD.id
    assert lab.machine().release("two", fewer).verdict == "released"
    assert lab.world.states == {"a1": "maint", "a2": "maint", "b1": "ready", "b2": "maint"}


@pytest.mark.parametrize(
    ("broken", "state"),
    [
        ("space", "PREPARED"),
        ("pull", "PREPARED"),
        ("ports", "PREPARED"),
        ("check", "PREPARED"),
        ("migrate", "MIGRATED"),
        ("start web", "STARTED"),
        ("start worker", "VERIFIED"),
    ],
)
def test_a_failure_before_the_switch_leaves_the_old_release_serving(lab: Lab, broken: str, state: str) -> None:
    lab.machine().release("one", OLD)
    lab.world.broken[broken] = "no"
    with pytest.raises(OpsError, match=rf"\({state}\).*serves as before") as caught:
        lab.machine().release("two", NEW)
    assert caught.value.details["verdict"] == "rolled_back"
    assert lab.serves == OLD.id
    assert {slot for slot, _service in lab.world.running} == {"a"}
    assert lab.store.read().pending is None
    assert lab.store.read().committed == (OLD.id,)


def test_an_unhealthy_release_never_gets_traffic(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.sick.add(NEW.id)
    with pytest.raises(OpsError, match=r"not healthy.*serves as before.*logs of b"):
        lab.machine().release("two", NEW)
    assert lab.serves == OLD.id


def test_a_first_release_that_fails_says_that_nothing_serves(lab: Lab) -> None:
    lab.world.sick.add(OLD.id)
    with pytest.raises(OpsError, match="No release serves") as caught:
        lab.machine().release("one", OLD)
    assert caught.value.details["verdict"] == "failed"


def test_a_proxy_that_is_gone_is_found_before_anything_changes(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.broken["servers"] = "no socket"
    with pytest.raises(OpsError, match="no socket"):
        lab.machine().release("two", NEW)
    assert {slot for slot, _service in lab.world.running} == {"a"}


def test_a_proxy_without_room_for_the_replicas_is_refused(lab: Lab) -> None:
    with pytest.raises(OpsError, match=r"no server a3 at 127\.0\.0\.1:20002"):
        lab.machine().release("one", make("1.0.0", replicas=3))


def test_a_proxy_that_forgot_its_states_is_repaired(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.has_served = False
    lab.world.states = dict.fromkeys(lab.world.states, "maint")
    assert lab.machine().drift() == {"a1": "ready", "a2": "ready"}
    assert lab.machine().release("two", OLD).verdict == "repaired"
    assert lab.serves == OLD.id


def test_containers_that_are_gone_are_replaced_by_way_of_the_other_slot(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.counts["a", "api"] = 1
    assert lab.machine().reasons(OLD) == ["1 of 2 containers of api run"]
    assert lab.machine().release("two", OLD).verdict == "released"
    assert lab.world.states["b1"] == "ready"


def test_only_what_a_rollback_needs_stays_stored(lab: Lab) -> None:
    releases = [make(f"1.{number}.0") for number in range(4)]
    for release in releases:
        lab.machine(keep=2).release(release.version, release)
    assert lab.store.read().committed == (releases[2].id, releases[3].id)
    assert not lab.store.has(releases[1].id)
    assert lab.store.has(releases[2].id)


def test_removing_leaves_nothing(lab: Lab) -> None:
    lab.machine().release("one", OLD)
    lab.world.watch = lambda: None  # type: ignore[method-assign]
    lab.machine().remove("gone")
    assert not lab.world.running
    assert not lab.store.root.exists()


def first(lab: Lab, killer: Killer) -> None:
    lab.machine(killer).release("killed", NEW)


def second(lab: Lab, killer: Killer) -> None:
    lab.machine(killer).release("killed", NEW)


def failing(lab: Lab, killer: Killer) -> None:
    lab.world.sick.add(NEW.id)
    with pytest.raises(OpsError):
        lab.machine(killer).release("killed", NEW)


def back(lab: Lab, killer: Killer) -> None:
    lab.machine(killer).release("killed", OLD)


Run = Callable[[Lab, Killer], None]


def prepare(folder: Path, run: Run) -> Lab:
    lab = Lab(folder)
    if run is not first:
        lab.machine().release("one", OLD)
    if run is back:
        lab.machine().release("two", NEW)
    lab.world.in_flight.update({"a1": 3, "b1": 3})
    return lab


@pytest.mark.parametrize("run", [first, second, failing, back])
@pytest.mark.parametrize("wanted", [OLD, NEW])
def test_a_kill_at_any_point_is_mended_by_the_next_run(tmp_path: Path, run: Run, wanted: Release) -> None:
    """The world asserts I1 to I3 at each step; here: the next run ends in what it was asked for, and nothing is left between."""
    counting = Killer()
    run(prepare(tmp_path / "counting", run), counting)
    points = len(counting.points)
    assert points > 20
    for at in range(1, points + 1):
        lab = prepare(tmp_path / str(at), run)
        killer = Killer(at)
        with pytest.raises(Killed):
            run(lab, killer)
        where = f"killed at {at}: {killer.points[-1]}"
        if run is not first:
            assert "ready" in lab.world.states.values(), where
        lab.world.sick.clear()
        lab.machine().release("next", wanted)
        assert lab.serves == wanted.id, where
        state = lab.store.read()
        assert state.pending is None and state.active is not None and state.active.release == wanted.id, where
        assert {slot for slot, _service in lab.world.running} == {state.active.slot}, where
        assert lab.world.saved_states == lab.world.states, where
        assert lab.machine().drift() == {}, where


def test_the_control_case_turns_red(tmp_path: Path) -> None:
    """Stopping before draining is what the invariants forbid."""
    lab = prepare(tmp_path, second)
    with pytest.raises(AssertionError, match="I2"):
        lab.world.stop("a", "web")
