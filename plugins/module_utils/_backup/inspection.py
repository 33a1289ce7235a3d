# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bucket is fit for backups: how it is configured, and whether its store does all that a backup needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.bucket import Bucket
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State, differences

ROLE = "Run the verb main of role backup_repository."
THERE = Check("repository.exists", "critical", "The bucket is there", ROLE)
VERSIONS = Check("repository.versioning", "high", "What is deleted or overwritten can be brought back", ROLE)
PRIVATE = Check("repository.public_access", "critical", "Nobody but those who are let in can read backups", ROLE)
ENCRYPTED = Check("repository.encryption", "medium", "The store encrypts what it keeps", f"{ROLE} Or seal backups on their way, with an encryption key.")
TIDY = Check("repository.lifecycle", "low", "The store removes unfinished uploads and old versions by itself", ROLE)
DECLARED = Check("repository.drift", "medium", "The bucket is configured as declared", f"{ROLE} It changes the bucket back; or declare what it is.")
USABLE = Check(
    "repository.usable", "critical", "The store does all that a backup needs", "Correct what the evidence names: the credentials, the bucket, or the store."
)


def inspect(bucket: Bucket, store: Store | None, name: str, prefix: str, *, declared: bool = False) -> list[Finding]:
    """Findings about a bucket. ``store``: given, it is written to and read from as a backup does. ``declared``: it has to be as ``bucket`` wants it."""
    try:
        state = bucket.read()
    except OpsError as error:
        return [THERE.judge(name, None, error.message)]
    if state is None:
        return [THERE.judge(name, False, "there is none of this name")]
    drift = [_drift(bucket, state, name)] if declared else []
    return [THERE.judge(name, True, "it can be read"), *_configured(state, name), *drift, *([_usable(store, name, prefix)] if store else [])]


def _configured(state: State, name: str) -> Iterator[Finding]:
    yield VERSIONS.judge(name, state["versioning"] == "enabled", f"versioning is {state['versioning']}")
    access: Any = state["public_access"]
    yield _known(PRIVATE, name, access, "public access", wrong="open")
    yield _known(ENCRYPTED, name, state["encryption"], "encryption", wrong="none")
    rule = state["lifecycle"]
    yield TIDY.judge(name, bool(rule) and "altered" not in rule, f"the rule says {dict(rule)}" if rule else "there is no such rule")


def _known(check: Check, name: str, value: Any, what: str, *, wrong: str) -> Finding:
    """A store that knows no such setting can have none."""
    return check.unjudged(name, f"the store knows no setting of {what}") if value == "unsupported" else check.judge(name, value != wrong, f"{what} is {value}")


def _drift(bucket: Bucket, state: State, name: str) -> Finding:
    try:
        found = differences(state, bucket.desired(state))
    except OpsError as error:
        return DECLARED.judge(name, False, error.message)
    told = "; ".join(f"{field} is {has}, declared is {should}" for field, (has, should) in sorted(found.items()))
    return DECLARED.judge(name, not found, told or "nothing differs")


def _usable(store: Store, name: str, prefix: str) -> Finding:
    """Write, read back, write on a condition, begin and abort an upload in parts, delete."""
    try:
        store.probe(prefix)
    except OpsError as error:
        return USABLE.judge(name, False, error.message)
    return USABLE.judge(name, True, "it was written to, read back, written on a condition, and an upload in parts was begun and aborted")
