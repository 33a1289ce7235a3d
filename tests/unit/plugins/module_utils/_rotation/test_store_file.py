# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of encrypted files: what is on disk, what is refused, what a lost race gives."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.audit import audit_secrets
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.plugin_utils.vault import VaultLibrary
from tests.unit.plugins.module_utils._rotation.worlds import RECIPE, Base64Cipher

FIRST = policy.version({"username": "shop_a", "password": "first-value"}, "v1", 1.0, "salt")
SECOND = policy.version({"username": "shop_b", "password": "second-value"}, "v2", 2.0, "salt")
THIRD = policy.version({"username": "shop_a", "password": "third-value"}, "v3", 3.0, "salt")
SECRET = Secret("shop/database", RECIPE, FIRST)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "secrets", Base64Cipher())
    store.create(SECRET)
    return store


def test_what_was_written_is_read(store: FileStore) -> None:
    assert store.get("shop/database") == SECRET
    assert store.get("shop/other") is None


def test_a_secret_is_never_overwritten(store: FileStore) -> None:
    with pytest.raises(OpsError, match="never overwritten"):
        store.create(replace(SECRET, current=SECOND))
    assert store.get("shop/database") == SECRET


def test_only_the_owner_may_read(store: FileStore, tmp_path: Path) -> None:
    paths = [tmp_path / "secrets", *(tmp_path / "secrets").rglob("*")]
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_stage_and_promote(store: FileStore) -> None:
    store.stage("shop/database", SECOND)
    store.stage("shop/database", SECOND)
    store.promote("shop/database", "v1", "v2")
    store.promote("shop/database", "v1", "v2")
    assert store.get("shop/database") == replace(SECRET, current=SECOND, previous=FIRST, previous_accepted=True)


def test_a_second_pending_version_is_refused(store: FileStore) -> None:
    store.stage("shop/database", SECOND)
    with pytest.raises(OpsError, match="another pending version, v2"):
        store.stage("shop/database", THIRD)


@pytest.mark.parametrize(("old", "new"), [("v0", "v2"), ("v1", "v3"), ("v2", "v1")])
def test_a_lost_race_promotes_nothing(store: FileStore, old: str, new: str) -> None:
    store.stage("shop/database", SECOND)
    if new == "v1":
        store.promote("shop/database", "v1", "v2")
    before = store.get("shop/database")
    with pytest.raises(OpsError, match="nothing was promoted"):
        store.promote("shop/database", old, new)
    assert store.get("shop/database") == before


def test_of_many_writers_one_wins(store: FileStore) -> None:
    refused = []

    def stage(number: int) -> None:
        try:
            store.stage("shop/database", replace(SECOND, id=f"v{number}"))
        except OpsError:
            refused.append(number)

    threads = [threading.Thread(target=stage, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7


def test_drop_pending_drops_only_that_one(store: FileStore) -> None:
    store.stage("shop/database", SECOND)
    store.drop_pending("shop/database", "v9")
    store.drop_pending("shop/database", "v2")
    store.drop_pending("shop/database", "v2")
    assert store.get("shop/database") == SECRET


def test_names_are_those_of_secrets(store: FileStore, tmp_path: Path) -> None:
    store.create(replace(SECRET, name="shop/jwt"))
    FileRecords(tmp_path / "secrets").write("shop/database", "planned")
    assert store.names() == ["shop/database", "shop/jwt"]
    store.delete("shop/jwt")
    store.delete("shop/jwt")
    assert store.names() == ["shop/database"]


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd", "a//b", "a/../b", "A", ".hidden", "a/", "a b", "rotations/x"])
def test_a_name_that_leaves_the_folder_is_refused(store: FileStore, name: str) -> None:
    with pytest.raises(OpsError, match="cannot name a secret"):
        store.get(name)


@pytest.mark.parametrize("content", ["no json: first-value", '{"schema": 1}', '{"schema": 1, "name": "x", "current": 3, "recipe": {}}', "[]"])
def test_a_foreign_file_is_named_and_not_shown(store: FileStore, tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets" / "other.yml"
    path.write_text(Base64Cipher().encrypt(content))
    with pytest.raises(OpsError, match=r"other.yml in .*secrets was decrypted, but") as caught:
        store.get("other")
    assert "first-value" not in caught.value.message


def test_a_newer_schema_is_refused(store: FileStore, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "other.yml").write_text(Base64Cipher().encrypt('{"schema": 2}'))
    with pytest.raises(OpsError, match="update the collection"):
        store.get("other")


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text("the password of the vault\n")
    return str(path)


def test_the_library_and_the_command_of_operators_read_each_other(tmp_path: Path, key: str) -> None:
    store = FileStore(tmp_path / "s", VaultLibrary(key))
    store.create(SECRET)
    path = tmp_path / "s" / "shop" / "database.yml"
    assert path.read_text().startswith("$ANSIBLE_VAULT;1.1;AES256")
    for verb in ("decrypt", "encrypt"):
        subprocess.run([Path(sys.executable).with_name("ansible-vault"), verb, "--vault-password-file", key, path], check=True, capture_output=True)
        assert ("first-value" in path.read_text()) == (verb == "decrypt")
    assert store.get("shop/database") == SECRET
    store.stage("shop/database", SECOND)
    assert store.get("shop/database") == replace(SECRET, pending=SECOND)


def test_a_wrong_key_is_said(tmp_path: Path, key: str) -> None:
    FileStore(tmp_path / "s", VaultLibrary(key)).create(SECRET)
    Path(key).write_text("another\n")
    with pytest.raises(OpsError, match=f"Cannot decrypt with the key of vault password file {key}: Decryption failed") as caught:
        FileStore(tmp_path / "s", VaultLibrary(key)).get("shop/database")
    assert "first-value" not in str(caught.value.details)


def test_a_key_that_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="There is no vault password file"):
        VaultLibrary(str(tmp_path / "none"))
    (tmp_path / "empty").touch()
    with pytest.raises(OpsError, match="Cannot read the key of vault password file"):
        VaultLibrary(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["store_path", "vault_password_file", "age_key_file"])
def test_an_audit_finds_what_others_can_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "of-the-store"
    file.write_text("a key")
    nothing: dict[str, Any] = {"subject": "store", "secrets": [], "declared": [], "store_path": None, "vault_password_file": None, "age_key_file": None}
    for mode, verdict in ((0o644, "fail"), (0o600, "pass")):
        file.chmod(mode)
        found = audit_secrets({**nothing, name: str(tmp_path if name == "store_path" else file)})["findings"]
        assert [each["verdict"] for each in found if each["id"] == "secret_store.files"] == [verdict]
