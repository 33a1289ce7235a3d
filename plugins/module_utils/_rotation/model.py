# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a secret is, and where its rotation stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Union

Value = Union[str, "dict[str, str]"]


class State(str, Enum):
    """The states of a rotation, in their order. Everything old still works until DISABLED."""

    PLANNED = "PLANNED"
    PREFLIGHT = "PREFLIGHT"
    CREATED = "CREATED"
    SET = "SET"
    TESTED = "TESTED"
    PUBLISHED = "PUBLISHED"
    PROPAGATED = "PROPAGATED"
    GRACE = "GRACE"
    DISABLED = "DISABLED"
    OBSERVED = "OBSERVED"
    DESTROYED = "DESTROYED"

    @property
    def order(self) -> int:
        return list(State).index(self)


@dataclass(frozen=True)
class Recipe:
    """How the values of a secret are made.

    kind: "password" (a string), "database_user" or "redis_user" (a dict with ``username`` and ``password``), or "signing_key" (a private
        JSON Web Key). An "api_key" (a string), an "access_key" (``access_key`` and ``secret_key``) and a "managed_user" (as a database_user) are
        made by their issuer.
    entropy_bits: the least entropy of a generated password.
    alphabet: the characters it is drawn from, each equally likely.
    users: the two users of a server that take turns; empty for a password.
    """

    kind: str
    entropy_bits: int
    alphabet: str
    users: tuple[str, ...] = ()
    algorithm: str = ""  # of a signing key


@dataclass(frozen=True)
class Version:
    """One value of a secret. ``repr`` never shows the value.

    created: seconds since the epoch.
    fingerprint: HMAC-SHA-256 of the value with this version's salt, in hexadecimal.
    """

    id: str
    created: float
    salt: str
    fingerprint: str
    value: Value = field(repr=False)

    @property
    def parts(self) -> dict[str, str]:
        """A dict value."""
        if not isinstance(self.value, dict):
            raise TypeError("this secret is a string without fields")
        return self.value

    def part(self, name: str) -> str:
        """A field of a dict value."""
        return self.parts[name]


@dataclass(frozen=True)
class Secret:
    """A secret as its store keeps it.

    current: what consumers use; previous: what they used before; pending: made by a rotation, not published yet.
    previous_accepted: whether consumers are still to accept ``previous``, of a signing key.
    """

    name: str
    recipe: Recipe
    current: Version
    previous: Version | None = None
    pending: Version | None = None
    previous_accepted: bool = False

    def version(self, which: str) -> Version | None:
        """A version by its label or its id."""
        labels = {"current": self.current, "previous": self.previous, "pending": self.pending}
        if which in labels:
            return labels[which]
        return next((version for version in labels.values() if version is not None and version.id == which), None)


@dataclass(frozen=True)
class Rotation:
    """A rotation as its journal tells it.

    state: the last state that was completed.
    outcome: None while it is in progress, "done", or "back".
    old, new: version ids.
    entered: when each completed state was entered, in seconds since the epoch.
    acknowledged: consumers that said which fingerprint they use now.
    seen: the ids that the provider listed before it was asked for a new credential; None when it was not yet.
    """

    id: str
    secret: str
    strategy: str
    consumers: tuple[str, ...]
    old: str
    new: str
    state: State
    outcome: str | None = None
    entered: dict[State, float] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)
    seen: tuple[str, ...] | None = None

    @property
    def live(self) -> bool:
        return self.outcome is None

    def summary(self) -> dict[str, Any]:
        return {"id": self.id, "state": self.state.value, "outcome": self.outcome, "old": self.old, "new": self.new}
