# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that sign tokens: whatever one consumer signed, at whatever point of a rotation, every other one accepts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.verify_set import VerifySet
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher, Killed, MovedClock, Saw

NAME = "shop/jwt"
RECIPE = policy.recipe("signing_key", 256, policy.ALPHABET, ())
LIFETIME = 600.0
CACHE = 300.0
PHASES = ("publish", "finish", "close")


class Consumer:
    """Signs with one key and accepts a set of them, as it last read them."""

    def __init__(self, secret: Secret) -> None:
        self.switch(secret)

    def switch(self, secret: Secret) -> None:
        self.uses = json.loads(policy.keyset(secret))
        self.fingerprint = policy.consumed_fingerprint(secret)

    def accepts(self, kid: str) -> bool:
        return kid in [key["kid"] for key in self.uses["keys"]]


class World:
    """Consumers that switch one after the other, and tokens that they signed."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock()
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder, self.clock)
        self.store.create(Secret(NAME, RECIPE, policy.version(policy.generate(RECIPE, "first"), "first", self.clock.now(), "salt")))
        self.consumers = {name: Consumer(self.secret) for name in ("web-1", "web-2")}
        self.signed: list[tuple[str, float]] = []
        self.refused: list[str] = []
        self.clock.on_sleep = self.work

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def work(self) -> None:
        """Everybody signs; everybody is shown all that is still valid."""
        now = self.clock.now()
        self.signed += [(consumer.uses["sign"], now) for consumer in self.consumers.values()]
        self.signed = [(kid, at) for kid, at in self.signed if now - at <= LIFETIME]
        self.refused += [kid for kid in {kid for kid, _at in self.signed} for consumer in self.consumers.values() if not consumer.accepts(kid)]

    def switch(self) -> None:
        for consumer in self.consumers.values():
            self.work()
            consumer.switch(self.secret)
            self.work()

    def machine(self, saw: Saw | None = None, cache: float = 0.0) -> Machine:
        saw = saw or Saw()
        store = saw.wrap("store", self.store, ("stage", "promote", "drop_pending", "accept_previous"))
        records = saw.wrap("records", self.records, ("write",))
        return Machine(NAME, store, records, VerifySet(NAME, store), Patience(LIFETIME + 60, quiet=0, observe=5, interval=50, cache=cache), self.clock)

    def acknowledged(self) -> list[tuple[str, str]]:
        return [(name, consumer.fingerprint) for name, consumer in self.consumers.items()]

    def rotate(self, saw: Saw | None = None) -> None:
        machine = self.machine(saw)
        machine.begin(tuple(self.consumers))
        for phase in PHASES:
            self.switch()
            rotation = self.records.rotation(NAME)
            if rotation is not None and rotation.live:
                machine.go_on(phase, self.acknowledged())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_no_token_is_refused_in_three_rotations(world: World) -> None:
    kids = [world.secret.current.part("kid")]
    for _rotation in range(3):
        world.rotate()
        kids.append(world.secret.current.part("kid"))
    assert world.refused == []
    assert len(set(kids)) == 4
    assert [consumer.uses["sign"] for consumer in world.consumers.values()] == [kids[-1]] * 2
    assert not any(consumer.accepts(kids[-2]) for consumer in world.consumers.values())


def test_signing_before_everybody_accepts_is_seen_refused(world: World) -> None:
    """The control: the new key is current at once, as with a secret that is simply replaced."""
    world.work()
    world.store.stage(NAME, policy.version(policy.generate(RECIPE, "second"), "second", world.clock.now(), "s"))
    world.store.promote(NAME, "first", "second")
    world.switch()
    assert world.refused


def test_dropping_the_old_one_while_its_tokens_live_is_seen_refused(world: World) -> None:
    """The control: without a time of grace."""
    machine = world.machine()
    machine.begin(tuple(world.consumers))
    world.switch()
    machine.go_on("publish", world.acknowledged())
    world.store.accept_previous(NAME, "first", False)
    world.switch()
    assert world.refused


@pytest.mark.parametrize(("waits", "known"), [(CACHE, True), (0.0, False)], ids=["as the rotation does", "control: it waits for nobody's copy"])
def test_whoever_keeps_a_copy_of_the_keys_knows_the_one_that_signs(world: World, waits: float, known: bool) -> None:
    """The copy is taken right before the new key is published, and kept for as long as that is allowed."""
    copied = [key["kid"] for key in policy.accepted_keys(world.secret)]
    too_old = world.clock.now() + CACHE
    machine = world.machine(cache=waits)
    machine.begin(tuple(world.consumers))
    world.switch()
    machine.go_on("publish", world.acknowledged())
    if world.clock.now() >= too_old:
        copied = [key["kid"] for key in policy.accepted_keys(world.secret)]
    assert (world.secret.current.part("kid") in copied) == known


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_waits_for_every_consumer(world: World, phase: str) -> None:
    machine = world.machine()
    machine.begin(tuple(world.consumers))
    for earlier in PHASES[: PHASES.index(phase)]:
        world.switch()
        machine.go_on(earlier, world.acknowledged())
    before = world.secret
    world.consumers["web-1"].switch(world.secret)
    with pytest.raises(OpsError, match=r"1 of 2 consumers .* web-2 \(") as caught:
        machine.go_on(phase, world.acknowledged())
    assert len(caught.value.details["missing"]) == 1
    assert world.secret == before
    world.switch()
    machine.go_on(phase, world.acknowledged())
    assert world.refused == []


def test_phases_keep_their_order(world: World) -> None:
    machine = world.machine()
    machine.begin(tuple(world.consumers))
    world.switch()
    with pytest.raises(OpsError, match="run phase publish before phase finish"):
        machine.go_on("finish", world.acknowledged())


def test_back_takes_the_new_key_out_of_the_set(world: World) -> None:
    world.machine().begin(tuple(world.consumers))
    assert len(json.loads(policy.keyset(world.secret))["keys"]) == 2
    assert world.machine().back().outcome == "back"
    assert json.loads(policy.keyset(world.secret)) == {"sign": "first", "keys": [world.secret.current.value]}


def test_back_lets_the_old_key_be_accepted_again(world: World) -> None:
    machine = world.machine()
    machine.begin(tuple(world.consumers))
    for phase in PHASES[:2]:
        world.switch()
        machine.go_on(phase, world.acknowledged())
    assert len(policy.accepted_keys(world.secret)) == 1
    assert machine.back().state is State.GRACE
    assert len(policy.accepted_keys(world.secret)) == 2


def points() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        saw = Saw()
        World(Path(folder)).rotate(saw)
        yield from saw.points


POINTS = list(points())


@pytest.mark.parametrize("at", range(1, len(POINTS) + 1), ids=lambda at: f"{at}-{POINTS[at - 1].replace(' ', '-')}")
def test_a_killed_rotation_is_continued(world: World, at: int) -> None:
    with pytest.raises(Killed):
        world.rotate(Saw(at))
    world.switch()
    rotation = world.records.rotation(NAME)
    if rotation is None or rotation.live:
        world.rotate()
    latest = world.records.rotation(NAME)
    assert latest is not None
    assert latest.outcome == "done"
    assert world.refused == []
    assert world.secret.current.id == latest.new
    assert world.secret.pending is None
    assert [key["kid"] for key in policy.accepted_keys(world.secret)] == [latest.new]


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_key_accepts_what_it_signed_and_nothing_else(algorithm: str) -> None:
    key, other = keys.make(algorithm, "a", 256), keys.make(algorithm, "b", 256)
    assert keys.proven(key, other)
    assert not keys.proven(key, key)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_verifiers_are_given_the_public_part_alone(algorithm: str) -> None:
    key, other = keys.make(algorithm, "a", 256), keys.make(algorithm, "b", 256)
    document = json.loads(keys.jwks([key, other]))
    assert [(each["kid"], each["alg"], each["use"]) for each in document["keys"]] == [("a", algorithm, "sig"), ("b", algorithm, "sig")]
    assert key["d"] not in keys.jwks([key, other])
    signer = json.loads(keys.keyset(key, [key, other]))
    assert signer["sign"] == "a"
    assert [("d" in each) for each in signer["keys"]] == [True, False]


def test_a_key_that_verifies_and_signs_is_not_published() -> None:
    with pytest.raises(OpsError, match="no public part"):
        keys.jwks([keys.make("HS256", "a", 256)])
