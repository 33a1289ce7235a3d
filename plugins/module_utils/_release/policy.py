# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a release, pure: its identity, which slot is next, what to keep."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    SLOTS,
    ComposeFile,
    Migration,
    Occupant,
    Release,
    Schema,
    Secret,
    Server,
    Service,
    Slot,
    State,
    SupportFile,
)

_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|PRIVATE", re.IGNORECASE)
_CREDENTIAL_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def make_release(
    version: str,
    images: Mapping[str, str],
    files: Sequence[ComposeFile],
    environment: Mapping[str, str],
    secrets: Sequence[Secret],
    services: Sequence[Service],
    migration: Migration | None,
    concealed: Sequence[str] = (),
    support: Sequence[SupportFile] = (),
    schema: Schema | None = None,
) -> Release:
    """Name a release after everything that decides what runs.

    The number of replicas is no part of the identity: it is how much runs, not what.
    """
    content = {
        "version": version,
        "images": dict(images),
        "files": [[file.name, _sha256(file.content)] for file in files],
        "support": [[file.name, file.mode, _sha256(file.content)] for file in support],
        # Environment values can be weak secrets, and the identity is public: make guessing them expensive.
        "environment": _slow_hash(json.dumps(dict(environment), sort_keys=True)),
        "secrets": sorted(secret.reference for secret in secrets),
        "services": [{**dataclasses.asdict(service), "replicas": None} for service in services],
        "migration": dataclasses.asdict(migration) if migration else None,
        "schema": dataclasses.asdict(schema) if schema else None,
    }
    identity = f"{version}-{_sha256(json.dumps(content, sort_keys=True))[:10]}"
    return Release(
        identity,
        version,
        dict(images),
        tuple(files),
        dict(environment),
        tuple(secrets),
        tuple(services),
        migration,
        tuple(concealed),
        tuple(support),
        schema,
    )


def next_slot(active: Occupant | None) -> str:
    """The slot that does not serve."""
    return SLOTS[1] if active and active.slot == SLOTS[0] else SLOTS[0]


def wanted_states(slots: Mapping[str, Slot], servers: Mapping[str, Server], active: Occupant | None) -> dict[str, str]:
    """What the state of every server should be at rest; the ready ones first, so that something is always ready."""
    ready = slots[active.slot].servers(active.servers) if active else ()
    return {**dict.fromkeys(ready, "ready"), **{name: "maint" for name in sorted(servers) if name not in ready}}


def weights(share: float, new: Sequence[str], old: Sequence[str]) -> dict[str, int]:
    """HAProxy's weights (1 to 256) that give the new servers a share of the traffic, in percent, whatever the number of servers on each side."""
    ratio = share / max(100.0 - share, 0.01) * len(old) / len(new)
    fine = 256 / max(ratio, 1.0)
    return {**dict.fromkeys(new, max(round(ratio * fine), 1)), **dict.fromkeys(old, max(round(fine), 1))}


def commit(committed: Sequence[str], active: str | None, target: str, origin: str | None, *, rollback: bool = False) -> tuple[str, ...]:
    """The history after a release was committed.

    What was rolled back to keeps its place, so that rolling back twice does not go forward again; one that was derived from another
    (same content, newer secrets) takes that one's place. What was deployed becomes the newest, also when it was committed before,
    with what it replaced right before it.
    """
    if target == active or (rollback and target in committed):
        return tuple(committed)
    if rollback and origin in committed:
        return tuple(target if each == origin else each for each in committed)
    return (*(each for each in committed if each not in (active, target)), *((active,) if active in committed else ()), target)


