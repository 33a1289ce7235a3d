# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of a Redis or Valkey server: a stream to the store, what the server held before and after, and the manifest last."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, redis_dump, redis_truth
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.growing import Content
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import LIFE, Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    FORMAT,
    DatabaseSettings,
    Entry,
    Identity,
    Manifest,
    ObjectRecord,
    TableTruth,
    Truth,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.progress import Telling
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import SUFFIX, Sealer, bound
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection

SNAPSHOT, COMMANDS, TRUTH = "data/dump.rdb", "data/keys.resp", "truth.json"
METHODS = ("auto", "snapshot", "keys")
PART = 8 * 1024 * 1024
# A server has no encoding, no collation and no owner.
NO_SETTINGS = DatabaseSettings("", "", "", "", "", None)


@dataclass(frozen=True)
class RedisBackupJob:
    """What to back up, and how.

    name, system_id: what the backups are called; a server has no identifier that outlives it.
    method: snapshot (RDB), keys (each one at its own moment), or auto for a snapshot where the server gives one.
    sample: how many keys are compared later.
    max_age: seconds; a verified backup younger than that makes another one needless.
    telling: where to tell how far the run is.
    """

    server: Connection
    name: str
    prefix: str
    system_id: str
    method: str = "auto"
    sample: int = 1000
    max_age: float | None = None
    lease_life: float = LIFE
    telling: Telling = field(default_factory=Telling)


