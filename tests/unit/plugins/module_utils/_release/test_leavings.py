# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole engine may be cleared of, over random histories of releases and random things beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.clearing import Clearing
from ansible_collections.groundcrew.ops.plugins.module_utils._release.leavings import Cache, Container, Engine, Rules, Volume, leavings
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Occupant, Pending, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.prune import Image, startable
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from tests.unit.plugins.module_utils._release.worlds import make

OURS = "r.example/shop"
NAMES = st.sampled_from(["a" * 64, "b" * 64, "c" * 64, "data", "shop_uploads"])
EVERYTHING = Rules(hours=24, images="unused", volumes=True)


def digest(version: int) -> str:
    return f"{OURS}@sha256:{version:064x}"


@st.composite
def hosts(draw: st.DrawFn) -> tuple[State, dict[str, str], Engine]:
    """A state that releases and rollbacks can lead to, and an engine that holds what they left, and what others left."""
    state, seats = State(), dict[str, str]()
    for version in draw(st.lists(st.integers(1, 6), max_size=8)):
        release, slot = str(version), policy.next_slot(state.active)
        if state.active and state.active.release == release:
            continue
        seats[slot] = release
        done = policy.commit(state.committed, state.active.release if state.active else None, release, None, rollback=release in state.committed)
        state = State(Occupant(slot, release, "api", {"api": 1}), None, done)
        state = State(state.active, None, policy.kept(state, 2))
    if draw(st.booleans()):
        target = Occupant(policy.next_slot(state.active), str(draw(st.integers(7, 8))), "api", {"api": 1})
        state, seats = State(state.active, Pending("run", "BAKING", target), state.committed), {**seats, target.slot: target.release}
    images = [Image(f"id{version}", (digest(version),)) for version in range(1, 9)] + [Image("named", ("x:1",)), Image("bare", ())]
    ids = st.sampled_from([image.id for image in images])
    containers = draw(
        st.lists(st.builds(Container, st.uuids().map(str), st.just("c"), ids, st.frozensets(NAMES, max_size=2), st.booleans(), st.floats(0, 100)), max_size=6)
    )
    volumes = [Volume(name, draw(st.floats(0, 100))) for name in draw(st.sets(NAMES))]
    records = st.sampled_from(["1", "2", "3", "4"])
    made = st.builds(Cache, records, st.frozensets(records, max_size=2), st.booleans(), st.floats(0, 100))
    cache = draw(st.lists(made, unique_by=lambda each: each.id))
    ages = {image.id: draw(st.floats(0, 100)) for image in images}
    return state, seats, Engine(containers, images, ages, volumes, cache)


rules = st.builds(Rules, st.floats(0, 50), st.booleans(), st.sampled_from(["none", "unnamed", "unused"]), st.booleans(), st.booleans())


@settings(deadline=None)
@given(hosts(), rules)
def test_nothing_goes_that_is_needed(host: tuple[State, dict[str, str], Engine], rules: Rules) -> None:
    state, seats, engine = host
    goes = leavings(engine, [digest(int(release)) for release in startable(state, seats.values())], rules)
    staying = [each for each in engine.containers if each not in goes.containers]
    running = [each.release for each in (state.active, state.pending.target if state.pending else None) if each]
    for release in (*running, *seats.values(), *state.committed):
        assert f"id{release}" not in {image.id for image in goes.images}, f"{release} serves, stands by or is kept for a rollback"
    assert not [each for each in goes.containers if each.stays]
    assert not {each.image for each in staying} & {image.id for image in goes.images}
    assert not {name for each in staying for name in each.volumes} & {volume.name for volume in goes.volumes}
    assert not {"data", "shop_uploads"} & {volume.name for volume in goes.volumes}, "a volume with a name is somebody's data"
    kept = {each.id for each in engine.cache} - {each.id for each in goes.cache}
    assert not {parent for each in engine.cache if each.id in kept for parent in each.parents} & {each.id for each in goes.cache}
    # Once it is gone, nothing more goes.
    left = Engine(
        staying,
        [image for image in engine.images if image not in goes.images],
        engine.ages,
        [volume for volume in engine.volumes if volume not in goes.volumes],
        [each for each in engine.cache if each not in goes.cache],
    )
    again = leavings(left, [digest(int(release)) for release in startable(state, seats.values())], rules)
    assert not [*again.containers, *again.images, *again.volumes, *again.cache]


