# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy dual_user: two users of one server take turns, so both credentials work at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Provider


class Logins(Protocol):
    """A server's logins, wherever they can be reached from."""

    server: str  # how its operator calls it

    def ensure(self, name: str, password: str, state: str) -> None:
        """enabled, disabled or retired; read back before it returns."""

    def look(self, name: str, password: str | None = None, compare_with: str | None = None) -> Mapping[str, Any]:
        """What can be proven about a login."""


class DualUser(Provider):
    """A Provider. owner: the role that both users act as, where the server has such a thing."""

    strategy = "dual_user"
    accepted_by_consumers = False

    def __init__(self, logins: Logins, owner: str | None = None) -> None:
        self._logins = logins
        self._owner = owner

    def make(self, secret: Secret, version_id: str) -> Value:
        return policy.next_value(secret, version_id)

    def check(self, old: Version) -> None:
        seen = self.works(old)
        if not seen.get("may_create_logins", True):
            raise OpsError(f"The administrator of {self._logins.server} has no CREATEROLE: a second user cannot be prepared.")

    def accept(self, new: Version) -> None:
        self._ensure(new, "enabled")

    def test(self, old: Version, new: Version) -> None:
        seen = self.works(new, compare_with=old.part("username"))
        if seen["differences"]:
            remedy = "Give both the same rules."
            if self._owner:
                remedy = f"Grant to {self._owner} what one of them has alone (what one of them owns: REASSIGN OWNED BY … TO {self._owner})."
            raise OpsError(
                f"{old.part('username')} and {new.part('username')} do not have the same rights: {'; '.join(seen['differences'])}. {remedy}",
                differences=seen["differences"],
            )

    def works(self, credential: Version, compare_with: str | None = None) -> Mapping[str, Any]:
        name = credential.part("username")
        seen = self._logins.look(name, credential.part("password"), compare_with)
        if not seen["accepted"]:
            raise OpsError(f"{self._logins.server} refuses the login of {name} with the stored password.")
        if not seen["wrong_refused"]:
            raise OpsError(f"{self._logins.server} lets {name} in with a wrong password: a login proves nothing there (pg_hba.conf: 'trust'; Redis: 'nopass').")
        if self._owner and seen["effective_user"] != self._owner:
            raise OpsError(f"{name} acts as {seen['effective_user']} after its login, not as {self._owner}.")
        return seen

    def uses(self, old: Version) -> int:
        return int(self._logins.look(old.part("username"))["sessions"])

    def disable(self, old: Version) -> None:
        self._ensure(old, "disabled")

    def enable(self, old: Version) -> None:
        self._ensure(old, "enabled")

    def withdraw(self, new: Version) -> None:
        self._ensure(new, "retired")

    def destroy(self, old: Version) -> None:
        self._ensure(old, "retired")

    def _ensure(self, credential: Version, state: str) -> None:
        self._logins.ensure(credential.part("username"), credential.part("password"), state)
