# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret as a noun: it is made once, and never overwritten."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Secret, Value
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Records, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import Schedule


class SecretNoun:
    """wanted: None when the secret should not exist. value: what it begins with; without it that is generated."""

    def __init__(self, name: str, wanted: Recipe | None, store: Store, records: Records, clock: Clock | None = None, value: Value | None = None) -> None:
        self._name = name
        self._wanted = wanted
        self._store = store
        self._records = records
        self._clock = clock or Clock()
        self._value = value

    def read(self) -> State | None:
        secret = self._store.get(self._name)
        if secret is None:
            return None
        told = policy.facts(secret, self._records.rotation(self._name), self._clock.now(), Schedule())
        return {**_comparable(secret.recipe), **{key: told[key] for key in ("version", "fingerprint", "age_days", "state")}}

    def desired(self, current: State | None) -> State | None:
        if self._wanted is None:
            if current is not None and current["state"] != "STEADY":
                raise OpsError(f"The secret {self._name} is being rotated ({current['state']}): finish or take back the rotation before it is removed.")
            return None
        wanted = _comparable(self._wanted)
        if current is None and self._wanted.kind in policy.ISSUED and not self._value:
            raise OpsError(f"The secret {self._name} is made by its issuer: give its value, once.")
        if current is not None and any(current[key] != wanted[key] for key in ("kind", "users", "algorithm")):
            about = " ".join(filter(None, [current["kind"], current["algorithm"], ", ".join(current["users"])]))
            raise OpsError(f"The secret {self._name} exists as {about}; it is never overwritten. Give the new one another name, or remove this one first.")
        return wanted

    def apply(self, planned: Plan) -> None:
        if self._wanted is None:
            self._store.delete(self._name)
        elif planned.verb == "create":
            version_id = str(uuid.uuid4())
            value = self._value or policy.generate(self._wanted, version_id)
            current = policy.version(value, version_id, self._clock.now(), secrets.token_hex(16))
            self._store.create(Secret(self._name, self._wanted, current))
        else:
            self._store.amend(self._name, self._wanted)

    def result(self, state: State | None) -> Mapping[str, Any]:
        seen = state or {}
        return {"secret": {"name": self._name, **{key: seen.get(key) for key in ("kind", "version", "fingerprint", "age_days", "state")}}}


def _comparable(recipe: Recipe) -> dict[str, Any]:
    return {**asdict(recipe), "users": list(recipe.users)}


def describe(name: str, store: Store, records: Records, schedule: Schedule, clock: Clock | None = None) -> dict[str, Any]:
    """What may be told about a secret that has to exist."""
    secret = store.get(name)
    if secret is None:
        raise OpsError(f"There is no secret {name} in the store.")
    return policy.facts(secret, records.rotation(name), (clock or Clock()).now(), schedule)
