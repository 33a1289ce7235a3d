# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup of a PostgreSQL database: truth and dump from one snapshot, objects, and the manifest last."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import dump, policy, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.growing import MIB, Content
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import LIFE, Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import FORMAT, Database, Entry, Identity, Manifest, ObjectRecord, Truth
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.progress import Telling
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import SUFFIX, Sealer, bound
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.stream import Limits, Progress, Stream
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools, find_tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

ATTEMPTS = 3


@dataclass(frozen=True)
class BackupJob:
    """What to back up, and how.

    jobs: connections of pg_dump; one more holds the snapshot.
    staging, limits: folder through which the dump goes, how much of it may lie there at a time, and how long nothing may move.
    lock_timeout: seconds to wait for a table that a migration holds.
    hash_limit: tables with more bytes are counted, not hashed.
    max_age: seconds; a verified backup younger than that makes another one needless.
    roles: also keep roles and other globals, without passwords.
    lease_life: seconds after which a run that was killed no longer keeps others away.
    telling: where to tell how far the run is.
    """

    database: Database
    prefix: str
    staging: Path
    limits: Limits
    jobs: int = 2
    lock_timeout: int = 30
    hash_limit: int | None = None
    max_age: float | None = None
    roles: bool = True
    lease_life: float = LIFE
    bin_dir: str | None = None
    telling: Telling = dataclasses.field(default_factory=Telling)


