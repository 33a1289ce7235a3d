# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every store keeps the same contract, and holds two rotations apart."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.dual_user import DualUser
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.machine import Machine, Patience
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.options import Opener
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.secrets_manager import SecretsManagerStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_documents import DocumentStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.trail import export
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from tests.integration.rotation_world import ROOT
from tests.integration.secret_stores import AGE_RECIPIENT, BUCKET, KINDS, TOKEN, Servers, servers
from tests.unit.plugins.module_utils._rotation.worlds import RECIPE, Base64Cipher, Database, Killed, Saw

__all__ = ["servers"]

NAME = "shop/database"
FIRST = policy.version({"username": "shop_a", "password": "first-value"}, "v1", 1.0, "salt")
SECOND = policy.version({"username": "shop_b", "password": "second-value"}, "v2", 2.0, "salt")
THIRD = policy.version({"username": "shop_a", "password": "third-value"}, "v3", 3.0, "salt")
SECRET = Secret(NAME, RECIPE, FIRST)


# sops is a program that is started for each look; its test of one secret's life is in every run.
@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.slow) if kind == "sops" else kind for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opener(kind: str, servers: Servers, tmp_path: Path) -> Opener:
    return servers.opener(kind, tmp_path)


@pytest.fixture
def store(opener: Opener) -> Store:
    store = opener.store()
    store.create(SECRET)
    return store


def test_what_was_written_is_read_and_never_overwritten(store: Store, opener: Opener) -> None:
    assert store.get(NAME) == SECRET
    assert store.get("shop/other") is None
    with pytest.raises(OpsError, match="never overwritten"):
        store.create(replace(SECRET, current=SECOND))
    text = Secret("token", policy.recipe("password", 128, policy.ALPHABET, ()), policy.version("a string", "t1", 1.0, "salt"))
    store.create(text)
    assert opener.store().get("token") == text
    assert store.names() == [NAME, "token"]


def test_stage_promote_accept(store: Store) -> None:
    store.stage(NAME, SECOND)
    store.stage(NAME, SECOND)
    assert store.get(NAME) == replace(SECRET, pending=SECOND)
    with pytest.raises(OpsError, match="another pending version, v2"):
        store.stage(NAME, THIRD)
    for _again in range(2):
        store.promote(NAME, "v1", "v2")
        assert store.get(NAME) == replace(SECRET, current=SECOND, previous=FIRST, previous_accepted=True)
    for accepted in (False, False, True):
        store.accept_previous(NAME, "v1", accepted)
        assert store.get(NAME) == replace(SECRET, current=SECOND, previous=FIRST, previous_accepted=accepted)
    with pytest.raises(OpsError, match="not v3 any more"):
        store.accept_previous(NAME, "v3", False)
    store.stage(NAME, THIRD)
    store.promote(NAME, "v2", "v3")
    assert store.get(NAME) == replace(SECRET, current=THIRD, previous=SECOND, previous_accepted=True)


def test_a_pending_version_is_dropped_and_another_one_staged(store: Store) -> None:
    store.stage(NAME, SECOND)
    store.drop_pending(NAME, "v9")
    assert store.get(NAME) == replace(SECRET, pending=SECOND)
    for _again in range(2):
        store.drop_pending(NAME, "v2")
        assert store.get(NAME) == SECRET
    store.stage(NAME, replace(SECOND, value={"username": "shop_b", "password": "another"}))
    pending = store.get(NAME)
    assert pending is not None
    assert pending.pending is not None
    assert pending.pending.part("password") == "another"


@pytest.mark.parametrize(("old", "new"), [("v0", "v2"), ("v1", "v3")])
def test_a_lost_race_promotes_nothing(store: Store, old: str, new: str) -> None:
    store.stage(NAME, SECOND)
    with pytest.raises(OpsError, match="nothing was promoted"):
        store.promote(NAME, old, new)
    assert store.get(NAME) == replace(SECRET, pending=SECOND)


def test_a_recipe_is_amended_and_a_secret_removed(store: Store) -> None:
    wanted = replace(RECIPE, entropy_bits=256)
    store.amend(NAME, wanted)
    assert store.get(NAME) == replace(SECRET, recipe=wanted)
    store.delete(NAME)
    store.delete(NAME)
    assert store.get(NAME) is None
    assert store.names() == []
    with pytest.raises(OpsError, match="There is no secret"):
        store.stage(NAME, SECOND)
    store.create(SECRET)
    assert store.get(NAME) == SECRET


