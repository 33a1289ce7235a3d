# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of secrets and their rotation: pure, so that each is a table in a test."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import string
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Rotation, Secret, State, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import DAY, Schedule, told

ENTROPY_BITS = 192
# Letters and digits need no quoting in a URL, a shell, YAML or an env file.
ALPHABET = string.ascii_letters + string.digits
# Two users of a server take turns.
USER_KINDS = ("database_user", "redis_user", "managed_user")
# Their issuer makes them, so the first one has to be given. Of some, by these fields.
ISSUED: Mapping[str, tuple[str, ...]] = {"api_key": (), "access_key": ("access_key", "secret_key"), "managed_user": ("username", "password")}
KINDS = ("password", *USER_KINDS, "signing_key", "api_key", "access_key")

_IN_TWO: Mapping[str, tuple[State, ...]] = {
    "begin": (State.PREFLIGHT, State.CREATED, State.SET, State.TESTED, State.PUBLISHED),
    "publish": (),
    "finish": (State.PROPAGATED, State.GRACE, State.DISABLED, State.OBSERVED, State.DESTROYED),
    "close": (),
}
# What is done in one go: between two phases consumers switch. In a set of keys they are who accepts, so they switch three times: they
# accept the new key, sign with it, and no longer accept the old one.
PHASES: Mapping[str, Mapping[str, tuple[State, ...]]] = {
    "dual_user": _IN_TWO,
    "dual_credential": _IN_TWO,
    "assisted": _IN_TWO,
    "cutover": _IN_TWO,
    "verify_set": {
        "begin": (State.PREFLIGHT, State.CREATED),
        "publish": (State.SET, State.TESTED, State.PUBLISHED),
        "finish": (State.PROPAGATED, State.GRACE, State.DISABLED),
        "close": (State.OBSERVED, State.DESTROYED),
    },
}

_NAMESPACE = uuid.UUID("6f3b1c52-6a0e-5f53-9d57-0a8f6f2d7c11")


def recipe(kind: str, entropy_bits: int, alphabet: str, users: Sequence[str], algorithm: str = "HS256") -> Recipe:
    """A recipe that can be followed. Raises OpsError for one that cannot."""
    if len(set(alphabet)) != len(alphabet) or len(alphabet) < 10:
        raise OpsError("The alphabet must hold at least 10 characters, each of them once.")
    if not all(33 <= ord(character) <= 126 for character in alphabet):
        raise OpsError("The alphabet may hold printable ASCII characters only, without the space.")
    if entropy_bits < 128:
        raise OpsError(f"entropy_bits is {entropy_bits}; fewer than 128 bits can be guessed.")
    if kind in USER_KINDS and len(set(users)) != 2:
        raise OpsError(f"A secret of kind {kind} needs users with exactly two different names: they take turns.")
    if kind not in USER_KINDS and users:
        raise OpsError(f"A secret of kind {kind} has no users.")
    return Recipe(kind, entropy_bits, alphabet, tuple(users), algorithm if kind == "signing_key" else "")


def length(wanted: Recipe) -> int:
    """How many characters give the entropy."""
    return math.ceil(wanted.entropy_bits / math.log2(len(wanted.alphabet)))


def generate(wanted: Recipe, version_id: str, username: str | None = None, choose: Callable[[str], str] = secrets.choice) -> Value:
    """A new value. ``username`` is the user of a server that it is for; version_id names a signing key."""
    if wanted.kind == "signing_key":
        return keys.make(wanted.algorithm, version_id, wanted.entropy_bits)
    if wanted.kind in ISSUED:
        raise OpsError(f"A secret of kind {wanted.kind} is made by its issuer: give its value.")
    password = "".join(choose(wanted.alphabet) for _position in range(length(wanted)))
    if wanted.kind == "password":
        return password
    return {"username": username or wanted.users[0], "password": password}


def next_value(secret: Secret, version_id: str) -> Value:
    """The value that a rotation makes."""
    return generate(secret.recipe, version_id, other_user(secret) if secret.recipe.kind in USER_KINDS else None)


def accepted_keys(secret: Secret) -> list[dict[str, str]]:
    """The keys that consumers of a signing key accept, the one they sign with first."""
    versions = (secret.current, secret.pending, secret.previous if secret.previous_accepted else None)
    return [version.parts for version in versions if version is not None]


def keyset(secret: Secret) -> str:
    return keys.keyset(secret.current.parts, accepted_keys(secret))


def consumed_fingerprint(secret: Secret) -> str:
    """What a consumer acknowledges that reads the secret now: the current value, or the whole set of keys."""
    if secret.recipe.kind == "signing_key":
        return fingerprint(keyset(secret), secret.current.salt)
    return secret.current.fingerprint


