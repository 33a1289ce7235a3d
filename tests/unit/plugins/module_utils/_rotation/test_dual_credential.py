# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that an issuer makes, of which a user may have two: never one that nobody knows the secret of, and never a moment without one that works."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_credential import DualCredential
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher, Killed, MovedClock, Saw

NAME = "shop/uploads"
CONSUMERS = ("web-1", "web-2")
CALLS = ("listed", "create", "accepted", "used", "block", "delete")


class Issuer:
    """Has two keys of a user at the most, and tells the secret of each once.

    most_seen: how many there were at once. lose: how many answers of a creation get lost. late: looks that it takes until a new key is listed.
    """

    where = "The user uploads"

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.blocked: set[str] = set()
        self.uses: dict[str, str] = {}
        self.made = 0
        self.most_seen = 0
        self.lose = 0
        self.late = 0
        self.open_to_all = False
        self.calls: list[str] = []

    def listed(self) -> list[str]:
        if self.late and len(self.keys) > 1:
            self.late -= 1
            return list(self.keys)[:-1]
        return list(self.keys)

    def create(self, version_id: str, beside: str) -> dict[str, str]:
        self.calls.append("create")
        if len(self.keys) == 2:
            raise OpsError("Cannot exceed quota for AccessKeysPerUser: 2")
        self.made += 1
        key = f"AKIA{self.made}"
        self.keys[key] = f"the-secret-of-{self.made}"
        self.most_seen = max(self.most_seen, len(self.keys))
        if self.lose:
            self.lose -= 1
            raise AmbiguousError("no answer")
        return {"access_key": key, "secret_key": self.keys[key]}

    def accepted(self, value: Mapping[str, str]) -> bool:
        key = value["access_key"]
        return self.open_to_all or (self.keys.get(key) == value["secret_key"] and key not in self.blocked)

    def used(self, key: str) -> str | None:
        return self.uses.get(key)

    def block(self, key: str, blocked: bool) -> None:
        self.calls.append("block" if blocked else "open")
        (self.blocked.add if blocked else self.blocked.discard)(key)

    def delete(self, key: str) -> None:
        self.calls.append(f"delete {key}")
        self.keys.pop(key, None)
        self.blocked.discard(key)


class DeletesFirst(Issuer):
    """Makes room before it makes the next key, as others do."""

    def create(self, version_id: str, beside: str) -> dict[str, str]:
        self.delete(beside)
        return super().create(version_id, beside)


class World:
    """What outlives a killed process, and consumers that use the key they last read at every chance."""

    def __init__(self, folder: Path, issuer: Issuer | None = None) -> None:
        self.clock = MovedClock()
        self.issuer = issuer or Issuer()
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder, self.clock)
        first = self.issuer.create("first", "")
        self.store.create(Secret(NAME, policy.recipe("access_key", 192, policy.ALPHABET, ()), policy.version(first, "first", self.clock.now(), "salt")))
        self.consumers = dict.fromkeys(CONSUMERS, self.secret.current)
        self.asked = 0
        self.refused: list[str] = []
        self.clock.on_sleep = self.work

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def work(self) -> None:
        for version in self.consumers.values():
            self.asked += 1
            if not self.issuer.accepted(version.parts):
                self.refused.append(version.id)

    def machine(self, saw: Saw | None = None, **patience: Any) -> Machine:
        saw = saw or Saw()
        point = saw.point

        def watched(name: str) -> None:
            self.work()
            point(name)

        saw.point = watched  # type: ignore[method-assign]
        store = saw.wrap("store", self.store, ("stage", "promote", "drop_pending"))
        records = saw.wrap("records", self.records, ("write",))
        issuer = saw.wrap("issuer", self.issuer, CALLS)
        issuer.where = self.issuer.where
        return Machine(NAME, store, records, DualCredential(issuer, self.clock), Patience(**patience), self.clock)

    def switch(self) -> list[tuple[str, str]]:
        for name in self.consumers:
            self.work()
            self.consumers[name] = self.secret.current
        return [(name, version.fingerprint) for name, version in self.consumers.items()]

    def outcome(self) -> str | None:
        rotation = self.records.rotation(NAME)
        assert rotation is not None
        return rotation.outcome


def rotate(world: World, saw: Saw | None = None) -> None:
    machine = world.machine(saw, grace=6.0, quiet=3.0, observe=3.0)  # two looks each: more of them are no other points
    machine.begin(CONSUMERS)
    machine.go_on("finish", world.switch())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_three_rotations_refuse_nobody_and_never_need_a_third_key(world: World) -> None:
    for turn in range(1, 4):
        rotate(world)
        assert world.secret.current.part("access_key") == f"AKIA{turn + 1}"
        assert list(world.issuer.keys) == [f"AKIA{turn + 1}"]
    assert world.refused == []
    assert world.asked > 100
    assert world.issuer.most_seen == 2
    assert "the-secret-of" not in str(world.records.entries(NAME))


def test_the_order_is_create_then_block_then_delete(world: World) -> None:
    world.issuer.calls.clear()
    rotate(world)
    assert world.issuer.calls == ["create", "block", "delete AKIA1"]


def test_deleting_before_creating_is_seen_refused(tmp_path: Path) -> None:
    """The control."""
    world = World(tmp_path, DeletesFirst())
    rotate(world)
    assert world.refused


