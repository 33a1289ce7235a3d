# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation needs from outside, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Rotation, Secret, Value, Version


class Cipher(Protocol):
    """Keeps the content of a file from everyone who has not the key."""

    def encrypt(self, text: str) -> str: ...

    def decrypt(self, sealed: str) -> str: ...


class Store(Protocol):
    """Where secrets are kept. Each call is atomic; a lost race raises OpsError."""

    def names(self) -> list[str]: ...

    def get(self, name: str) -> Secret | None: ...

    def create(self, secret: Secret) -> None:
        """Refuses when it exists."""

    def amend(self, name: str, recipe: Recipe) -> None:
        """Change how the next values are made; the current one stays."""

    def stage(self, name: str, pending: Version) -> None:
        """Keep a pending version. The same id again changes nothing; another pending one is refused."""

    def drop_pending(self, name: str, version_id: str) -> None:
        """Forget a pending version; nothing happens when it is not there."""

    def promote(self, name: str, old: str, new: str) -> None:
        """Make pending ``new`` current, if ``old`` still is; the old one stays accepted. Done already: nothing happens."""

    def accept_previous(self, name: str, version_id: str, accepted: bool) -> None:
        """Whether consumers of a set are to accept the previous version, which has to be this one."""

    def delete(self, name: str) -> None: ...


class Records(Protocol):
    """The journal of each secret's rotations."""

    def names(self) -> list[str]:
        """Of the secrets that have one, also of those that were removed."""

    def entries(self, name: str) -> list[dict[str, Any]]:
        """Every entry, oldest first. Raises OpsError where one was changed or removed."""

    def rotation(self, name: str) -> Rotation | None:
        """The latest one."""

    def write(self, name: str, kind: str, **fields: object) -> None:
        """Returns once it is on disk."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """One process at a time works at a secret's rotation; a second one is refused. Ends with the process."""


class Provider(Protocol):
    """The side that accepts a credential: its strategy decides how two are accepted at once.

    Every call may be repeated. Doubt raises OpsError.
    accepted_by_consumers: the consumers themselves accept or refuse it, so each change waits for their acknowledgement.
    in_use: what ``uses`` counts, in words.
    """

    strategy: str
    accepted_by_consumers: bool
    in_use: str = "sessions of the old credential are open"

    def listed(self) -> list[str] | None:
        """The ids of its credentials, where the provider makes them itself; None where we do."""
        return None

    def discard(self, ids: list[str]) -> None:
        """Remove credentials whose secret nobody heard. Asked only of a provider that lists them."""
        return

    def make(self, secret: Secret, version_id: str) -> Value:
        """The new value. Asked for once in a rotation, unless the run was killed before it was stored."""

    def check(self, old: Version) -> None:
        """The old credential works, and there is what it takes to make a second."""

    def accept(self, new: Version) -> None:
        """Accept the new credential beside the old one."""

    def test(self, old: Version, new: Version) -> None:
        """Prove that the new one logs in, may do what the old one may, and that a wrong one is refused."""

    def uses(self, old: Version) -> int:
        """How many sessions of the old credential are open."""

    def works(self, credential: Version) -> object:
        """Prove that a credential still logs in."""

    def disable(self, old: Version) -> None:
        """Stop accepting the old one, reversibly, and end its sessions."""

    def enable(self, old: Version) -> None:
        """Undo ``disable``."""

    def withdraw(self, new: Version) -> None:
        """Undo ``accept``."""

    def destroy(self, old: Version) -> None:
        """Take the old credential away for good, and prove that it is refused."""


class AccessKeys(Protocol):
    """The keys of one user, as their issuer has them: it makes each together with its secret, which it tells once.

    where: what they are the keys of, in words.
    """

    where: str

    def listed(self) -> list[str]: ...

    def create(self, version_id: str, beside: str) -> dict[str, str]:
        """A second key with the rights of ``beside``: ``access_key`` and ``secret_key``. Raises AmbiguousError where the answer got lost."""

    def accepted(self, value: Mapping[str, str]) -> bool:
        """Whether a request with it is let in. Raises OpsError for an answer that is neither yes nor no."""

    def used(self, key: str) -> str | None:
        """When it was used last; None for never, and where that is not told."""

    def block(self, key: str, blocked: bool) -> None:
        """Stop accepting it, reversibly, or accept it again; nothing where the issuer has no such thing."""

    def delete(self, key: str) -> None:
        """Done already: nothing happens."""