def fingerprint(value: Value, salt: str) -> str:
    """Identify a value without telling anything about it; equal values with different salts differ."""
    content = json.dumps(value, sort_keys=True).encode()
    return hmac.new(salt.encode(), content, hashlib.sha256).hexdigest()


def version(value: Value, version_id: str, now: float, salt: str) -> Version:
    return Version(version_id, round(now, 3), salt, fingerprint(value, salt), value)


def other_user(secret: Secret) -> str:
    """Whose turn it is next."""
    current = secret.current.part("username")
    if current not in secret.recipe.users:
        raise OpsError(f"The current user {current} of {secret.name} is none of its users {', '.join(secret.recipe.users)}: the secret was changed by hand.")
    return next(user for user in secret.recipe.users if user != current)


def age_days(secret: Secret, now: float) -> float:
    """Days since the current version was made. A clock that was set back gives 0, not a negative age."""
    return max(now - secret.current.created, 0.0) / DAY


def facts(secret: Secret, rotation: Rotation | None, now: float, schedule: Schedule) -> dict[str, Any]:
    """What may be told about a secret: never its value.

    state: of the rotation in progress, or STEADY. proven: when the current version was last seen at work. consumers: of the latest rotation.
    """
    created, who = secret.current.created, secret.current.id
    return {
        "name": secret.name,
        "kind": secret.recipe.kind,
        "version": secret.current.id,
        "fingerprint": consumed_fingerprint(secret),
        "age_days": round(age_days(secret, now), 2),
        "due": schedule.due(created, who, now),
        "late": schedule.late(created, now),
        "max_age_days": schedule.max_age_days,
        "next_due": told(schedule.next_due(created, who)),
        "strategy": rotation.strategy if rotation is not None else None,
        "consumers": list(rotation.consumers) if rotation is not None else [],
        "proven": told(_proven(rotation, who)),
        "state": rotation.state.value if rotation is not None and rotation.live else "STEADY",
    }


def _proven(rotation: Rotation | None, version_id: str) -> float | None:
    if rotation is None or rotation.new != version_id:
        return None
    return rotation.entered.get(State.OBSERVED, rotation.entered.get(State.TESTED))


def pending_id(rotation_id: str) -> str:
    """The id of the version that a rotation makes: the same after every restart, so that it is made once."""
    return str(uuid.uuid5(_NAMESPACE, rotation_id))


def remaining(rotation: Rotation, phase: Sequence[State]) -> tuple[State, ...]:
    """The states of a phase that a live rotation has not completed."""
    if not rotation.live:
        return ()
    return tuple(state for state in phase if state.order > rotation.state.order)


def missing(rotation: Rotation, expected: str) -> list[str]:
    """The consumers that have not acknowledged the expected fingerprint, each with what they said."""
    left = []
    for consumer in rotation.consumers:
        said = rotation.acknowledged.get(consumer)
        if said is None:
            left.append(f"{consumer} (said nothing)")
        elif not hmac.compare_digest(said.encode(), expected.encode()):
            left.append(f"{consumer} (uses {said[:12]}, not {expected[:12]})")
    return left


def fold(entries: Iterable[Mapping[str, Any]]) -> Rotation | None:
    """The latest rotation in a journal, None when there never was one."""
    rotation: Rotation | None = None
    for entry in entries:
        if entry["kind"] == "planned":
            rotation = Rotation(
                id=entry["rotation"],
                secret=entry["secret"],
                strategy=entry["strategy"],
                consumers=tuple(entry["consumers"]),
                old=entry["old"],
                new=entry["new"],
                state=State.PLANNED,
                entered={State.PLANNED: entry["at"]},
            )
            continue
        if rotation is None:
            raise OpsError("The rotation journal does not begin with a plan: lines were removed from it.")
        rotation = _continue(rotation, entry)
    return rotation


def _continue(rotation: Rotation, entry: Mapping[str, Any]) -> Rotation:
    kind = entry["kind"]
    if kind == "completed":
        state = State(entry["state"])
        outcome = "done" if state is State.DESTROYED else None
        return replace(rotation, state=state, outcome=outcome, entered={**rotation.entered, state: entry["at"]})
    if kind == "seen":
        return replace(rotation, seen=tuple(entry["ids"]))
    if kind == "acknowledged":
        return replace(rotation, acknowledged={**rotation.acknowledged, entry["consumer"]: entry["fingerprint"]})
    if kind == "went_back":
        if State(entry["state"]) is State.PLANNED:
            return replace(rotation, outcome="back")
        return replace(rotation, state=State(entry["state"]))
    return rotation