def rollback_target(state: State, wanted: str | None) -> str:
    """The release to go back to: the named one, or the last committed before the active one.

    While another one is in progress, on this host or only on others of the fleet so far, that one is what is gone back from.
    """
    if wanted is not None:
        if wanted in state.committed:
            return wanted
        raise OpsError(
            f"Release {wanted} was never committed on this host or is no longer kept; kept are {', '.join(state.committed) or 'none'}.",
            kept=list(state.committed),
        )
    if state.active and state.pending:
        return state.active.release
    if state.active is None or state.active.release not in state.committed:
        raise OpsError("No committed release is active on this host, so there is none before it. Deploy first.")
    position = state.committed.index(state.active.release)
    if position == 0:
        raise OpsError(
            f"There is no committed release before {state.active.release} on this host. Name one of {', '.join(state.committed)}.", kept=list(state.committed)
        )
    return state.committed[position - 1]


def goes_forward(state: State, target: str, resume: str, elsewhere: Sequence[str]) -> bool:
    """Whether a release that was left in progress is finished, and not taken back.

    Only once it had traffic: then, when it is the one that is asked for, another host of the fleet has committed it, or it was said so;
    and when there is nothing to go back to.
    """
    pending = state.pending
    if pending is None or pending.state not in ("SWITCHED", "DRAINED", "BAKING") or resume == "back":
        return False
    return resume == "forward" or state.active is None or pending.target.release in (target, *elsewhere)


def migrated(state: State, release: Release) -> State:
    """The ledger after the migration of a release has run somewhere in the fleet. An older schema takes nothing away from a newer one."""
    newer = release.schema is not None and (state.schema is None or release.schema.version >= state.schema.version)
    ledger = state.migrated if release.id in state.migrated else (*state.migrated, release.id)
    return dataclasses.replace(state, migrated=ledger, schema=release.schema if newer else state.schema)


def schema_refusal(live: Schema | None, active: Release | None, target: Release, *, rollback: bool) -> str | None:
    """Why the schema forbids a release; None where it does not, or where a release declares nothing."""
    wanted = target.schema
    if wanted and live and wanted.version < live.oldest:
        return (
            f"Release {target.id} knows version {wanted.version} of the database's schema, which is at {live.version} and works with releases of {live.oldest}"
            " and later. Choose a later release, or restore a backup from before that migration."
        )
    serving = active.schema if active else None
    if not rollback and wanted and serving and active and serving.version < wanted.oldest:
        return (
            f"Release {target.id} would bring the schema to version {wanted.version}, with which releases before {wanted.oldest} no longer work, but"
            f" {active.id}, which serves until the switch, is at {serving.version}. First release a version that works with both."
        )
    return None


def kept(state: State, keep: int) -> tuple[str, ...]:
    """The committed releases that stay startable: the newest ones, and always what serves and the one before it."""
    newest = set(state.committed[-keep:])
    if state.active and state.active.release in state.committed:
        position = state.committed.index(state.active.release)
        newest |= set(state.committed[max(position - 1, 0) : position + 1])
    return tuple(each for each in state.committed if each in newest)


def describe(release: Release | None) -> dict[str, Any] | None:
    """A release as a diff shows it; secrets as versions, values that look secret as fingerprints."""
    if release is None:
        return None
    return {
        "release": release.id,
        "images": dict(release.images),
        "files": {
            **{file.name: _sha256(file.content)[:12] for file in release.files},
            **{file.name: _sha256(file.content)[:12] for file in release.support},
        },
        "environment": {
            name: fingerprint(value) if name in release.concealed or looks_secret(name, value) else value for name, value in sorted(release.environment.items())
        },
        "secrets": sorted(secret.reference for secret in release.secrets),
        "replicas": release.replicas,
        "migration": " ".join(release.migration.command) if release.migration else None,
    }


def looks_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name) and not name.endswith("_FILE")) or bool(_CREDENTIAL_IN_URL.search(value))


def fingerprint(value: str) -> str:
    """Tells two values apart and gives neither away: slow to compute and cut short."""
    return f"fingerprint:{_slow_hash(value)[:8]}"


def _slow_hash(text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"groundcrew.ops release", 50_000).hex()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
