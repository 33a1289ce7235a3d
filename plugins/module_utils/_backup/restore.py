# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore of a PostgreSQL database: nothing reaches pg_restore that the manifest does not vouch for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, loader, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.contents import Choice
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    Comparison,
    Database,
    Entry,
    Identity,
    Manifest,
    TableTruth,
    Truth,
    Verification,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools, find_tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

MARK = "groundcrew-restore-"
IN_PROGRESS = "groundcrew.ops: restore in progress"
# Only of what was made to replace another database, and gone in the moment it has replaced it.
TO_REPLACE = "groundcrew.ops: restored, to replace another database"


@dataclass(frozen=True)
class RestoreJob:
    """What to restore, and where to.

    server: the target server, through its maintenance database.
    target: the database to create; an existing one must be empty, unless ``replace`` repeats its name.
    replace: put the restored database in the target's place once it has been compared; the old one is kept under another name.
    choice: the schemas and tables whose rows are wanted. Definitions are restored whole.
    limit: bytes of the staging folder that may be used; None for what is free.
    database, system_id, backup_id: which backup; ``backup_id`` may be "latest" or "latest_verified".
    verify: compare what was restored with the truth recorded with the backup.
    source: also compare with this live database.
    drop_after: drop the target once it was compared.
    ownership: restore owners and privileges; their roles must exist.
    """

    server: Database
    target: str
    database: str
    prefix: str
    staging: Path
    limit: int | None = None
    replace: str | None = None
    choice: Choice = dataclasses.field(default_factory=Choice)
    system_id: str | None = None
    backup_id: str = "latest"
    jobs: int = 2
    verify: bool = True
    source: Database | None = None
    drop_after: bool = False
    ownership: bool = True
    allow_vulnerable_client: bool = False
    bin_dir: str | None = None