@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_leaves_no_key_that_nobody_knows(world: World, lost: int, late: int) -> None:
    world.issuer.lose, world.issuer.late = lost, late
    rotate(world)
    assert world.outcome() == "done"
    assert list(world.issuer.keys) == [world.secret.current.part("access_key")]
    assert world.issuer.most_seen == 2
    assert world.refused == []


def test_an_issuer_that_never_answers_is_left_as_it_was(world: World) -> None:
    world.issuer.lose = 9
    with pytest.raises(OpsError, match=r"no answer 3 times.* went back; the current credential is untouched"):
        world.machine().begin(CONSUMERS)
    assert list(world.issuer.keys) == ["AKIA1"]
    assert world.secret.pending is None


def test_a_second_key_that_is_there_already_is_not_touched(world: World) -> None:
    world.issuer.keys["AKIA-by-hand"] = "x"
    with pytest.raises(OpsError, match="another key that no rotation made, AKIA-by-hand"):
        world.machine().begin(CONSUMERS)
    assert list(world.issuer.keys) == ["AKIA1", "AKIA-by-hand"]


def test_a_key_that_somebody_uses_is_not_swept_away(world: World) -> None:
    with pytest.raises(Killed):
        world.machine(Saw(POINTS.index("before issuer.create") + 1)).begin(CONSUMERS)
    world.issuer.keys["AKIA-by-hand"] = "x"
    world.issuer.uses["AKIA-by-hand"] = "today"
    with pytest.raises(OpsError, match="which somebody uses: it is not ours to remove"):
        world.machine().begin(CONSUMERS)
    assert list(world.issuer.keys) == ["AKIA1", "AKIA-by-hand"]


def test_a_key_that_is_refused_goes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pending value is one that the provider rejects."""
    accepted = world.issuer.accepted
    monkeypatch.setattr(world.issuer, "accepted", lambda value: value["access_key"] == "AKIA1" and accepted(value))
    with pytest.raises(OpsError, match=r"the key AKIA2 is refused\. The rotation of shop/uploads went back"):
        world.machine().begin(CONSUMERS)
    assert list(world.issuer.keys) == ["AKIA1"]


def test_an_issuer_that_lets_any_secret_in_proves_nothing(world: World) -> None:
    world.issuer.open_to_all = True
    with pytest.raises(OpsError, match="a right one proves nothing"):
        world.machine().begin(CONSUMERS)


def test_a_key_that_is_still_used_is_held(world: World) -> None:
    world.machine().begin(CONSUMERS)
    acknowledged = world.switch()
    world.clock.on_sleep = lambda: world.issuer.uses.update(AKIA1=str(world.clock.now()))
    with pytest.raises(OpsError, match="1 use of the old key was seen"):
        world.machine(timeout=100).go_on("finish", acknowledged)
    assert world.issuer.accepted(world.consumers["web-1"].parts)
    assert "AKIA1" not in world.issuer.blocked
    world.clock.on_sleep = world.work
    world.machine(timeout=100).go_on("finish", [])
    assert list(world.issuer.keys) == ["AKIA2"]


def test_blocked_is_reversible(world: World) -> None:
    with pytest.raises(Killed):
        rotate(world, Saw(POINTS.index("after issuer.block") + 1))
    assert world.issuer.blocked == {"AKIA1"}
    world.machine().back()
    assert world.issuer.blocked == set()
    world.machine().go_on("finish", [])
    assert list(world.issuer.keys) == ["AKIA2"]


# A kill at every point, enumerated by the code


def points(act: Callable[[World, Saw], None]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        saw = Saw()
        act(World(Path(folder)), saw)
        return saw.points


POINTS = points(rotate)


def sound(world: World) -> None:
    """No key but the current one and, until it is deleted, the one before it; and the current one works."""
    known = {version.part("access_key") for version in (world.secret.current, world.secret.previous) if version}
    assert set(world.issuer.keys) <= known
    assert world.issuer.accepted(world.secret.current.parts)
    assert world.issuer.most_seen <= 2
    assert world.refused == []


@pytest.mark.parametrize("at", range(1, len(POINTS) + 1), ids=lambda at: f"{at}-{POINTS[at - 1].replace(' ', '-')}")
def test_a_killed_rotation_is_continued(world: World, at: int) -> None:
    with pytest.raises(Killed):
        rotate(world, Saw(at))
    rotation = world.records.rotation(NAME)
    if rotation is None or rotation.live:
        rotate(world)
    assert world.outcome() == "done"
    assert list(world.issuer.keys) == [world.secret.current.part("access_key")]
    sound(world)


@pytest.mark.parametrize("at", range(2, POINTS.index("before store.promote") + 2))
def test_a_killed_begin_can_be_taken_back(world: World, at: int) -> None:
    with pytest.raises(Killed):
        rotate(world, Saw(at))
    assert world.machine().back().outcome == "back"
    assert list(world.issuer.keys) == ["AKIA1"]
    assert world.secret.pending is None
    sound(world)


def test_every_state_and_every_call_is_among_the_points_of_kill() -> None:
    assert POINTS.count("before records.write") >= 2 * (len(State) - 1)
    assert {f"after issuer.{call}" for call in CALLS} <= set(POINTS)
