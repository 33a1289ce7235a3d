# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a backup, level by level. What could not be checked is unverified, and never a pass."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, policy, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database, Entry, Identity, Manifest, Verification
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Operation, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import environment, find_tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

MakeRestore = Callable[[Mapping[str, Any]], Operation]
LEVELS = ("V1", "V2", "V3", "V5", "V6", "V7")
TARGET = "groundcrew_verify"
USUAL = 10  # how many earlier backups say what size is usual
BAND = (0.5, 2.0)
MISSING_ROLE = re.compile(r'role "((?:[^"]|"")+)" does not exist')
CORRUPT = 2  # the exit code with which pg_amcheck says that it found something; 1 is that it could not look


@dataclass(frozen=True)
class Question:
    """SQL that has to answer with one true value."""

    name: str
    sql: str


@dataclass(frozen=True)
class VerifyJob:
    """What to check, and where.

    backup_id: "latest" is the newest of all, whole or not: a damaged newest backup has to be found.
    level: how far to go. V5 and above restore.
    questions: asked at V7.
    server, target: restore into this database of this server instead of a server that is made for the check.
    max_age: seconds; a check that proved as much and is younger makes another one needless.
    """

    database: str
    prefix: str
    staging: Path
    system_id: str | None = None
    backup_id: str = "latest"
    level: str = "V6"
    questions: tuple[Question, ...] = ()
    server: Database | None = None
    target: str = TARGET
    jobs: int = 2
    max_age: float | None = None
    question_seconds: int = 300
    bin_dir: str | None = None


@dataclass
class Outcome:
    """How each level went; ``notes`` are worth a look and prove nothing."""

    checks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    restore_seconds: float | None = None

    def passed(self, level: str, said: str) -> None:
        self.checks.append({"level": level, "verdict": "equal", "said": said})


