# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy verify_set: consumers accept a set of keys, so a key is accepted everywhere before anybody signs with it."""

from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider, Store


class VerifySet(Provider):
    """A Provider without a server: what the consumers accept is what the store says, as soon as they acknowledge it."""

    strategy = "verify_set"
    accepted_by_consumers = True

    def __init__(self, name: str, store: Store) -> None:
        self._name = name
        self._store = store

    def make(self, secret: Secret, version_id: str) -> Value:
        return policy.next_value(secret, version_id)

    def check(self, old: Version) -> None:
        self.works(old)

    def accept(self, new: Version) -> None:
        """A pending key is in the set from the moment it is stored."""

    def test(self, old: Version, new: Version) -> None:
        if not (keys.proven(new.parts, old.parts) and keys.proven(old.parts, new.parts)):
            raise OpsError(f"The new key of {self._name} does not accept what it signed, or accepts what the old one signed.")

    def works(self, credential: Version) -> None:
        another = keys.make("HS256", "another", 256) if credential.part("kty") == "oct" else keys.make(credential.part("alg"), "another", 0)
        if not keys.proven(credential.parts, another):
            raise OpsError(f"The key {credential.id} of {self._name} does not accept what it signed.")

    def uses(self, old: Version) -> int:
        """Nobody can be asked which tokens are about: the time of grace is at least as long as they live."""
        return 0

    def disable(self, old: Version) -> None:
        self._store.accept_previous(self._name, old.id, False)

    def enable(self, old: Version) -> None:
        self._store.accept_previous(self._name, old.id, True)

    def withdraw(self, new: Version) -> None:
        """It leaves the set with the pending version."""

    def destroy(self, old: Version) -> None:
        """No consumer accepts it any more: they have acknowledged a set without it."""
