# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be removed, over random histories of releases: never what runs, what stands by, or what a rollback needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Occupant, Pending, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.prune import Image, Prune, removable, startable
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from tests.unit.plugins.module_utils._release.worlds import make

OURS = "r.example/shop"
FOREIGN = Image("sha256:f", ("docker.io/library/postgres:17",))


def digest(version: int) -> str:
    return f"{OURS}@sha256:{version:064x}"


class History:
    """A host on which releases come, bake, fail and go back; images are pulled before and never by a rollback."""

    def __init__(self) -> None:
        self.state = State()
        self.seats: dict[str, str] = {}
        self.images = {FOREIGN.id: FOREIGN}
        self.containers: set[str] = set()

    def pull(self, version: int) -> None:
        self.images[f"id{version}"] = Image(f"id{version}", (digest(version),))

    def begin(self, version: int) -> None:
        slot = policy.next_slot(self.state.active)
        self.pull(version)
        self.state = State(self.state.active, Pending("run", "BAKING", Occupant(slot, str(version), "api", {"api": 1})), self.state.committed)
        self.seats[slot] = str(version)
        self.containers = {f"id{release}" for release in self.seats.values()}

    def commit(self, *, rollback: bool = False) -> None:
        pending, active = self.state.pending, self.state.active
        assert pending
        committed = policy.commit(self.state.committed, active.release if active else None, pending.target.release, None, rollback=rollback)
        done = State(pending.target, None, committed)
        self.state = State(done.active, None, policy.kept(done, 2))

    def fail(self) -> None:
        self.state = State(self.state.active, None, self.state.committed)

    def roll_back(self) -> None:
        if self.state.active and self.state.committed.index(self.state.active.release) > 0:
            target = policy.rollback_target(self.state, None)
            assert f"id{target}" in self.images, f"the rollback to {target} finds no image"
            self.begin(int(target))
            self.commit(rollback=True)

    def sweep(self) -> None:
        """Stopped containers are removed, as an operator does to make room."""
        self.containers = {f"id{self.state.active.release}"} if self.state.active else set()

    def prune(self, *, careless: bool = False) -> None:
        needed = [] if careless else [digest(int(release)) for release in startable(self.state, self.seats.values())]
        for image in removable(list(self.images.values()), self.containers, needed, {OURS}):
            del self.images[image.id]

    def check(self) -> None:
        now = [each.release for each in (self.state.active, self.state.pending.target if self.state.pending else None) if each]
        for release in (*now, *self.state.committed):
            assert f"id{release}" in self.images, f"{release} cannot be started any more"
        assert self.containers <= set(self.images)
        assert FOREIGN.id in self.images


STEPS = ("deploy", "fail", "bake", "roll back", "sweep", "prune")
histories = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 6)), max_size=40)


def play(steps: Sequence[tuple[str, int]], *, careless: bool = False) -> History:
    history = History()
    for step, version in steps:
        if history.state.pending and step in ("deploy", "fail", "bake", "roll back"):
            history.commit()
        if step in ("deploy", "fail", "bake") and not (history.state.active and history.state.active.release == str(version)):
            history.begin(version)
            if step != "bake":
                history.commit() if step == "deploy" else history.fail()
        elif step == "roll back":
            history.roll_back()
        elif step == "sweep" and not history.state.pending:
            history.sweep()
        elif step == "prune":
            history.prune(careless=careless)
        history.check()
    return history


@given(histories)
def test_nothing_that_can_be_started_is_removed(steps: Sequence[tuple[str, int]]) -> None:
    play(steps)


def test_removing_all_that_no_container_has_breaks_a_rollback() -> None:
    """The control: what docker image prune --all would do."""
    with pytest.raises(AssertionError, match="1 cannot be started any more"):
        play([("deploy", 1), ("deploy", 2), ("sweep", 0), ("prune", 0)], careless=True)


def test_old_images_do_go() -> None:
    history = play([*(("deploy", version) for version in range(1, 6)), ("sweep", 0), ("prune", 0)])
    assert set(history.images) == {FOREIGN.id, "id4", "id5"}


@pytest.mark.parametrize(
    ("image", "goes"),
    [
        (Image("a", (f"{OURS}:1.0.0",)), True),
        (Image("a", (f"{OURS}:1.0.0", digest(1))), False),  # one of its names is needed
        (Image("a", (f"{OURS}:1.0.0", "other.example/x:1")), False),  # somebody else's as well
        (Image("a", ()), True),
        (Image("used", ()), False),
        (Image("a", ("shop:1",)), False),
    ],
)
def test_what_goes(image: Image, goes: bool) -> None:
    assert bool(removable([image], {"used"}, [digest(1)], {OURS})) is goes


class Engine:
    def __init__(self) -> None:
        self.images = {"sha256:1": "r/shop@sha256:" + "1" * 64, "sha256:2": "r/shop@sha256:" + "2" * 64}
        self.removed: list[str] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        said = ""
        match argv[1:3]:
            case ["image", "ls"]:
                said = "\n".join(self.images)
            case ["image", "inspect"]:
                said = json.dumps([{"Id": name, "RepoTags": None, "RepoDigests": [self.images[name]], "Size": 3 * 2**20} for name in argv[3:]])
            case ["image", "rm"]:
                self.removed.append(argv[3])
        return Completed(tuple(argv), 0, said, "")


def test_an_application_loses_what_it_does_not_need(tmp_path: Path) -> None:
    engine, store = Engine(), Store(tmp_path / "shop")
    release = make("1.0.0")
    kept = type(release)(**{**release.__dict__, "images": {"api": engine.images["sha256:1"].replace("r/", "docker.io/r/")}})
    with store.open("run"):
        store.add(kept, None)
        store.write(State(active=kept.occupy("a"), committed=(kept.id,)))
    operation = Prune({"name": "shop", "root": str(store.root)}, engine)  # type: ignore[arg-type]
    planned = operation.plan()
    assert planned.changed and "3 MiB" in planned.steps[0]
    assert operation.apply(planned) == {"removed": [[engine.images["sha256:2"]]], "freed_mib": 3}
    assert engine.removed == [engine.images["sha256:2"]]
    engine.images.pop("sha256:2")
    assert not Prune({"name": "shop", "root": str(store.root)}, engine).plan().changed  # type: ignore[arg-type]