class Verify:
    """An operation for ``_core.run.perform`` and for the command line.

    make_restore: a restore with these options in place of the ones given. It leaves its own record, of level V5.
    """

    levels: tuple[str, ...] = LEVELS
    engine = "postgresql"
    restore_records = True

    def __init__(
        self,
        job: VerifyJob,
        store: Store,
        catalogue: Catalogue,
        make_restore: MakeRestore,
        *,
        sealer: Sealer | None = None,
        clock: Clock | None = None,
        runner: Runner | None = None,
    ) -> None:
        if job.level not in self.levels:
            raise OpsError(f"There is no level {job.level} for {self.engine}; choose one of {', '.join(self.levels)}.")
        if (job.level == "V7") != bool(job.questions):
            raise OpsError("Level V7 is the answers to your own questions: give both, or neither.")
        self._job = job
        self._store = store
        self._catalogue = catalogue
        self._make_restore = make_restore
        self._sealer = sealer
        self._clock = clock or Clock()
        self._runner = runner or Runner()
        self._planned: Entry | None = None

    def plan(self) -> Plan:
        _identity, entry, _entries = self._choose()
        self._planned = entry
        before = {"backup": entry.backup_id, "level": entry.level}
        if self._recent(entry):
            return Plan("none", before, before)
        what = {
            "V1": ["compare every object's size with the manifest"],
            "V2": ["read every object back and compare it with the manifest"],
            "V3": ["read every object back, and the whole dump with pg_restore"],
        }.get(self._job.level)
        if what is None:
            what = [f"restore it into {self._where(entry)}, and compare that with the truth recorded with the backup"]
            what += ["look for corruption with pg_amcheck"] if self._job.level >= "V6" else []
            what += [f"ask: {question.name}" for question in self._job.questions]
        return Plan("verify", before, {**before, "level": self._job.level}, tuple(what))

    def result(self, planned: Plan) -> Mapping[str, Any]:
        """A dry run fails as well where a backup is seen to be damaged before it is checked."""
        entry = self._planned
        if planned.changed and entry is not None and entry.problem is not None:
            raise policy.Damaged(f"Backup {entry.backup_id} is not what it should be: {entry.problem}. A run records that, and fails.")
        return {"verification": None}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        identity, entry, entries = self._choose()
        outcome = Outcome(notes=[*_unusual(entry, entries)])
        verdict, differences, known = "equal", (), False
        failure: OpsError | None = None
        try:
            self._check(identity, entry, outcome)
        except OpsError as error:
            failure = error
            # A restore that differs has left its own record.
            known = "restore" in error.details
            verdict = "different" if known or isinstance(error, policy.Damaged) else "unverified"
            differences = tuple(error.details.get("differences") or (error.details.get("restore") or {}).get("differences") or (error.message,))
        seconds = round(self._clock.monotonic() - started, 2)
        # One that is equal has too, of level V5.
        if not known and not (self.restore_records and verdict == "equal" and self._job.level == "V5"):
            record = Verification(entry.backup_id, policy.moment(self._clock.now()), self._job.level, verdict, differences, seconds)
            self._catalogue.record(identity, record)
        result = {
            "backup_id": entry.backup_id,
            "database": identity.database,
            "system_id": identity.system_id,
            "level": self._job.level,
            "verdict": verdict,
            "differences": list(differences),
            **dataclasses.asdict(outcome),
            "seconds": seconds,
        }
        if failure is None:
            return {"verification": result}
        what = "is not what it should be" if verdict == "different" else "could not be checked, so nothing is proven"
        raise OpsError(f"Backup {entry.backup_id} of {identity.database} {what}: {failure.message}", verification=result) from failure

    def _choose(self) -> tuple[Identity, Entry, list[Entry]]:
        identity = self._catalogue.identity(self._job.database, self._job.system_id, self.engine)
        entries = self._catalogue.entries(identity)
        entry = next((one for one in reversed(entries) if self._job.backup_id in ("latest", one.backup_id)), None)
        if entry is None:
            there = ", ".join(one.backup_id for one in entries) or "none"
            raise OpsError(f"There is no backup {self._job.backup_id} of database {identity.database}; there are: {there}.")
        return identity, entry, entries

    def _recent(self, entry: Entry) -> bool:
        oldest = policy.moment(self._clock.now() - (self._job.max_age or 0))
        proven = [record for record in entry.verifications if record.verdict == "equal" and record.level >= self._job.level and record.at >= oldest]
        return bool(self._job.max_age and proven and entry.restorable and entry.level >= self._job.level)

    def _check(self, identity: Identity, entry: Entry, outcome: Outcome) -> None:
        if entry.manifest is None or entry.problem is not None:
            raise policy.Damaged(f"{entry.problem}. Use another backup, and find out what changed this one.")
        manifest, level = entry.manifest, self._job.level
        outcome.passed("V1", f"the manifest is signed, and {len(manifest.objects)} objects are there in their sizes")
        if level == "V2":
            self._read_back(identity, manifest, outcome)
        elif level == "V3":
            self._read_through(identity, manifest, outcome)
        elif level >= "V5":
            self._restore(identity, manifest, outcome)

    def _read_back(self, identity: Identity, manifest: Manifest, outcome: Outcome) -> None:
        """Nothing is kept: this needs no disk."""
        home = f"{policy.home(self._job.prefix, identity)}{manifest.backup_id}/"
        for record in manifest.objects:
            transfer.read(self._store, record, home, self._sealer, None)
        outcome.passed("V2", f"{manifest.size} bytes were read back and are what was stored")

    def _read_through(self, identity: Identity, manifest: Manifest, outcome: Outcome) -> None:
        tools = find_tools(manifest.truth.server_version // 10000, bin_dir=self._job.bin_dir)
        with disposable.folder(self._job.staging) as base:
            dump = base / "staging"
            transfer.require_space(dump, manifest.size, f"backup {manifest.backup_id}")
            transfer.download(self._store, manifest, f"{policy.home(self._job.prefix, identity)}{manifest.backup_id}/", dump, self._sealer)
            outcome.passed("V2", f"{manifest.size} bytes were read back and are what was stored")
            done = self._runner.run([tools.path("pg_restore"), "--file=/dev/null", str(dump)], timeout=6 * 3600, check=False)
            if done.rc != 0:
                raise policy.Damaged(failed(done, "Reading the dump with pg_restore").message)
        outcome.passed("V3", f"pg_restore {tools.version} read all of it")

    def _restore(self, identity: Identity, manifest: Manifest, outcome: Outcome) -> None:
        with disposable.folder(self._job.staging) as base, self._server(manifest, base) as server:
            self._require_extensions(server, manifest)
            wanted = {
                **_options(server),
                "target_database": self._job.target,
                "database": identity.database,
                "system_id": identity.system_id,
                "backup_id": manifest.backup_id,
                "staging_dir": str(base / "staging"),
                "ownership": False,
            }
            restored = self._restore_with_roles(wanted, server)
            try:
                outcome.restore_seconds = restored["seconds"]
                rows, tables = restored["restored_rows"], len(restored["tables"])
                outcome.passed("V5", f"restored in {restored['seconds']} s: {rows} rows in {tables} tables, equal to the truth")
                there = dataclasses.replace(server, name=self._job.target)
                if self._job.level >= "V6":
                    self._amcheck(there, manifest)
                    outcome.passed("V6", "pg_amcheck found tables and indexes sound")
                if self._job.questions:
                    self._ask(there)
                    outcome.passed("V7", ", ".join(question.name for question in self._job.questions))
            finally:
                if self._job.server is not None:
                    with Session(server) as session:
                        session.drop(self._job.target)

    @contextmanager
    def _server(self, manifest: Manifest, base: Path) -> Iterator[Database]:
        if self._job.server is not None:
            yield self._job.server
            return
        major = manifest.truth.server_version // 10000
        with disposable.postgresql(major, base, connections=2 * self._job.jobs + 10, bin_dir=self._job.bin_dir, runner=self._runner) as server:
            yield server

    def _restore_with_roles(self, wanted: Mapping[str, Any], server: Database) -> dict[str, Any]:
        """Owners and privileges are left out, but a policy or a user mapping names its role all the same."""
        made: set[str] = set()
        while True:
            try:
                operation = self._make_restore(wanted)
                return dict(operation.apply(operation.plan())["restore"])
            except OpsError as error:
                missing = MISSING_ROLE.search(error.message)
                role = missing[1].replace('""', '"') if missing else None
                if role is None or role in made or self._job.server is not None:
                    raise
                with Session(server) as session:
                    session.rows(f'CREATE ROLE "{role.replace(chr(34), chr(34) * 2)}"')
                made.add(role)

    def _require_extensions(self, server: Database, manifest: Manifest) -> None:
        with Session(server) as session:
            there = {row[0] for row in session.rows("SELECT name FROM pg_available_extensions")}
        missing = sorted(set(manifest.truth.extensions) - there)
        if missing:
            raise OpsError(f"The server to restore into lacks the extensions {', '.join(missing)}: install their packages beside it.", extensions=missing)

    def _amcheck(self, there: Database, manifest: Manifest) -> None:
        tools = find_tools(max(14, manifest.truth.server_version // 10000), bin_dir=self._job.bin_dir)
        argv = [tools.path("pg_amcheck"), "--install-missing", "--heapallindexed", f"--jobs={self._job.jobs}", "--no-password"]
        done = self._runner.run(argv, env=environment(there), timeout=6 * 3600, check=False)
        if done.rc == CORRUPT:
            raise policy.Damaged(failed(done, "pg_amcheck found corruption and").message)
        if done.rc != 0:
            raise failed(done, "pg_amcheck could not look: it")

    def _ask(self, there: Database) -> None:
        with Session(there) as session:
            session.rows(f"SET statement_timeout = '{self._job.question_seconds}s'")
            session.rows("SET default_transaction_read_only = on")
            wrong = []
            for question in self._job.questions:
                answer = session.rows(question.sql)
                if [tuple(row) for row in answer] != [(True,)]:
                    wrong.append(f"{question.name}: the answer is {str(answer)[:200]}, not one row with true")
        if wrong:
            raise policy.Damaged("; ".join(wrong), differences=wrong)

    def _where(self, entry: Entry) -> str:
        if self._job.server is not None:
            return f"{self._job.server.host} as {self._job.target}"
        return f"a server of PostgreSQL {entry.manifest.truth.server_version // 10000 if entry.manifest else 'its version'} made for this check"


def _unusual(entry: Entry, entries: list[Entry]) -> Iterator[str]:
    """V0: how a backup ended is in its manifest; whether its size is usual is a hint, as data may be deleted with intent."""
    sizes = [one.manifest.size for one in entries if one.manifest and one.backup_id < entry.backup_id][-USUAL:]
    if entry.manifest and sizes:
        share = entry.manifest.size / max(statistics.median(sizes), 1)
        if not BAND[0] <= share <= BAND[1]:
            yield f"its size is {share:.0%} of the median of the {len(sizes)} before it"


def _options(server: Database) -> dict[str, Any]:
    return {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.user,
        "login_password": server.password,
        "login_db": server.name,
        "ssl_mode": server.ssl_mode,
        "ca_cert": server.ca_cert,
    }
