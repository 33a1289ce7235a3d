# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret as text, and names that are safe as paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Secret, Value, Version
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Cipher

SCHEMA = 1
ROTATIONS = "rotations"
OURS = "groundcrew"  # the field of a value that others read, under which we keep what they do not need
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")


def checked(name: str) -> str:
    """A name that stays inside the store."""
    if not _NAME.fullmatch(name) or name.split("/")[0] == ROTATIONS:
        raise OpsError(
            f"{name!r} cannot name a secret: use lower case letters, digits, '_', '.' and '-', with '/' between parts; the first part is not {ROTATIONS}."
        )
    return name


class Sealed:
    """A secret as an encrypted text."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def write(self, secret: Secret) -> bytes:
        return self._cipher.encrypt(_dump(secret)).encode()

    def read(self, data: bytes, where: str) -> Secret:
        return _load(where, self._cipher.decrypt(data.decode()))


class Fields:
    """A secret as JSON whose fields are its current value, for whoever reads a store that encrypts by itself."""

    def write(self, secret: Secret) -> bytes:
        return json.dumps({**fields(secret.current.value), OURS: _dump(secret)}).encode()

    def read(self, data: bytes, where: str) -> Secret:
        content = json.loads(data)
        if OURS not in content:
            raise OpsError(f"{where} exists, but groundcrew.ops did not make it: give the secret another name or another prefix.")
        return _load(where, content[OURS])


def fields(value: Value) -> dict[str, str]:
    """What others find; a string is the field ``value``."""
    return dict(value) if isinstance(value, Mapping) else {"value": value}


def recipe(data: Mapping[str, Any]) -> Recipe:
    return Recipe(**{**data, "users": tuple(data["users"])})


def _dump(secret: Secret) -> str:
    return json.dumps({"schema": SCHEMA, **asdict(secret)}, indent=2) + "\n"


def _load(where: str, text: str) -> Secret:
    try:
        data = json.loads(text)
        schema = data.pop("schema")
        if schema != SCHEMA:
            raise OpsError(f"{where} has schema {schema}, this version of groundcrew.ops reads schema {SCHEMA}: update the collection.")
        labels = {label: Version(**data[label]) if data[label] else None for label in ("current", "previous", "pending")}
        return Secret(**{**data, **labels, "recipe": recipe(data["recipe"])})
    except (ValueError, KeyError, TypeError) as error:
        # The text is not part of the message: it may hold a value.
        raise OpsError(f"{where} was decrypted, but it is not a secret that groundcrew.ops wrote.") from error