def test_of_two_rotations_at_once_one_stages(opener: Opener, store: Store) -> None:
    """Both have read that nothing is pending before either writes."""
    together, refused = threading.Barrier(2), []

    def rotate(version: Any) -> None:
        mine = opener.store()
        meeting = meet_before_writing(mine, together)
        try:
            meeting.stage(NAME, version)
        except OpsError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=rotate, args=(version,)) for version in (SECOND, THIRD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    left = store.get(NAME)
    assert left is not None
    assert left.pending in (SECOND, THIRD)
    [said] = refused
    assert f"another pending version, {left.pending.id if left.pending else ''}" in said


def meet_before_writing(store: Any, together: threading.Barrier) -> Store:
    """The store, whose first write waits until somebody else is about to write too."""

    def first_waits(call: Callable[..., Any]) -> Callable[..., Any]:
        waited: list[int] = []

        def late(*arguments: Any, **options: Any) -> Any:
            if not waited:
                waited.append(together.wait(20))
            return call(*arguments, **options)

        return late

    if isinstance(store, SecretsManagerStore):
        store._client.put_secret_value = first_waits(store._client.put_secret_value)
        return store
    assert isinstance(store, DocumentStore)
    store._documents.replace = first_waits(store._documents.replace)  # type: ignore[method-assign]
    return store


def test_the_journal_is_chained_and_one_run_holds_it(opener: Opener) -> None:
    first, second = opener.records(), opener.records()
    with first.hold(NAME):
        first.write(NAME, "planned", rotation="r", secret=NAME, strategy="s", consumers=[], old="v1", old_fingerprint="f", new="v2")
        with pytest.raises(OpsError, match="Another run"), second.hold(NAME):
            pytest.fail("two runs held it")
        first.write(NAME, "completed", state="SET")
    with second.hold(NAME):
        second.write(NAME, "completed", state="TESTED")
    rotation = first.rotation(NAME)
    assert rotation is not None
    assert (rotation.id, rotation.state.value) == ("r", "TESTED")
    assert first.rotation("shop/other") is None
    assert first.names() == [NAME]
    assert [line["what"] for line in export(first, [], [])["trail"]] == ["planned", "completed SET", "completed TESTED"]


def test_others_read_the_current_value(store: Store, servers: Servers, tmp_path: Path, kind: str) -> None:
    """Who knows nothing of us finds the fields of the current value."""
    store.stage(NAME, SECOND)
    store.promote(NAME, "v1", "v2")
    if kind == "secrets_manager":
        got = servers.client("secretsmanager").get_secret_value(SecretId=f"{tmp_path.name}/{NAME}", VersionStage="AWSCURRENT")
        assert json.loads(got["SecretString"])["password"] == "second-value"
    if kind == "vault":
        with urlopen(Request(f"{servers.vault}/v1/secret/data/{tmp_path.name}/{NAME}", headers={"X-Vault-Token": TOKEN}), timeout=10) as answer:
            assert json.load(answer)["data"]["data"]["password"] == "second-value"
    if kind == "bucket":
        data = servers.client("s3").get_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{NAME}.yml")["Body"].read()
        assert "second-value" in Base64Cipher().decrypt(data.decode())


def test_sops_reads_what_is_kept_for_its_keys_and_nobody_else_does(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = servers.opener("sops", tmp_path).store()
    store.create(SECRET)
    store.stage(NAME, SECOND)
    assert store.get(NAME) == replace(SECRET, pending=SECOND)
    file = tmp_path / "secrets" / f"{NAME}.sops.yml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "first-value" not in file.read_text()
    argv = ["sops", "decrypt", "--extract", '["current"]["value"]["password"]', str(file)]
    env = {**os.environ, "SOPS_AGE_KEY_FILE": str(tmp_path / "age-key")}
    assert subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True).stdout.strip() == "first-value"
    sealed = file.read_text()
    file.write_text(re.sub(r"(name: ENC\[AES256_GCM,data:)....", r"\1AAAA", sealed, count=1))
    with pytest.raises(OpsError, match="sops failed with exit code"):
        store.get(NAME)
    file.write_text(sealed)
    (tmp_path / "age-key").unlink()
    with pytest.raises(OpsError, match=r"(?s)sops failed with exit code .*age-key"):
        store.get(NAME)


def test_a_rule_says_whom_sops_encrypts_for(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = servers.options("sops", tmp_path)
    del options["store"]["age_recipients"]
    store = Opener(options, lambda _file: Base64Cipher()).store()
    with pytest.raises(OpsError, match="no keys provided"):
        store.create(SECRET)
    assert store.names() == []
    (tmp_path / ".sops.yaml").write_text(f"creation_rules: [{{path_regex: secrets/.*, age: {AGE_RECIPIENT}}}]\n")
    store.create(SECRET)
    assert store.get(NAME) == SECRET
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(OpsError, match="Cannot run sops: it is not installed"):
        store.get(NAME)


class World:
    """A rotation whose store is elsewhere; only what a killed process cannot take along outlives it."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.database = Database()
        self.store = opener.store()
        self.store.create(SECRET)
        self.database.ensure("shop_a", FIRST.part("password"), "enabled")

    def rotate(self, saw: Saw) -> None:
        """To the end, from wherever it is. Each request that changes something in the store is a point; the others are so in the unit tests."""
        store: Any = self.opener.store()
        if isinstance(store, SecretsManagerStore):
            store._client = saw.wrap("Secrets Manager", store._client, ("put_secret_value", "update_secret_version_stage"))
        else:
            store._documents = saw.wrap("store", store._documents, ("replace",))
        machine = Machine(NAME, store, self.opener.records(), DualUser(self.database, "shop"), Patience(grace=0, quiet=0, observe=0))
        machine.begin(["shop"])
        machine.go_on("finish", [("shop", self.secret.current.fingerprint)])

    @property
    def secret(self) -> Secret:
        secret = self.store.get(NAME)
        assert secret is not None
        return secret

    def works(self) -> bool:
        return self.database.accepts(self.secret.current.value)


@pytest.mark.parametrize("kind", ["vault", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("bucket", "secrets_manager"))])
def test_a_kill_at_every_request_is_survived(servers: Servers, tmp_path: Path, kind: str) -> None:
    opener = servers.opener(kind, tmp_path)
    world, whole = World(opener), Saw()
    world.rotate(whole)
    assert len(whole.points) == (10 if kind == "secrets_manager" else 4), whole.points
    for at in range(1, len(whole.points) + 1):
        before = world.secret.current
        with pytest.raises(Killed):
            world.rotate(Saw(at))
        assert world.works(), whole.points[at - 1]
        assert world.database.accepts(before.value) or world.secret.current != before
        rotation = opener.records().rotation(NAME)
        if rotation is None or rotation.live:
            world.rotate(Saw())
        assert world.works(), whole.points[at - 1]
        assert world.secret.pending is None
        assert world.database.enabled == {world.secret.current.part("username")}, whole.points[at - 1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("files", "sops")])
def test_a_store_that_is_down_is_named(servers: Servers, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    down = replace(servers, vault="http://127.0.0.1:9", aws="http://127.0.0.1:9")
    with pytest.raises(OpsError, match=r"127\.0\.0\.1:9"):
        down.opener(kind, tmp_path).store().get(NAME)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"kind": "bucket"}, "store.bucket is missing"), ({"kind": "vault", "url": "x"}, "store.token is missing"), ({}, "store_path is missing")],
)
def test_what_is_missing_is_named(given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BAO_TOKEN", "VAULT_TOKEN", "GROUNDCREW_SECRET_STORE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OpsError, match=said):
        Opener({"store": given, "vault_password_file": "key"}, lambda _file: Base64Cipher()).store()


PLAY = """
- name: Make a secret and read it
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    secret_items: [{name: shop/token}]
  tasks:
    - name: Make it
      ansible.builtin.include_role: {name: groundcrew.ops.secret}
    - name: Look that the lookup finds what the role made
      ansible.builtin.assert:
        that: lookup('groundcrew.ops.secret', 'shop/token', field='fingerprint') == secret_result['shop/token'].fingerprint
    - name: Audit
      ansible.builtin.include_role: {name: groundcrew.ops.secret, tasks_from: audit}
"""


@pytest.mark.slow
def test_the_role_and_the_lookup_use_the_store(servers: Servers, tmp_path: Path, kind: str) -> None:
    options = servers.options(kind, tmp_path)
    (tmp_path / "key").write_text("vault\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "vars.json").write_text(json.dumps({f"secret_{name}": value for name, value in options.items()}))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", "-i", "localhost,", "-e", f"@{tmp_path}/vars.json", str(tmp_path / "play.yml")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    made = Opener(options, VaultLibrary).store().get("shop/token")
    assert made is not None
    assert str(made.current.value) not in done.stdout + done.stderr
