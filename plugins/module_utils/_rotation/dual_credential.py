# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy dual_credential: an issuer has two keys of one user for a while, and makes each itself."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import AccessKeys, Provider

ATTEMPTS = 3
# Seconds in which a key without an answer still becomes visible in a list, and in which what was changed is known everywhere.
SETTLE = 15.0
SPREAD = 90.0
LOOK_EVERY = 3.0


class DualCredential(Provider):
    """A Provider for access keys. The secret of a new one is in one answer only: where that was lost, so is the key."""

    strategy = "dual_credential"
    accepted_by_consumers = False
    in_use = "use of the old key was seen"

    def __init__(self, keys: AccessKeys, clock: Clock | None = None) -> None:
        self._keys = keys
        self._clock = clock or Clock()
        self._last_use: list[str | None] = []

    def listed(self) -> list[str]:
        return self._keys.listed()

    def discard(self, ids: list[str]) -> None:
        for key in ids:
            if self._keys.used(key) is not None:
                raise OpsError(
                    f"{self._keys.where} has the key {key}, which came while the new one was made and which somebody uses: it is not ours to remove."
                    " See whose it is, remove it there, then run again."
                )
            self._keys.delete(key)

    def make(self, secret: Secret, version_id: str) -> Value:
        before = self.listed()
        for _attempt in range(ATTEMPTS):
            try:
                return self._keys.create(version_id, beside=secret.current.part("access_key"))
            except AmbiguousError:
                self._settled(lambda: self._new_since(before) != [], SETTLE)
                self.discard(self._new_since(before))
        raise OpsError(f"Making a second key of {self._keys.where} got no answer {ATTEMPTS} times. See how its issuer is, then run again.")

    def check(self, old: Version) -> None:
        self.works(old)
        others = [key for key in self.listed() if key != _id(old)]
        if others:
            raise OpsError(f"{self._keys.where} has another key that no rotation made, {', '.join(others)}: see who uses it, and remove it.", keys=others)

    def accept(self, new: Version) -> None:
        """It was, when it was made."""

    def test(self, old: Version, new: Version) -> None:
        """Its rights are the old one's by the way it is made."""
        self._settled(lambda: self._keys.accepted(new.parts), SPREAD)
        self.works(new)
        if self._keys.accepted({**new.parts, "secret_key": new.part("secret_key")[::-1]}):
            raise OpsError(f"{self._keys.where}: a wrong secret is let in, so a right one proves nothing.")

    def works(self, credential: Version) -> None:
        if not self._keys.accepted(credential.parts):
            raise OpsError(f"{self._keys.where}: the key {_id(credential)} is refused.")

    def uses(self, old: Version) -> int:
        """Whether it was used since the first look."""
        self._last_use.append(self._keys.used(_id(old)))
        return int(self._last_use[-1] != self._last_use[max(len(self._last_use) - 2, 0)])

    def disable(self, old: Version) -> None:
        self._keys.block(_id(old), True)

    def enable(self, old: Version) -> None:
        self._keys.block(_id(old), False)

    def withdraw(self, new: Version) -> None:
        self._keys.delete(_id(new))

    def destroy(self, old: Version) -> None:
        self._keys.delete(_id(old))
        if not self._settled(lambda: not self._keys.accepted(old.parts), SPREAD):
            raise OpsError(f"{self._keys.where}: the key {_id(old)} was deleted and is still accepted after {SPREAD:g} s. Run again.")

    def _new_since(self, before: list[str]) -> list[str]:
        return [key for key in self.listed() if key not in before]

    def _settled(self, done: Callable[[], bool], seconds: float) -> bool:
        """Whether it came to be within its time."""
        deadline = self._clock.monotonic() + seconds
        while not (there := done()) and self._clock.monotonic() < deadline:
            self._clock.sleep(LOOK_EVERY)
        return there


def _id(version: Version) -> str:
    return version.part("access_key")
