# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release machine against a host in memory: its path, its gate and its way back. tests/faults kills it at every point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.lease import Fenced
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import PATH
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import Request
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Canary, Release, Schema
from tests.unit.plugins.module_utils._release.worlds import CRON, Lab, ManualClock, make

OLD, NEW = make("1.0.0"), make("1.1.0")


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill of the process loses no write, so nothing here waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_release_goes_through_every_state_and_says_so(lab: Lab) -> None:
    outcome = lab.release(OLD)
    assert (outcome.verdict, list(outcome.seconds), lab.serves) == ("released", list(PATH), OLD.id)
    assert [(entry["kind"], entry.get("state")) for entry in lab.store.journal(50) if entry["kind"] == "intent"] == [("intent", name) for name in PATH]
    assert lab.store.read().committed == (OLD.id,)


def test_the_same_release_again_does_nothing(lab: Lab) -> None:
    lab.release(OLD)
    before = lab.store.read()
    assert lab.machine().reasons(OLD) == [] and lab.machine().drift() == {}
    assert lab.release(OLD).verdict == "unchanged"
    assert lab.store.read() == before


def test_the_next_release_takes_the_other_slot_and_stops_the_old_one(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.in_flight["a1"] = 7
    assert lab.release(NEW).forced == 0
    assert lab.serves == NEW.id
    assert {slot for slot, _service in lab.world.running} == {"b"}
    assert lab.world.states == {"a1": "maint", "a2": "maint", "b1": "ready", "b2": "ready"} == lab.world.saved_states


def test_requests_that_outlast_the_drain_are_counted(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.in_flight["a1"] = 500
    assert lab.release(NEW).forced > 0


def test_the_migration_runs_once_for_a_release(lab: Lab) -> None:
    lab.release(OLD)
    lab.release(NEW)
    lab.release(OLD)
    assert lab.world.migrations == [OLD.id, NEW.id]


def test_a_derived_release_runs_no_migration_and_takes_the_place_of_its_origin(lab: Lab) -> None:
    lab.release(OLD)
    lab.release(NEW)
    derived = make("1.0.0", secret="2")
    lab.release(derived, origin=OLD.id, rollback=True)
    assert derived.id not in lab.world.migrations
    assert lab.store.read().committed == (derived.id, NEW.id)


def test_another_number_of_replicas_is_rolled_the_same_way(lab: Lab) -> None:
    lab.release(OLD)
    fewer = make("1.0.0", replicas=1)
    assert fewer.id == OLD.id
    assert lab.release(fewer).verdict == "released"
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
    lab.release(OLD)
    lab.world.broken[broken] = "no"
    with pytest.raises(OpsError, match=rf"\({state}\).*serves as before") as caught:
        lab.release(NEW)
    assert caught.value.details["verdict"] == "rolled_back"
    assert lab.serves == OLD.id
    assert {slot for slot, _service in lab.world.running} == {"a"}
    assert lab.store.read().pending is None
    assert lab.store.read().committed == (OLD.id,)


def test_what_an_engine_that_is_gone_keeps_from_being_taken_back_is_told_and_the_next_run_s(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.broken |= {"pull": "No engine.", "stop web": "No engine."}
    with pytest.raises(
        OpsError, match=r"was not made \(PREPARED\): No engine\. It was not taken back to the end: No engine\. Run again: that takes it back"
    ) as caught:
        lab.release(NEW)
    assert (caught.value.details["verdict"], lab.serves) == ("failed", OLD.id)
    lab.world.broken.clear()
    assert lab.release(NEW).verdict == "released"
    assert lab.store.read().pending is None and {slot for slot, _service in lab.world.running} == {"b"}


def test_logs_that_cannot_be_had_keep_nobody_from_going_back(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.sick.add(NEW.id)
    lab.world.broken["keep_logs"] = "No logs."
    with pytest.raises(OpsError, match=r"not healthy.*serves as before\.$") as caught:
        lab.release(NEW)
    assert (caught.value.details["verdict"], caught.value.details["logs"], lab.store.read().pending) == ("rolled_back", None, None)


class SteppedClock(ManualClock):
    """Somebody sets the clock by an hour, forward or back, whenever it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 3600.0

    def now(self) -> float:
        self.step = -self.step
        return super().now() + self.step


def test_steps_of_the_clock_change_nothing_but_what_the_journal_says(lab: Lab, tmp_path: Path) -> None:
    stepped = Lab(tmp_path / "stepped")
    stepped.clock = SteppedClock()
    for each in (lab, stepped):
        each.gate = Gate(seconds=5.0)
        each.canary = Canary(weight=10.0, seconds=2.0)
        each.world.rate = {OLD.id: (50, 0, 20.0), NEW.id: (50, 0, 20.0)}
        each.release(OLD)
        each.world.in_flight["a1"] = 990  # the whole time for the drain
    calm, moved = lab.release(NEW), stepped.release(NEW)
    assert calm == moved and (calm.verdict, calm.seconds["BAKING"], round(calm.seconds["DRAINED"])) == ("released", 5.0, 5)
    # The lease of a run that waits between two calls lasts as long as it says.
    with stepped.run("fleet") as (machine, run):
        machine.release(run, Request(OLD, hold=True))
    with pytest.raises(OpsError, match="its lease is over in 60 s"), stepped.run("other"):
        pass
    stepped.clock.time += 61.0
    with stepped.run("other"):
        pass
    # The control: the clock was set, as the journal shows.
    at = [entry["at"] for entry in stepped.store.journal(500)]
    assert max(at) - min(at) > 7000 and at != sorted(at)


def test_what_may_run_only_once_ends_before_the_new_one_starts_and_is_back_with_the_old_release(lab: Lab) -> None:
    old, new, bad = (make(version, more=[CRON]) for version in ("1.0.0", "1.1.0", "1.2.0"))
    lab.release(old)
    lab.release(new)  # where a second one runs, the world says so
    assert lab.world.running == {("b", name): new.id for name in ("api", "worker", "cron")}
    lab.world.broken["start worker"] = "no"
    with pytest.raises(OpsError, match="serves as before"):
        lab.release(bad)
    assert lab.world.running == {("b", name): new.id for name in ("api", "worker", "cron")}
    # The control: where the old one is not told to end, two run.
    lab.world.broken.clear()
    with pytest.raises(AssertionError, match="cron runs twice"):
        lab.world.start(bad, "a", "worker")


def test_an_unhealthy_release_never_gets_traffic(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.sick.add(NEW.id)
    with pytest.raises(OpsError, match=r"not healthy.*serves as before.*logs of b"):
        lab.release(NEW)
    assert lab.serves == OLD.id


def test_a_first_release_that_fails_says_that_nothing_serves(lab: Lab) -> None:
    lab.world.sick.add(OLD.id)
    with pytest.raises(OpsError, match="No release serves") as caught:
        lab.release(OLD)
    assert caught.value.details["verdict"] == "failed"


def test_a_proxy_that_is_gone_is_found_before_anything_changes(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.broken["servers"] = "no socket"
    with pytest.raises(OpsError, match="no socket"):
        lab.release(NEW)
    assert {slot for slot, _service in lab.world.running} == {"a"}


def test_a_proxy_without_room_for_the_replicas_is_refused(lab: Lab) -> None:
    with pytest.raises(OpsError, match=r"no server a3 at 127\.0\.0\.1:20002"):
        lab.release(make("1.0.0", replicas=3))


def test_a_proxy_that_forgot_its_states_is_repaired(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.has_served = False
    lab.world.states = dict.fromkeys(lab.world.states, "maint")
    assert lab.machine().drift() == {"a1": "ready", "a2": "ready"}
    assert lab.release(OLD).verdict == "repaired"
    assert lab.serves == OLD.id


def test_containers_that_are_gone_are_replaced_by_way_of_the_other_slot(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.counts["a", "api"] = 1
    assert lab.machine().reasons(OLD) == ["1 of 2 containers of api run"]
    assert lab.release(OLD).verdict == "released"
    assert lab.world.states["b1"] == "ready"


def test_only_what_a_rollback_needs_stays_stored(lab: Lab) -> None:
    releases = [make(f"1.{number}.0") for number in range(4)]
    for release in releases:
        lab.release(release, keep=2)
    assert lab.store.read().committed == (releases[2].id, releases[3].id)
    assert not lab.store.has(releases[1].id)
    assert lab.store.has(releases[2].id)


def test_removing_leaves_nothing(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.watch = lambda: None  # type: ignore[method-assign]
    with lab.run() as (machine, name):
        machine.remove(name)
    assert not lab.world.running
    assert not lab.store.root.exists()


# The way back while the old slot still runs


@pytest.fixture
def baking(lab: Lab) -> Lab:
    """A host whose new release has the traffic and waits for the fleet."""
    lab.release(OLD)
    with lab.run("fleet") as (machine, run):
        machine.release(run, Request(NEW, hold=True))
        for phase in ("migrate", "switch"):
            machine.advance(run, phase)
    assert (lab.serves, {slot for slot, _service in lab.world.running}) == (NEW.id, {"a", "b"})
    return lab


def test_a_release_in_phases_ends_like_one_in_one_piece(baking: Lab) -> None:
    pending = baking.store.read().pending
    assert pending and (pending.state, pending.run, baking.store.lease().run) == ("BAKING", "fleet", "fleet")
    with baking.run("fleet") as (machine, run):
        assert machine.advance(run, "hold").verdict == "baking"
        assert machine.advance(run, "commit").verdict == "released"
    assert ({slot for slot, _service in baking.world.running}, baking.store.lease().run) == ({"b"}, "")
    assert baking.store.read().committed == (OLD.id, NEW.id)


def test_a_release_in_phases_has_the_numbers_it_was_asked_for(lab: Lab) -> None:
    """It is stored already, with the number of the time before: numbers are no part of its identity."""
    lab.release(make("1.0.0", replicas=1))
    lab.release(NEW)
    with lab.run("fleet") as (machine, run):
        machine.release(run, Request(make("1.0.0", replicas=2), hold=True))
        for phase in ("migrate", "switch", "commit"):
            machine.advance(run, phase)
    active = lab.store.read().active
    assert active and active.replicas["api"] == lab.world.counts[active.slot, "api"] == 2


def test_what_cannot_be_stopped_in_the_end_is_told_and_the_next_run_s(baking: Lab) -> None:
    baking.world.broken["stop web"] = "No engine."
    with pytest.raises(OpsError, match=r"serves and is not finished \(COMMITTED\): No engine\. Run again"), baking.run("fleet") as (machine, run):
        machine.advance(run, "commit")
    baking.world.broken.clear()
    assert (baking.serves, baking.release(NEW).verdict, baking.store.read().pending) == (NEW.id, "released", None)


def test_taking_a_baking_release_back_starts_nothing(baking: Lab) -> None:
    baking.world.broken["start web"] = "no"
    with baking.run("by hand", steal=True) as (machine, run):
        assert machine.revert(run).verdict == "reverted"
    assert (baking.serves, {slot for slot, _service in baking.world.running}) == (OLD.id, {"a"})
    assert baking.store.read().committed == (OLD.id,)
    assert baking.machine().drift() == {}


def test_a_standby_that_died_is_started_again_first(baking: Lab) -> None:
    for service in ("api", "worker"):
        del baking.world.running["a", service]
    with baking.run("by hand", steal=True) as (machine, run):
        machine.revert(run)
    assert baking.serves == OLD.id


def test_who_lost_the_lease_at_the_gate_changes_nothing_more(lab: Lab) -> None:
    """I6: a run is paused while its release bakes; another takes it back; the first wakes up."""
    lab.release(OLD)
    lab.gate = Gate(seconds=30.0)
    robbed: list[bool] = []

    def rob(_seconds: float) -> None:
        lab.clock.time += 1.0
        pending = lab.store.read().pending
        if pending and pending.state == "BAKING" and not robbed:
            robbed.append(True)
            with lab.run("thief", steal=True) as (machine, run):
                machine.revert(run)

    lab.clock.sleep = rob  # type: ignore[method-assign, assignment]
    with pytest.raises(Fenced, match=r"to run unknown of nobody|to run thief"):
        lab.release(NEW)
    assert (robbed, lab.serves, lab.store.read().pending) == ([True], OLD.id, None)
    assert lab.machine().drift() == {}


def test_another_run_may_not_go_on_with_a_fleets_release(baking: Lab) -> None:
    with pytest.raises(OpsError, match="belongs to run fleet"), baking.run("other", steal=True) as (machine, run):
        machine.advance(run, "commit")
    assert baking.serves == NEW.id


def test_a_run_without_the_lease_is_refused(baking: Lab) -> None:
    with pytest.raises(OpsError, match="Another run works"):
        baking.release(NEW)


def test_a_host_of_a_fleet_serves_the_old_release_before_it_stops_the_new_one(lab: Lab) -> None:
    """The rest of the fleet need not wait until the failed release has drained and its workers have ended."""
    lab.release(OLD)
    lab.gate = Gate(seconds=5.0)
    lab.world.rate[NEW.id] = (50, 50, 20.0)
    with lab.run("fleet") as (machine, run):
        machine.release(run, Request(NEW, hold=True))
        machine.advance(run, "migrate")
    with pytest.raises(OpsError, match="serves as before"), lab.run("fleet") as (machine, run):
        machine.advance(run, "switch")
    assert (lab.serves, {slot for slot, _service in lab.world.running}) == (OLD.id, {"a", "b"})
    with lab.run("fleet") as (machine, run):
        machine.revert(run)
    assert (lab.serves, {slot for slot, _service in lab.world.running}, lab.store.read().pending) == (OLD.id, {"a"}, None)


@pytest.mark.parametrize(
    ("target", "options", "serves"),
    [
        (NEW, {}, NEW),  # the same release is asked for: go on
        (OLD, {}, OLD),
        (make("1.2.0"), {}, make("1.2.0")),
        (OLD, {"resume": "forward"}, OLD),  # first forward, then to what is asked for
        (NEW, {"resume": "back"}, NEW),  # first back, then anew
        (make("1.2.0"), {"elsewhere": (NEW.id,)}, make("1.2.0")),
    ],
)
def test_what_a_dead_run_left_baking_is_resumed(baking: Lab, target: Release, options: dict[str, Any], serves: Release) -> None:
    with baking.run("next", steal=True) as (machine, run):
        verdict = machine.release(run, Request(target, **options)).verdict
    assert verdict == ("released" if options or target is not OLD else "unchanged")
    assert (baking.serves, baking.store.read().pending) == (serves.id, None)
    committed = NEW.id in baking.store.read().committed
    assert committed == (target is NEW or "elsewhere" in options or options.get("resume") == "forward")


def test_a_fleet_goes_on_where_its_dead_run_stopped(baking: Lab) -> None:
    with baking.run("next", steal=True) as (machine, run):
        assert machine.release(run, Request(NEW, hold=True)).verdict == "baking"
        machine.advance(run, "commit")
    assert baking.store.read().committed == (OLD.id, NEW.id)


def test_nothing_is_stopped_that_a_former_process_of_the_proxy_still_knows(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.former = 20.0
    assert 20 <= lab.release(NEW).seconds["COMMITTED"] < 22


# The gate


def test_a_good_release_passes_the_gate(lab: Lab) -> None:
    lab.release(OLD)
    lab.gate = Gate(seconds=5.0)
    lab.world.rate[NEW.id] = (50, 0, 20.0)
    assert lab.release(NEW).seconds["BAKING"] == 5.0
    samples = [entry for entry in lab.store.journal(100) if entry["kind"] == "sample"]
    assert len(samples) == 5 and {(entry["requests"], entry["probes"], entry["objection"]) for entry in samples} == {(100, 0, "")}


@pytest.mark.parametrize(
    ("rate", "said"), [((50, 10, 20.0), "20.0 % of the answers failed, more than 5 %"), ((50, 0, 900.0), "answers took 900 ms, more than 500 ms")]
)
def test_a_bad_release_is_taken_back_by_the_gate(lab: Lab, rate: tuple[int, int, float], said: str) -> None:
    lab.release(OLD)
    lab.gate = Gate(seconds=30.0)
    lab.world.rate[NEW.id] = rate
    began = lab.clock.time
    with pytest.raises(OpsError, match=rf"\(BAKING\).*{said}.*serves as before.*logs of b") as caught:
        lab.release(NEW)
    assert (caught.value.details["verdict"], lab.serves) == ("rolled_back", OLD.id)
    assert lab.clock.time - began < 10
    assert {slot for slot, _service in lab.world.running} == {"a"}
    assert lab.store.read().committed == (OLD.id,)


def test_no_data_is_no_success(lab: Lab) -> None:
    lab.release(OLD)
    lab.gate = Gate(seconds=30.0, probe=False)
    with pytest.raises(OpsError, match=r"no data from the proxy, 4 times in a row.*serves as before"):
        lab.release(NEW)
    lab.gate = Gate(seconds=2.0, probe=False)
    with pytest.raises(OpsError, match=r"no sample of the proxy that was good.*serves as before"):
        lab.release(NEW)


def test_a_canary_gets_its_share_beside_the_old_slot_and_then_all(lab: Lab) -> None:
    lab.release(OLD)
    lab.canary = Canary(weight=20.0, seconds=4.0)
    seen: list[tuple[dict[str, str], dict[str, int]]] = []
    with lab.run() as (machine, run):
        note = machine._store._port.note  # type: ignore[attr-defined]

        def look(kind: str, **fields: object) -> None:
            if kind == "sample":
                seen.append((dict(lab.world.states), dict(lab.world.weights)))
            note(kind, **fields)

        lab.world.rate |= {OLD.id: (80, 0, 20.0), NEW.id: (20, 0, 30.0)}
        machine._store._port.note = look  # type: ignore[attr-defined]
        assert machine.release(run, Request(NEW)).seconds["CANARY"] == 4.0
    assert len(seen) == 4
    for states, weights in seen:
        assert set(states.values()) == {"ready"}
        assert weights == {"a1": 256, "a2": 256, "b1": 64, "b2": 64}
    assert lab.serves == NEW.id and set(lab.world.weights.values()) == {0}
    samples = [entry for entry in lab.store.journal(100) if entry["kind"] == "sample"]
    # The world counts at each look, and there are two.
    assert {(entry["state"], entry["requests"], entry["beside"]["requests"]) for entry in samples} == {("CANARY", 80, 320)}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ((50, 0, 20.0), (50, 10, 20.0), r"19.0 % of the answers failed, more than 5 % and more than the 0.0 % beside it"),
        ((50, 0, 20.0), (50, 0, 900.0), r"answers took 900 ms, more than 500 ms and more than the 20 ms beside it"),
        ((50, 20, 20.0), (50, 10, 20.0), None),
        ((50, 0, 950.0), (50, 0, 900.0), None),
    ],
)
def test_a_canary_that_is_worse_than_what_is_beside_it_goes_back(lab: Lab, old: Any, new: Any, said: str | None) -> None:
    lab.release(OLD)
    lab.canary = Canary(weight=10.0, seconds=20.0)
    lab.world.rate |= {OLD.id: old, NEW.id: new}
    if said is None:  # the old one is no better, so nothing speaks for it
        assert lab.release(NEW).verdict == "released"
        return
    with pytest.raises(OpsError, match=rf"\(CANARY\).*{said}.*serves as before.*logs of b"):
        lab.release(NEW)
    assert (lab.serves, set(lab.world.weights.values())) == (OLD.id, {0})
    assert {slot for slot, _service in lab.world.running} == {"a"}


def test_without_traffic_a_canary_and_what_is_beside_it_are_asked(lab: Lab) -> None:
    lab.release(OLD)
    lab.canary = Canary(weight=10.0, seconds=2.0)
    lab.release(NEW)
    samples = [entry for entry in lab.store.journal(100) if entry["kind"] == "sample"]
    assert {(entry["probes"], entry["beside"]["probes"]) for entry in samples} == {(10, 10)}


def test_a_weight_that_was_left_is_repaired(lab: Lab) -> None:
    lab.release(OLD)
    lab.world.weights["a2"] = 13
    assert lab.machine().drift() == {"a2": "ready"}
    assert (lab.release(OLD).verdict, lab.machine().drift()) == ("repaired", {})


def test_without_traffic_the_replicas_are_asked(lab: Lab) -> None:
    lab.gate = Gate(seconds=3.0)
    assert lab.release(OLD).verdict == "released"
    lab.world.probe_ms = 700.0
    with pytest.raises(OpsError, match=r"answers took 700 ms"):
        lab.release(NEW)


# The schema


def test_a_release_that_does_not_know_the_schema_is_refused(lab: Lab) -> None:
    first, second, third = (make(f"1.{number}.0", schema=Schema(*range_)) for number, range_ in enumerate([(1, 1), (2, 1), (3, 2)]))
    for release in (first, second, third):
        lab.release(release)
    assert lab.store.read().schema == Schema(3, 2)
    with pytest.raises(OpsError, match=r"knows version 1 of the database's schema, which is at 3 and works with releases of 2 and later"):
        lab.release(first, rollback=True)
    assert lab.release(second, rollback=True).verdict == "released"
    assert lab.store.read().schema == Schema(3, 2)
    with pytest.raises(OpsError, match=r"First release a version that works with both"):
        lab.release(make("2.0.0", schema=Schema(5, 4)))
    assert lab.serves == second.id


def test_a_fleets_migration_runs_on_one_host_and_is_known_to_the_others(lab: Lab) -> None:
    with lab.run("fleet") as (machine, run):
        machine.release(run, Request(OLD, hold=True))
        with pytest.raises(OpsError, match="has not run in this fleet"):
            machine.advance(run, "switch")
        machine.revert(run)
        machine.release(run, Request(OLD, hold=True))
        assert machine.advance(run, "switch", elsewhere=[OLD.id]).verdict == "baking"
        machine.advance(run, "commit")
    assert (lab.world.migrations, lab.store.read().migrated) == ([], (OLD.id,))


def test_the_control_case_turns_red(tmp_path: Path) -> None:
    """Stopping before draining is what the invariants forbid."""
    lab = Lab(tmp_path)
    lab.release(OLD)
    with pytest.raises(AssertionError, match="I2"):
        lab.world.stop("a", "web")