def test_without_asking_the_releases_a_rollback_breaks() -> None:
    """The control: what docker system prune --all would do."""
    engine = Engine(images=[Image("id1", (digest(1),))], ages={"id1": 100})
    assert leavings(engine, [], EVERYTHING).images and not leavings(engine, [digest(1)], EVERYTHING).images


OLD = Container("1", "once", "id1", frozenset({"a" * 64}), False, 48)


@pytest.mark.parametrize(
    ("engine", "rules", "goes"),
    [
        (Engine([OLD]), EVERYTHING, "once"),
        (Engine([Container("1", "young", "id1", frozenset(), False, 23)]), EVERYTHING, ""),
        (Engine([OLD]), Rules(containers=False), ""),
        (Engine(images=[Image("bare", ())], ages={"bare": 48}), Rules(24), "bare"),
        (Engine(images=[Image("named", ("x:1",))], ages={"named": 48}), Rules(24), ""),
        (Engine(images=[Image("named", ("x:1",))], ages={"named": 23}), EVERYTHING, ""),
        (Engine([OLD], volumes=[Volume("a" * 64, 48)]), EVERYTHING, "once " + "a" * 64),
        (Engine(volumes=[Volume("a" * 64, 48)]), Rules(24), ""),
        (Engine(cache=[Cache("1", frozenset(), False, 48), Cache("2", frozenset("1"), False, 23)]), EVERYTHING, ""),
        (Engine(cache=[Cache("1", frozenset(), False, 48), Cache("2", frozenset("1"), False, 25)]), EVERYTHING, "1 2"),
        (Engine(cache=[Cache("1", frozenset(), True, 48)]), EVERYTHING, ""),
    ],
)
def test_what_goes(engine: Engine, rules: Rules, goes: str) -> None:
    found = leavings(engine, [], rules)
    named = [*(each.name for each in found.containers), *(each.id for each in found.images), *(each.name for each in found.volumes)]
    assert [*named, *(each.id for each in found.cache)] == goes.split()


class Docker:
    """What the command line of an engine says that holds two containers of an application and one that ended long ago."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def container(self, name: str, **labels: str) -> dict[str, Any]:
        state = {"Status": "exited", "FinishedAt": "2020-01-02T00:00:00.123456789Z"}
        config = {"Config": {"Labels": labels or None}, "HostConfig": {"RestartPolicy": {"Name": "no"}}, "Mounts": []}
        return {"Id": name, "Name": f"/{name}", "Image": "sha256:1", "Created": "2020-01-01T00:00:00Z", "State": state, **config}

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        said = ""
        match argv[1:3]:
            case ["ps", _]:
                said = "shop-a once"
            case ["container", "inspect"]:
                said = json.dumps([self.container("shop-a", **{"groundcrew.application": "shop"}), self.container("once")])
            case ["image" | "volume", "ls"] | ["system", "df"]:
                pass
            case _:
                self.did.append(" ".join(argv[1:]))
        return Completed(tuple(argv), 0, said, "")


def test_an_application_keeps_its_containers_and_has_to_be_known(tmp_path: Path) -> None:
    engine, store = Docker(), Store(tmp_path / "shop")
    with pytest.raises(OpsError, match="Containers of shop are here, whose releases are not below"):
        Clearing({"roots": [str(tmp_path)]}, engine).plan()  # type: ignore[arg-type]
    release = make("1.0.0")
    with store.open("run"):
        store.add(release, None)
        store.write(State(active=release.occupy("a"), committed=(release.id,)))
    clearing = Clearing({"roots": [str(tmp_path)]}, engine)  # type: ignore[arg-type]
    planned = clearing.plan()
    assert planned.changed and planned.diff()["prepared"].startswith("remove container once, not running for ")
    assert clearing.apply(planned)["removed"]["containers"] == ["once"] and engine.did == ["rm once"]
    with store.open("run"):
        store.write(State(active=release.occupy("a"), pending=Pending("run", "BAKING", release.occupy("b")), committed=(release.id,)))
    assert not Clearing({"roots": [str(tmp_path)]}, engine).plan().changed  # type: ignore[arg-type]
    with pytest.raises(OpsError, match="shop"):
        clearing.apply(planned)
