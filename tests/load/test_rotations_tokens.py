# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request fails in ten rotations of a key that signs tokens, shared or published, while instances sign and verify all the time."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.verify_set import VerifySet
from localcloud.shell import wait_until
from tests.load.tokens_app import LIFETIME, Clients, Instance
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher

NAME = "shop/tokens"
ROTATIONS = 10
REQUESTS = 1_000  # in each of them
STEPS = 8  # of a rotation, each with load before and after it
MOST = 500_000
PATIENCE = Patience(grace=LIFETIME + 0.5, quiet=0, observe=0, interval=0.1)


class World:
    """Two instances that sign and verify, and one that only verifies."""

    def __init__(self, folder: Path, algorithm: str) -> None:
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder)
        recipe = policy.recipe("signing_key", 256, policy.ALPHABET, (), algorithm)
        self.store.create(Secret(NAME, recipe, policy.version(policy.generate(recipe, "first"), "first", time.time(), "salt")))
        self.signers = [Instance(self.secret) for _each in range(2)]
        self.verifiers = [*self.signers, Instance(self.secret, published=algorithm != "HS256")]
        self.names = [f"web-{number}" for number in range(len(self.verifiers))]

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def rotate(self, clients: Clients) -> None:
        machine = Machine(NAME, self.store, self.records, VerifySet(NAME, self.store), PATIENCE)
        machine.begin(self.names)
        for phase in ("publish", "finish", "close"):
            for instance in self.verifiers:  # one after the other
                worked(clients)
                instance.switch(self.secret)
            worked(clients)
            machine.go_on(phase, [(name, instance.fingerprint) for name, instance in zip(self.names, self.verifiers, strict=True)])
        worked(clients)

    def clients(self) -> Clients:
        return Clients(self.signers, self.verifiers, MOST)

    def close(self) -> None:
        for instance in self.verifiers:
            instance.close()


def worked(clients: Clients) -> None:
    wanted = clients.accepted + clients.refused + REQUESTS // STEPS + 1
    wait_until("the clients to work", lambda: clients.accepted + clients.refused >= wanted, seconds=120, pause=0.02)


@contextmanager
def world(folder: Path, algorithm: str) -> Iterator[World]:
    with closing(World(folder, algorithm)) as made:
        yield made


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_no_request_fails(tmp_path: Path, algorithm: str) -> None:
    with world(tmp_path, algorithm) as tokens:
        with tokens.clients().running() as clients:
            for _rotation in range(ROTATIONS):
                old = tokens.secret.current.id
                tokens.rotate(clients)
                assert tokens.secret.current.id != old
                assert old not in [key["kid"] for key in policy.accepted_keys(tokens.secret)]
        print(f"{algorithm}: {clients.refused} of {clients.accepted + clients.refused} requests failed in {ROTATIONS} rotations")
        assert clients.refused == 0
        assert clients.accepted >= ROTATIONS * REQUESTS


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_signer_before_its_verifiers_is_seen(tmp_path: Path, algorithm: str) -> None:
    """The control: one instance signs with a new key that the others are only given afterwards."""
    with world(tmp_path, algorithm) as tokens, tokens.clients().running() as clients:
        worked(clients)
        assert clients.refused == 0
        new = keys.make(algorithm, "new", 256)
        accepted = {"keys": [*json.loads(policy.keyset(tokens.secret))["keys"], new]}
        tokens.signers[0].uses("new", accepted)
        wait_until("a request to fail", lambda: clients.refused > 0, seconds=60, pause=0.02)
        for instance in tokens.verifiers[1:]:
            instance.uses("new", accepted)
        worked(clients)
    print(f"{algorithm}: {clients.refused} of {clients.accepted + clients.refused} requests failed where the signer was first")


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
def test_a_key_that_is_dropped_before_its_tokens_have_expired_is_seen(tmp_path: Path, algorithm: str) -> None:
    """The control of the grace: the new key is accepted everywhere and signs, and the old one is gone at once."""
    with world(tmp_path, algorithm) as tokens, tokens.clients().running() as clients:
        worked(clients)
        old = json.loads(policy.keyset(tokens.secret))["keys"][0]

        def dropped() -> bool:
            """Again and again: on a slow machine nobody may show a token just then."""
            nonlocal old
            new = keys.make(algorithm, str(uuid.uuid4()), 256)
            for signs, accepted in ((old, [old, new]), (new, [new])):
                for instance in tokens.verifiers:
                    instance.uses(signs["kid"], {"keys": accepted})
            old = new
            return clients.refused > 0

        wait_until("a request to fail", dropped, seconds=60, pause=0.3)
