# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies for values that a rotation does not make accepted itself: assisted (an operator did) and cutover (nobody can, there is a gap)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider

_WRONG = "a-key-that-nobody-issued"


@dataclass(frozen=True)
class Probe:
    """A request that tells whether a key is accepted: a GET with the key in a header."""

    url: str
    header: str = "Authorization"
    prefix: str = "Bearer "

    def accepted(self, value: Value) -> bool:
        """Raises OpsError for an answer that is neither yes (2xx) nor no (401, 403)."""
        status = Http(self.url, headers={self.header: f"{self.prefix}{value}"}, attempts=3).request("GET", "").status
        if status in (401, 403):
            return False
        if 200 <= status < 300:
            return True
        raise OpsError(f"{self.url} answered {status}, which says neither that the key is accepted nor that it is refused.")


class Assisted(Provider):
    """A Provider for keys that their issuer has no interface to make, or that are made elsewhere.

    supplied: the new key, of the one run that begins the rotation.
    """

    strategy = "assisted"
    accepted_by_consumers = False

    def __init__(self, probe: Probe, supplied: str | None) -> None:
        self._probe = probe
        self._supplied = supplied

    def make(self, secret: Secret, version_id: str) -> Value:
        if not self._supplied:
            raise OpsError(f"The new key of {secret.name} has to be supplied: have its issuer make one beside the old, then run again with it.")
        if self._supplied == secret.current.value:
            raise OpsError(f"The key supplied for {secret.name} is the one that it has.")
        return self._supplied

    def check(self, old: Version) -> None:
        if self._probe.accepted(_WRONG):
            raise OpsError(f"{self._probe.url} accepts a key that nobody issued, so it proves nothing. Name an address that asks for the key.")
        self.works(old)

    def accept(self, new: Version) -> None:
        """Its issuer did."""

    def test(self, old: Version, new: Version) -> None:
        self.works(new)

    def works(self, credential: Version) -> None:
        if not self._probe.accepted(credential.value):
            raise OpsError(f"{self._probe.url} refuses the version {credential.id}.")

    def uses(self, old: Version) -> int:
        """Only the issuer knows."""
        return 0

    def disable(self, old: Version) -> None:
        """Only the issuer can."""

    def enable(self, old: Version) -> None:
        """Nothing was disabled."""

    def withdraw(self, new: Version) -> None:
        """The issuer's list may show one key more than is in use."""

    def destroy(self, old: Version) -> None:
        if self._probe.accepted(old.value):
            raise OpsError(f"Everything has moved to the new key, but {self._probe.url} still accepts the old one: have its issuer revoke it, then run again.")


class Cutover(Provider):
    """A Provider for a value that exists in one place: between its change and its consumers' there is a gap."""

    strategy = "cutover"
    accepted_by_consumers = False

    def __init__(self, allow_auth_gap: bool) -> None:
        self._allowed = allow_auth_gap

    def make(self, secret: Secret, version_id: str) -> Value:
        return policy.next_value(secret, version_id)

    def check(self, old: Version) -> None:
        if not self._allowed:
            raise OpsError(
                "Only one value can be valid at a time, so from its change until the last consumer has switched, consumers with different values refuse each"
                " other. Allow that with allow_auth_gap, or use a kind of secret that two can be valid of."
            )

    def accept(self, new: Version) -> None:
        """Nobody accepts it before it is current."""

    def test(self, old: Version, new: Version) -> None:
        """There is nothing to log in to."""

    def works(self, credential: Version) -> Mapping[str, object]:
        return {}

    def uses(self, old: Version) -> int:
        return 0

    def disable(self, old: Version) -> None:
        """It was replaced."""

    def enable(self, old: Version) -> None:
        """It was replaced."""

    def withdraw(self, new: Version) -> None:
        """Nobody knows it."""

    def destroy(self, old: Version) -> None:
        """It was replaced."""
