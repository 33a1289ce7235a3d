# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a rotation cannot make accepted itself: keys of an issuer, behind a real HTTP server, and values with a gap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, plan
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.noun import SecretNoun
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.single import Assisted, Cutover, Probe
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher, MovedClock

NAME = "shop/mail"
PATIENCE = Patience(grace=0, quiet=0, observe=0)


class Issuer:
    """Accepts the keys that it issued and has not revoked."""

    def __init__(self) -> None:
        self.keys = {"first"}
        self.open_to_all = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers.get("Authorization", "").removeprefix("Bearer ") in issuer.keys
                self.send_response(200 if known or issuer.open_to_all else 401)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.probe = Probe(f"http://127.0.0.1:{self._server.server_port}/account")
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


class World:
    def __init__(self, folder: Path, kind: str) -> None:
        self.clock = MovedClock()
        self.store = FileStore(folder, Base64Cipher())
        self.records = FileRecords(folder, self.clock)
        wanted = policy.recipe(kind, 192, policy.ALPHABET, ())
        noun = SecretNoun(NAME, wanted, self.store, self.records, self.clock, value="first" if kind == "api_key" else None)
        noun.apply(noun_plan(noun))

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def machine(self, provider: Provider) -> Machine:
        return Machine(NAME, self.store, self.records, provider, PATIENCE, self.clock)

    def acknowledged(self) -> list[tuple[str, str]]:
        return [("web", self.secret.current.fingerprint)]


def noun_plan(noun: SecretNoun) -> Plan:
    before = noun.read()
    return plan(before, noun.desired(before))


def test_a_supplied_key_is_proven_and_the_old_one_seen_revoked(tmp_path: Path, issuer: Issuer) -> None:
    world = World(tmp_path, "api_key")
    issuer.keys.add("second")
    world.machine(Assisted(issuer.probe, "second")).begin(["web"])
    assert world.secret.current.value == "second"
    with pytest.raises(OpsError, match="still accepts the old one: have its issuer revoke it"):
        world.machine(Assisted(issuer.probe, None)).go_on("finish", world.acknowledged())
    issuer.keys.discard("first")
    assert world.machine(Assisted(issuer.probe, None)).go_on("finish", world.acknowledged()).outcome == "done"
    assert "second" not in str(world.records.entries(NAME))


@pytest.mark.parametrize(
    ("supplied", "said"),
    [(None, "has to be supplied"), ("first", "is the one that it has"), ("never issued", "refuses the version")],
)
def test_a_key_that_is_not_a_new_one_goes_back(tmp_path: Path, issuer: Issuer, supplied: str | None, said: str) -> None:
    world = World(tmp_path, "api_key")
    with pytest.raises(OpsError, match=said) as caught:
        world.machine(Assisted(issuer.probe, supplied)).begin(["web"])
    assert "went back" in caught.value.message
    assert "never issued" not in caught.value.message
    assert world.secret.current.value == "first"
    assert world.secret.pending is None


def test_an_address_that_asks_for_no_key_proves_nothing(tmp_path: Path, issuer: Issuer) -> None:
    issuer.open_to_all = True
    with pytest.raises(OpsError, match="accepts a key that nobody issued"):
        World(tmp_path, "api_key").machine(Assisted(issuer.probe, "second")).begin(["web"])


def test_an_api_key_cannot_be_made_up(tmp_path: Path) -> None:
    store = FileStore(tmp_path, Base64Cipher())
    noun = SecretNoun(NAME, policy.recipe("api_key", 192, policy.ALPHABET, ()), store, FileRecords(tmp_path))
    with pytest.raises(OpsError, match="made by its issuer: give its value, once"):
        noun.desired(noun.read())


def test_a_gap_has_to_be_allowed(tmp_path: Path) -> None:
    world = World(tmp_path, "password")
    before = world.secret
    with pytest.raises(OpsError, match="Allow that with allow_auth_gap"):
        world.machine(Cutover(False)).begin(["web"])
    assert world.secret == before
    world.machine(Cutover(True)).begin(["web"])
    rotation = world.machine(Cutover(True)).go_on("finish", world.acknowledged())
    assert (rotation.state, rotation.outcome) == (State.DESTROYED, "done")
    assert world.secret.current.value != before.current.value