class Restore:
    """An operation for ``_core.run.perform`` and for the command line."""

    def __init__(
        self,
        job: RestoreJob,
        store: Store,
        signer: Signer,
        *,
        sealer: Sealer | None = None,
        clock: Clock | None = None,
        connect: Callable[[Database], Session] = Session,
    ) -> None:
        if job.replace is not None and (job.replace != job.target or job.drop_after):
            raise OpsError(f"To replace database {job.target}, repeat its name, not {job.replace!r}, and do not drop it afterwards.")
        self._job = job
        self._store = store
        self._sealer = sealer
        self._catalogue = Catalogue(store, signer, job.prefix)
        self._clock = clock or Clock()
        self._connect = connect
        # What is to replace another database is restored beside it.
        self._target = dataclasses.replace(job.server, name=job.target if job.replace is None else _beside(job.target, "restored"))

    def plan(self) -> Plan:
        _identity, entry, manifest = self._choose()
        tables = self._job.choice.of(manifest)
        with self._connect(self._job.server) as session:
            session.require_direct()
            tools = self._tools(session, manifest)
            exists = self._require_free(session)
        self._limit(manifest)
        what = "them" if self._job.choice.all else f"the rows of {len(tables)} tables, and the definitions of all,"
        steps = [
            f"read {len(manifest.objects)} objects ({manifest.size} bytes) and compare each with the manifest",
            f"restore {what} with pg_restore {tools.version} into {self._target.name}",
        ]
        steps += ["compare the database with the truth recorded with the backup"] if self._job.verify else []
        steps += [f"rename it to {self._job.target}, and keep what has that name now under another"] if self._job.replace else []
        steps += [f"drop {self._job.target}"] if self._job.drop_after else []
        before = {"database": self._job.target} if exists else None
        return Plan("restore", before, {"database": self._job.target, "backup": entry.backup_id, "rows": manifest.truth.rows}, tuple(steps))

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"restore": None}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        identity, entry, manifest = self._choose()
        replaced = None
        with self._connect(self._job.server) as server, server.exclusive(f"the restore into {self._job.target}"):
            tools = self._tools(server, manifest)
            with self._folder() as folder:
                limit, prefix = self._limit(manifest), f"{policy.home(self._job.prefix, identity)}{manifest.backup_id}/"
                load = loader.Loader(self._store, manifest, prefix, folder, sealer=self._sealer, limit=limit, jobs=self._job.jobs)
                load.compare()
                with self._database(server, manifest):
                    left_out = load.load(tools, self._target, ownership=self._job.ownership, choice=self._job.choice)
                    comparison, live = self._compare(manifest)
            # A part that is equal proves nothing about the rest.
            if self._job.verify and (self._job.choice.all or comparison.differences):
                self._record(identity, entry, comparison, self._clock.monotonic() - started)
            if self._job.drop_after:
                server.drop(self._job.target)
            if self._job.replace is not None and not comparison.differences:
                replaced = self._put_in_place(server)
        result = self._summary(entry, manifest, comparison, live)
        result.update(seconds=round(self._clock.monotonic() - started, 2), replaced=replaced, left_out=left_out)
        if comparison.differences:
            shown = "; ".join(comparison.differences[:5])
            raise OpsError(f"The restored database differs from backup {entry.backup_id}: {shown}. Do not use it.", restore=result)
        return {"restore": result}

    def _put_in_place(self, server: Session) -> str | None:
        """Give the restored database the target's name; the name that the old one has now."""
        if not server.exists(self._job.target):
            server.exchange(self._job.target, self._target.name, None)
            return None
        kept = _beside(self._job.target, "before " + policy.timestamp(self._clock.now()))
        server.exchange(self._job.target, self._target.name, kept)
        return kept

    def _choose(self) -> tuple[Identity, Entry, Manifest]:
        identity = self._catalogue.identity(self._job.database, self._job.system_id)
        entry = self._catalogue.choose(identity, self._job.backup_id)
        if entry.manifest is None:
            raise OpsError(f"Backup {entry.backup_id} has no manifest, so it cannot be restored.")
        return identity, entry, entry.manifest

    def _tools(self, session: Session, manifest: Manifest) -> Tools:
        made_by = int(manifest.tool.split()[-1].split(".")[0])
        major = manifest.truth.server_version // 10000
        if session.major < major:
            raise OpsError(f"The backup is of PostgreSQL {major} and the target server is {session.major}: restore into the same or a later version.")
        tools = find_tools(max(session.major, made_by), bin_dir=self._job.bin_dir)
        if not tools.safe_restore and not self._job.allow_vulnerable_client:
            raise OpsError(
                f"pg_restore {tools.version} can be made to run code by a crafted archive (CVE-2026-116314): upgrade postgresql-client-{tools.major}, "
                "or set allow_vulnerable_client for a backup whose signing key only you hold.",
                client=tools.version,
            )
        return tools

    def _require_free(self, session: Session) -> bool:
        """Refuse a target that holds anything; whether it exists. What an interrupted restore left counts as not there."""
        name = self._target.name
        if not session.exists(name):
            return False
        if session.comment_of(name) in ((IN_PROGRESS,) if self._job.replace is None else (IN_PROGRESS, TO_REPLACE)):
            return False
        with self._connect(self._target) as target:
            objects = target.objects()
        if objects:
            raise OpsError(
                f"Database {name} exists and holds {objects} objects: a restore never overwrites. Give the name of a new database, "
                f"or replace: {name}, which restores beside it and exchanges the two.",
                database=name,
            )
        return True

    def _limit(self, manifest: Manifest) -> int:
        if not self._job.staging.is_dir():
            raise OpsError(f"The staging folder {self._job.staging} does not exist: create it, or give another.")
        return loader.limit(self._job.staging, manifest, self._job.limit)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with disposable.folder(self._job.staging, MARK) as base:
            yield base / "staging"

    @contextmanager
    def _database(self, server: Session, manifest: Manifest) -> Iterator[None]:
        """The empty target. It is marked while it is half a database, and dropped on failure if we made it."""
        exists, name = self._require_free(server), self._target.name
        if not exists:
            server.drop(name)
            server.create(name, manifest.truth.settings, ownership=self._job.ownership)
            server.comment(name, IN_PROGRESS)
        try:
            yield
        except BaseException as error:
            if not exists:
                server.drop(name)
                raise
            reason = error.message if isinstance(error, OpsError) else str(error)
            raise OpsError(f"{reason} Database {name} existed before and is now partly filled: drop and create it before the next try.") from error
        if not exists:
            server.comment(name, None if self._job.replace is None else TO_REPLACE)

    def _compare(self, manifest: Manifest) -> tuple[Comparison, Comparison | None]:
        """What was restored beside the recorded truth, and beside the live source when that was asked for."""
        if not self._job.drop_after:
            with self._connect(self._target) as target:
                target.analyze()
        if not self._job.verify:
            return Comparison((), ()), None
        expected = self._expected(manifest)
        hashed = any(table.hash is not None for table in expected.tables) or expected.large_objects_hash is not None
        with self._connect(self._target) as target:
            actual = target.truth(None if hashed else 0, like=expected)
        if not self._job.choice.all:
            kinds = {part.kind for part in expected.schema}
            actual = dataclasses.replace(actual, schema=tuple(part for part in actual.schema if part.kind in kinds))
        return policy.compare(expected, actual), None if self._job.source is None else self._compare_live(self._job.source, actual)

    def _expected(self, manifest: Manifest) -> Truth:
        """The truth that a restore of chosen tables has to meet: the others are there without rows, and foreign keys between them are not."""
        truth, chosen = manifest.truth, self._job.choice.of(manifest)
        if self._job.choice.all:
            return truth
        tables = tuple(table if table.name in chosen else TableTruth(table.name, 0, None) for table in truth.tables)
        schema = tuple(part for part in truth.schema if part.kind not in ("constraints", "triggers"))
        return dataclasses.replace(truth, tables=tables, schema=schema)

    def _compare_live(self, source: Database, actual: Any) -> Comparison:
        with self._connect(source) as session:
            session.begin_snapshot(30)
            return policy.compare(session.truth(None, like=actual), actual)

    def _record(self, identity: Identity, entry: Entry, comparison: Comparison, seconds: float) -> None:
        at = policy.moment(self._clock.now())
        self._catalogue.record(identity, Verification(entry.backup_id, at, "V5", comparison.verdict, comparison.differences, round(seconds, 2)))

    def _summary(self, entry: Entry, manifest: Manifest, comparison: Comparison, live: Comparison | None) -> dict[str, Any]:
        return {
            "backup_id": entry.backup_id,
            "database": self._job.target,
            "dropped": self._job.drop_after,
            "objects": len(manifest.objects),
            "bytes": manifest.size,
            "tables": [dataclasses.asdict(table) for table in comparison.tables],
            "source_rows": manifest.truth.rows,
            "restored_rows": sum(table.restored_rows or 0 for table in comparison.tables) if self._job.verify else None,
            "verdict": comparison.verdict if self._job.verify else "not compared",
            "differences": list(comparison.differences),
            "live_verdict": live.verdict if live else "not compared",
            "live_differences": list(live.differences) if live else [],
        }


def _beside(name: str, what: str) -> str:
    """A database's name for what belongs to another one: at most 63 bytes, as PostgreSQL cuts longer ones."""
    suffix = f" ({what})"
    return name.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix
