# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets as encrypted files in a folder of the control node: ``<folder>/<name>.yml``.

Content is encrypted before it touches the disk, a file is replaced as a whole, and what depends on what is stored is
decided under the secret's lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder, write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import Journal
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Rotation, Secret, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Cipher

SCHEMA = 1
ROTATIONS = "rotations"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")


class FileStore:
    """A Store in a folder (created with mode 0700)."""

    def __init__(self, folder: str | Path, cipher: Cipher) -> None:
        self._folder = Path(folder).expanduser()
        self._cipher = cipher

    def names(self) -> list[str]:
        found = (path.relative_to(self._folder).with_suffix("") for path in self._folder.rglob("*.yml"))
        return sorted(str(path) for path in found if path.parts[0] != ROTATIONS)

    def get(self, name: str) -> Secret | None:
        path = self._path(name)
        try:
            sealed = path.read_text()
        except FileNotFoundError:
            return None
        return _load(path, self._cipher.decrypt(sealed))

    def create(self, secret: Secret) -> None:
        with locked(self._path(secret.name)):
            if self._path(secret.name).exists():
                raise OpsError(f"The secret {secret.name} exists already in {self._folder}; it is never overwritten.")
            self._write(secret)

    def amend(self, name: str, recipe: Recipe) -> None:
        with locked(self._path(name)):
            self._write(replace(self._existing(name), recipe=recipe))

    def stage(self, name: str, pending: Version) -> None:
        with locked(self._path(name)):
            secret = self._existing(name)
            if secret.pending is not None and secret.pending.id != pending.id:
                raise OpsError(f"The secret {name} has another pending version, {secret.pending.id}: a rotation was left. Take it back with phase back.")
            if secret.pending is None:
                self._write(replace(secret, pending=pending))

    def drop_pending(self, name: str, version_id: str) -> None:
        with locked(self._path(name)):
            secret = self._existing(name)
            if secret.pending is not None and secret.pending.id == version_id:
                self._write(replace(secret, pending=None))

    def promote(self, name: str, old: str, new: str) -> None:
        with locked(self._path(name)):
            secret = self._existing(name)
            if secret.current.id == new:
                return
            if secret.current.id != old or secret.pending is None or secret.pending.id != new:
                raise OpsError(
                    f"The secret {name} is not as the rotation left it: current should be {old} and pending {new}. "
                    "Somebody else changed it; nothing was promoted."
                )
            self._write(replace(secret, current=secret.pending, previous=secret.current, pending=None, previous_accepted=True))

    def accept_previous(self, name: str, version_id: str, accepted: bool) -> None:
        with locked(self._path(name)):
            secret = self._existing(name)
            if secret.previous is None or secret.previous.id != version_id:
                raise OpsError(f"The previous version of {name} is not {version_id} any more: somebody else changed it.")
            self._write(replace(secret, previous_accepted=accepted))

    def delete(self, name: str) -> None:
        path = self._path(name)
        with locked(path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def _existing(self, name: str) -> Secret:
        secret = self.get(name)
        if secret is None:
            raise OpsError(f"There is no secret {name} in {self._folder}.")
        return secret

    def _write(self, secret: Secret) -> None:
        write_atomic(self._path(secret.name), self._cipher.encrypt(_dump(secret)), mode=0o600)

    def _path(self, name: str) -> Path:
        return self._folder / f"{checked(name)}.yml"


class FileRecords:
    """Records beside the store: ``<folder>/rotations/<name>.jsonl``."""

    def __init__(self, folder: str | Path, clock: Clock | None = None) -> None:
        self._folder = Path(folder).expanduser() / ROTATIONS
        self._clock = clock or Clock()

    def entries(self, name: str) -> list[dict[str, Any]]:
        return self._journal(name).read()

    def rotation(self, name: str) -> Rotation | None:
        return policy.fold(self.entries(name))

    def write(self, name: str, kind: str, **fields: object) -> None:
        make_folder(self._path(name).parent)
        self._journal(name).append(kind, **fields)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        with locked(self._path(name), wait=False):
            yield

    def _journal(self, name: str) -> Journal:
        return Journal(self._path(name), self._clock)

    def _path(self, name: str) -> Path:
        return self._folder / f"{checked(name)}.jsonl"


def checked(name: str) -> str:
    """A name that stays inside the folder."""
    if not _NAME.fullmatch(name) or name.split("/")[0] == ROTATIONS:
        raise OpsError(
            f"{name!r} cannot name a secret: use lower case letters, digits, '_', '.' and '-', with '/' between parts; the first part is not {ROTATIONS}."
        )
    return name


def make_folder(folder: Path) -> None:
    """Every folder that is made on the way is the owner's alone, which mkdir(parents=True) does not do."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock beside a file; the kernel gives it back when this process ends, however it ends."""
    make_folder(path.parent)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError as error:
        raise OpsError(f"Another run is at work on {path.name} right now. Wait until it has ended, then run again.") from error
    finally:
        os.close(handle)


def _dump(secret: Secret) -> str:
    return json.dumps({"schema": SCHEMA, **asdict(secret)}, indent=2) + "\n"


def _load(path: Path, text: str) -> Secret:
    try:
        data = json.loads(text)
        schema = data.pop("schema")
        if schema != SCHEMA:
            raise OpsError(f"{path} has schema {schema}, this version of groundcrew.ops reads schema {SCHEMA}: update the collection.")
        labels = {label: Version(**data[label]) if data[label] else None for label in ("current", "previous", "pending")}
        return Secret(**{**data, **labels, "recipe": Recipe(**{**data["recipe"], "users": tuple(data["recipe"]["users"])})})
    except (ValueError, KeyError, TypeError) as error:
        # The text is not part of the message: it may hold a value.
        raise OpsError(f"{path} was decrypted, but it is not a secret that groundcrew.ops wrote.") from error
