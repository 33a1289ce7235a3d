# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is killed at every point that the code names: each write to the host, each command to the proxy, each call of the engine.

The host is one in memory, which raises when an invariant is broken: I1 something proven serves at every instant, I2 nothing is stopped
while it is ready or has requests in flight, I3 nothing is ready before it has proven its release. After each kill, and after the next run,
the rest is looked at: I4 the proxy, its saved states and the record agree, I5 what was committed is stored, I6 who lost the lease may not act.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import acts
from ansible_collections.groundcrew.ops.plugins.module_utils._release.gate import Gate
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import Request
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Canary, Release
from tests import figures
from tests.unit.plugins.module_utils._release.worlds import CRON, Killed, Killer, Lab, make

OLD, NEW = (make(version, more=[CRON]) for version in ("1.0.0", "1.1.0"))
Story = Callable[[Lab, Killer], None]


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill of the process loses no write, so nothing here waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that is possible: thousands of small files are written."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


# What a run may be killed in. Each begins on a host that serves OLD, but for the first one.


def first_release(lab: Lab, killer: Killer) -> None:
    lab.release(NEW, killer=killer)


def next_release(lab: Lab, killer: Killer) -> None:
    lab.release(NEW, killer=killer)


def failing_probe(lab: Lab, killer: Killer) -> None:
    lab.world.sick.add(NEW.id)
    with suppress(OpsError):
        lab.release(NEW, killer=killer)


def failing_gate(lab: Lab, killer: Killer) -> None:
    lab.gate = Gate(seconds=5.0)
    lab.world.rate[NEW.id] = (50, 50, 10.0)
    with suppress(OpsError):
        lab.release(NEW, killer=killer)


def canary(lab: Lab, killer: Killer) -> None:
    lab.canary = Canary(weight=10.0, seconds=2.0)
    lab.release(NEW, killer=killer)


def rollback(lab: Lab, killer: Killer) -> None:
    lab.release(NEW)
    lab.release(OLD, killer=killer, rollback=True)


def fleet(lab: Lab, killer: Killer) -> None:
    for phase in ("prepare", "migrate", "switch", "commit"):
        with lab.run("fleet", killer=killer) as (machine, run):
            if phase == "prepare":
                machine.release(run, Request(NEW, hold=True))
            else:
                machine.advance(run, phase)


def taken_back_by_hand(lab: Lab, killer: Killer) -> None:
    with lab.run("fleet") as (machine, run):
        machine.release(run, Request(NEW, hold=True))
        machine.advance(run, "migrate")
        machine.advance(run, "switch")
    with lab.run("hand", killer=killer, steal=True) as (machine, run):
        machine.revert(run)


STORIES: list[Story] = [first_release, next_release, failing_probe, failing_gate, canary, rollback, fleet, taken_back_by_hand]


def begin(folder: Path, story: Story) -> Lab:
    lab = Lab(folder)
    if story is not first_release:
        lab.release(OLD)
        lab.world.in_flight.update({"a1": 3, "b1": 3})
    return lab


def walk(folder: Path, story: Story, wanted: Release) -> Iterator[tuple[str, str | None]]:
    """Kill the story at each of its points, run again, and say for each point what was wrong, if anything was."""
    template = begin(folder / "template", story)
    for at in itertools.count(1):
        lab, killer = template.copy(folder / str(at)), Killer(at)
        wrong = None
        try:
            story(lab, killer)
        except Killed:
            wrong = findings(lab, wanted, serving=story is not first_release)
        except AssertionError as error:
            wrong = str(error)
        if len(killer.points) < at and not wrong:  # the story came to its end
            return
        yield f"{story.__name__} killed at {at}: {killer.points[-1]}", wrong
        shutil.rmtree(lab.folder)
        if len(killer.points) < at:
            return


def findings(lab: Lab, wanted: Release, *, serving: bool) -> str | None:
    """What is wrong with a host after a kill and a run that asks for a release."""
    if serving and "ready" not in lab.world.states.values():
        return "I1: nothing serves after the kill"
    before = lab.store.lease().token
    lab.world.sick.clear()
    lab.world.rate.clear()
    try:
        with lab.run("next", steal=True) as (machine, run):
            machine.release(run, Request(wanted))
    except (AssertionError, OpsError) as error:
        return f"the next run failed: {error}"
    state = lab.store.read()
    if (lab.serves, state.pending, state.active and state.active.release) != (wanted.id, None, wanted.id):
        return f"between two releases: {lab.serves} serves, {state.pending} is in progress"
    if {slot for slot, _service in lab.world.running} != {state.active.slot if state.active else None}:
        return "containers of the other slot were left"
    if lab.machine().reasons(wanted):
        return "not every container runs"
    if lab.world.saved_states != lab.world.states or lab.machine().drift():
        return "I4: proxy, saved states and record differ"
    if not all(lab.store.has(release) for release in state.committed) or wanted.id not in state.committed:
        return "I5: a committed release is not stored"
    return None if lab.store.lease().token > before else "I6: the token did not rise"


@contextmanager
def broken_machine(name: str, act: acts.Act) -> Iterator[None]:
    """The control: the machine with one act replaced by a worse one."""
    good = acts.ACTS[name]
    acts.ACTS[name] = act
    try:
        yield
    finally:
        acts.ACTS[name] = good


def stop_before_drain(acting: acts.Acts, target: Release, outcome: acts.Outcome) -> None:
    acting.stop(acts.other(acting.pending.target.slot))
    acting.retire(acts.other(acting.pending.target.slot))


def switch_without_proof(acting: acts.Acts, target: Release, outcome: acts.Outcome) -> None:
    """No health gate."""


def test_a_kill_at_every_point_is_mended_by_the_next_run(folder: Path) -> None:
    began = time.monotonic()
    stories = enumerate(itertools.product(STORIES, (OLD, NEW)))
    walked = [seen for number, (story, wanted) in stories for seen in walk(folder / str(number), story, wanted)]
    broken = [f"{where}: {wrong}" for where, wrong in walked if wrong]
    with broken_machine("DRAINED", stop_before_drain):
        control = [wrong for _where, wrong in walk(folder / "control", next_release, NEW) if wrong]
    unproven = begin(folder / "unproven", next_release)
    with broken_machine("VERIFIED", switch_without_proof), pytest.raises(AssertionError, match="I3"):
        unproven.release(NEW)
    held = figures.record(
        "release.kill_points",
        len(broken),
        unit="points with a broken invariant",
        of=len(walked),
        target="== 0",
        seconds=time.monotonic() - began,
        command="make faults",
        control={"what": "stop before drain", "value": len(control), "red": len(control) > 0},
    )
    assert held, "\n".join(broken)
    assert any("I2" in wrong for wrong in control), control
    passed = {where.rpartition(": ")[2] for where, _wrong in walked}
    calls = {f"World.{name}" for name in ("set_states", "save", "start", "grow", "stop", "pull", "migrate")}
    assert calls | {"LabStore.write", "LabStore.note"} <= passed
    assert len(walked) > 400