class Backup:
    """An operation for ``_core.run.perform`` and for the command line."""

    def __init__(
        self,
        job: BackupJob,
        store: Store,
        signer: Signer,
        *,
        sealer: Sealer | None = None,
        clock: Clock | None = None,
        connect: Callable[[Database], Session] = Session,
    ) -> None:
        self._job = job
        self._store = store
        self._signer = signer
        self._sealer = sealer
        self._catalogue = Catalogue(store, signer, job.prefix)
        self._clock = clock or Clock()
        self._connect = connect
        self._young: Entry | None = None

    def plan(self) -> Plan:
        self._job.limits.require(self._job.jobs)
        with self._connect(self._job.database) as session:
            tools = find_tools(session.major, bin_dir=self._job.bin_dir)
            size = session.preflight(self._job.jobs + 2)
            identity = Identity("postgresql", session.system_id(), self._job.database.name)
            now = session.now()
        self._store.check()
        transfer.require_space(_existing(self._job.staging), min(self._job.limits.staging, size), "the dump")
        entries = self._catalogue.entries(identity)
        before = {"backups": len(entries), "newest": entries[-1].backup_id if entries else None}
        self._young = self._young_enough(entries, now)
        if self._young is not None:
            return Plan("none", before, before)
        home = policy.home(self._job.prefix, identity)
        steps = (
            f"lock {self._job.database.name} against schema changes, take a snapshot, and count and hash every table in it",
            f"dump it with pg_dump {tools.version}, {self._job.jobs} jobs, {dump.compression(tools)}, through at most "
            f"{self._job.limits.staging // MIB} MiB of {self._job.staging}",
            f"store the {'sealed ' if self._sealer else ''}objects under {home}, and the signed manifest last",
        )
        return Plan("backup", before, {"backups": len(entries) + 1, "newest": "this one"}, steps)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        if self._young is None or self._young.manifest is None:
            return {"backup": None}
        return {"backup": {**summary(self._young.manifest), "seconds": 0.0}}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        with self._connect(self._job.database) as session:
            identity = Identity("postgresql", session.system_id(), self._job.database.name)
            home = policy.home(self._job.prefix, identity)
            with session.exclusive("the backup"):
                self._store.probe(home)
                with Lease(self._store, home + policy.LEASE, f"the backup of {identity.database}", life=self._job.lease_life) as lease:
                    swept = self._sweep(identity, home)
                    backup_id = policy.new_backup_id(session.now(), secrets.token_hex(4))
                    with self._undone_on_failure(home, backup_id), self._staging(home, backup_id) as folder:
                        manifest, progress = self._run(session, identity, backup_id, folder, lease)
        seconds = self._clock.monotonic() - started
        staging = {"peak": progress.peak, "limit": self._job.limits.staging, "pauses": progress.pauses}
        return {"backup": {**summary(manifest), "swept": swept, "staging": staging, "seconds": round(seconds, 2)}}

    def _run(self, session: Session, identity: Identity, backup_id: str, folder: Path, lease: Lease) -> tuple[Manifest, Progress]:
        tools = find_tools(session.major, bin_dir=self._job.bin_dir)
        started_at = policy.timestamp(session.now())
        prefix = f"{policy.home(self._job.prefix, identity)}{backup_id}/"
        truth, objects, progress = self._dump(session, tools, folder, prefix, lease)
        # An upload whose beginning was answered twice has a twin that nobody completes.
        self._store.abort_uploads(prefix)
        self._require_stored(prefix, objects)
        manifest = Manifest(
            FORMAT,
            backup_id,
            identity,
            started_at,
            policy.timestamp(session.now()),
            f"pg_dump {tools.version}",
            dump.compression(tools),
            objects,
            truth,
            lease.number,
        )
        lease.require()
        self._store.create(prefix + policy.MANIFEST, self._signer.seal(manifest.to_dict()))
        # Who took the lease over between these two lines has removed our objects: then this was no backup.
        lease.require()
        return manifest, progress

    def _dump(self, session: Session, tools: Tools, folder: Path, prefix: str, lease: Lease) -> tuple[Truth, tuple[ObjectRecord, ...], Progress]:
        """Dump and truth from one snapshot. DDL in the way ends an attempt: let it through, and begin again in a new snapshot."""
        job = self._job
        for attempt in range(1, ATTEMPTS + 1):
            transfer.empty_folder(folder)
            child = None
            try:
                snapshot = session.begin_snapshot(job.lock_timeout)
                child = dump.start_dump(tools, job.database, folder, snapshot=snapshot, jobs=job.jobs, lock_timeout=job.lock_timeout)
                stream = Stream(self._store, folder, prefix, child, limits=job.limits, failed=session.cancel, sealer=self._sealer)
                lease.tell = partial(_far, session, stream)
                with stream, job.telling.of(lease.tell):
                    truth = session.truth(job.hash_limit)
                    extra = (self._put_globals(tools, prefix),) if job.roles else ()
                    child.wait()
                    objects = tuple(sorted((*stream.finish(), *extra), key=lambda record: record.name))
                    return truth, objects, stream.progress
            except OpsError as error:
                if attempt == ATTEMPTS or not _lock_lost(error):
                    raise
                self._discard(prefix)
            finally:
                lease.tell = None
                if child is not None:
                    child.stop()
                session.end()
            self._clock.sleep(1.0)
        raise AssertionError("the last attempt returns or raises")

    def _put_globals(self, tools: Tools, prefix: str) -> ObjectRecord:
        content = Content(self._sealer.seal(bound(prefix, policy.GLOBALS)) if self._sealer else None)
        data = content.add(dump.read_globals(tools, self._job.database, Runner()), True)
        record = content.record(policy.GLOBALS + (SUFFIX if self._sealer else ""))
        self._store.put(prefix + record.name, data)
        return record

    def _require_stored(self, prefix: str, objects: tuple[ObjectRecord, ...]) -> None:
        sizes = {item.key[len(prefix) :]: item.size for item in self._store.listing(prefix)}
        for record in objects:
            if sizes.get(record.name) != record.size:
                raise OpsError(
                    f"The store shows {sizes.get(record.name)} bytes for {prefix}{record.name}; {record.size} were sent. "
                    "It changes what it is given: use another one.",
                    object=prefix + record.name,
                )

    def _young_enough(self, entries: list[Entry], now: float) -> Entry | None:
        if self._job.max_age is None:
            return None
        oldest = policy.timestamp(now - self._job.max_age)
        proven = [entry for entry in entries if entry.proven]
        return next((entry for entry in reversed(proven) if entry.manifest and entry.manifest.truth.taken_at >= oldest), None)

    def _sweep(self, identity: Identity, home: str) -> int:
        for left in self._job.staging.glob(f"{_mark(home)}*"):
            shutil.rmtree(left)
        return self._catalogue.sweep(identity)

    @contextmanager
    def _staging(self, home: str, backup_id: str) -> Iterator[Path]:
        folder = self._job.staging / (_mark(home) + backup_id)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _undone_on_failure(self, home: str, backup_id: str) -> Iterator[None]:
        """Leave nothing of a failed run but the reason."""
        try:
            yield
        except BaseException as error:
            reason = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
            try:
                self._discard(f"{home}{backup_id}/")
                record = {"backup_id": backup_id, "at": policy.timestamp(self._clock.now()), "reason": reason}
                self._store.put(f"{home}{policy.FAILED}{backup_id}.json", json.dumps(record).encode() + b"\n")
            except OpsError as second:
                raise OpsError(f"{reason} What it had stored could not be removed either ({second.message}); the next run removes it.") from error
            raise

    def _discard(self, prefix: str) -> None:
        self._store.abort_uploads(prefix)
        self._catalogue.remove(prefix, [item.key[len(prefix) :] for item in self._store.listing(prefix)])


def summary(manifest: Manifest) -> dict[str, Any]:
    """What a task returns about a backup."""
    return {
        "backup_id": manifest.backup_id,
        "database": manifest.identity.database,
        "system_id": manifest.identity.system_id,
        "taken_at": manifest.truth.taken_at,
        "server_version": manifest.truth.server_version,
        "objects": len(manifest.objects),
        "bytes": manifest.size,
        "rows": manifest.truth.rows,
        "tables": [{"name": table.name, "rows": table.rows} for table in manifest.truth.tables],
    }


def _mark(home: str) -> str:
    """How staging folders of one database begin, so that a run finds what an earlier one left."""
    return f"groundcrew-backup-{hashlib.sha256(home.encode()).hexdigest()[:12]}-"


def _far(session: Session, stream: Stream) -> dict[str, Any]:
    """How far a run is: all tables, and what is stored of them."""
    return {"tables": session.locked, **dataclasses.asdict(stream.progress)}


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise OpsError(f"The staging folder {folder} does not exist: create it, or give another.")
    return folder


def _lock_lost(error: OpsError) -> bool:
    return error.details.get("sqlstate") == "55P03" or any(said in error.message for said in ("could not obtain lock", "statement timeout", "lock timeout"))