class RedisBackup:
    """An operation for ``_core.run.perform`` and for the command line."""

    def __init__(self, job: RedisBackupJob, store: Store, signer: Signer, *, sealer: Sealer | None = None, clock: Clock | None = None) -> None:
        self._job = job
        self._store = store
        self._signer = signer
        self._sealer = sealer
        self._catalogue = Catalogue(store, signer, job.prefix)
        self._clock = clock or Clock()
        self._identity = Identity("redis", job.system_id, job.name)
        self._home = policy.home(job.prefix, self._identity)
        self._young: Entry | None = None
        self._sent = 0

    def plan(self) -> Plan:
        with self._job.server.open() as client:
            keys = sum(count for count, _expiring in redis_truth.keyspace(client).values())
        self._store.check()
        entries = self._catalogue.entries(self._identity)
        before = {"backups": len(entries), "newest": entries[-1].backup_id if entries else None}
        oldest = policy.timestamp(self._clock.now() - self._job.max_age) if self._job.max_age is not None else None
        self._young = next((entry for entry in reversed(entries) if oldest and entry.proven and policy.taken_at(entry) >= oldest), None)
        if self._young is not None:
            return Plan("none", before, before)
        how = {"snapshot": "its snapshot", "keys": "key by key", "auto": "its snapshot, or key by key if it gives none"}[self._job.method]
        steps = (f"read {keys} keys from {self._job.server.host} ({how})", f"store them under {self._home}, and the signed manifest last")
        return Plan("backup", before, {"backups": len(entries) + 1, "newest": "this one"}, steps)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        young = self._young.manifest if self._young else None
        return {"backup": {**summary(young), "seconds": 0.0} if young else None}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        self._store.probe(self._home)
        with Lease(self._store, self._home + policy.LEASE, f"the backup of {self._job.name}", life=self._job.lease_life) as lease:
            swept = self._catalogue.sweep(self._identity)
            backup_id = policy.new_backup_id(self._clock.now(), secrets.token_hex(4))
            with self._undone_on_failure(backup_id), self._job.telling.of(lambda: {"stored": self._sent}):
                manifest = self._run(backup_id, lease)
        return {"backup": {**summary(manifest), "swept": swept, "seconds": round(self._clock.monotonic() - started, 2)}}

    def _run(self, backup_id: str, lease: Lease) -> Manifest:
        prefix = f"{self._home}{backup_id}/"
        with ExitStack() as stack:
            first = stack.enter_context(self._job.server.open(binary=True))
            told = first.info("server")
            before = redis_truth.keyspace(first)
            clients = {0: first, **{number: stack.enter_context(self._job.server.open(binary=True, database=number)) for number in before if number}}
            chosen = {number: redis_truth.pick(client, self._job.sample) for number, client in clients.items() if number in before}
            earlier = [one for number, keys in chosen.items() for one in redis_truth.look(clients[number], number, keys)]
            seconds, _micros = first.time()
            data, method = self._dump(prefix, clients)
            later = [one for number, keys in chosen.items() for one in redis_truth.look(clients[number], number, keys)]
            after = redis_truth.keyspace(first)
            finished, _micros = first.time()
        samples = redis_truth.unchanged(earlier, later)
        truth = redis_truth.RedisTruth(_counts(before, 0), _counts(after, 0), _counts(before, 1), samples)
        record = self._put(prefix, TRUTH, iter([json.dumps(truth.to_dict()).encode()]))
        objects = tuple(sorted((data, record), key=lambda one: one.name))
        self._require_stored(prefix, objects)
        version = int("".join(f"{int(part):02d}" for part in str(told["redis_version"]).split(".")[:3]))
        tables = tuple(TableTruth(f"db{number}", count, None) for number, (count, _expiring) in sorted(after.items()))
        summed = Truth(policy.timestamp(seconds), version, NO_SETTINGS, (), tables, (), (), 0, None)
        manifest = Manifest(
            FORMAT, backup_id, self._identity, policy.timestamp(seconds), policy.timestamp(finished), f"redis {method}", "none", objects, summed, lease.number
        )
        lease.require()
        self._store.create(prefix + policy.MANIFEST, self._signer.seal(manifest.to_dict()))
        lease.require()
        return manifest

    def _dump(self, prefix: str, clients: dict[int, Any]) -> tuple[ObjectRecord, str]:
        if self._job.method != "keys":
            try:
                return self._put(prefix, SNAPSHOT, redis_dump.snapshot(self._job.server)), "snapshot"
            except redis_dump.Refused:
                if self._job.method == "snapshot":
                    raise
        return self._put(prefix, COMMANDS, redis_dump.commands(clients)), "keys"

    def _put(self, prefix: str, name: str, chunks: Iterator[bytes]) -> ObjectRecord:
        """Stream an object: nothing of it is on disk here, and at most two parts are in memory."""
        content = Content(self._sealer.seal(bound(prefix, name)) if self._sealer else None)
        stored = name + (SUFFIX if self._sealer else "")
        held = bytearray(next(chunks, b""))  # before the upload begins: a server that refuses does so here
        upload = self._store.upload(prefix + stored)
        try:
            number = 1
            for chunk in chunks:
                if len(held) >= PART:
                    upload.part(number, content.add(bytes(held), False))
                    self._sent += len(held)
                    held.clear()
                    number += 1
                held += chunk
            upload.part(number, content.add(bytes(held), True))
            upload.complete()
        except BaseException:
            upload.abort()
            raise
        return content.record(stored)

    def _require_stored(self, prefix: str, objects: tuple[ObjectRecord, ...]) -> None:
        sizes = {item.key[len(prefix) :]: item.size for item in self._store.listing(prefix)}
        for record in objects:
            if sizes.get(record.name) != record.size:
                raise OpsError(f"The store shows {sizes.get(record.name)} bytes for {prefix}{record.name}; {record.size} were sent. Use another one.")

    @contextmanager
    def _undone_on_failure(self, backup_id: str) -> Iterator[None]:
        """Leave nothing of a failed run but the reason. What a killed one leaves the next one removes."""
        try:
            yield
        except BaseException as error:
            reason = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
            prefix = f"{self._home}{backup_id}/"
            try:
                self._store.abort_uploads(prefix)
                self._catalogue.remove(prefix, [item.key[len(prefix) :] for item in self._store.listing(prefix)])
                record = {"backup_id": backup_id, "at": policy.timestamp(self._clock.now()), "reason": reason}
                self._store.put(f"{self._home}{policy.FAILED}{backup_id}.json", json.dumps(record).encode() + b"\n")
            except OpsError as second:
                raise OpsError(f"{reason} What it had stored could not be removed either ({second.message}); the next run removes it.") from error
            raise


def summary(manifest: Manifest) -> dict[str, Any]:
    """What a task returns about a backup."""
    method = manifest.tool.split()[-1]
    return {
        "backup_id": manifest.backup_id,
        "database": manifest.identity.database,
        "system_id": manifest.identity.system_id,
        "taken_at": manifest.truth.taken_at,
        "method": method,
        # Each key was read at its own moment, so what was written together may be there in part.
        "point_in_time": method == "snapshot",
        "key_count": manifest.truth.rows,
        "bytes": manifest.size,
    }


def _counts(keyspace: Mapping[int, tuple[int, int]], column: int) -> dict[str, int]:
    return {str(number): counts[column] for number, counts in keyspace.items()}
