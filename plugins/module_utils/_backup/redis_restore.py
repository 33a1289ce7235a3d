# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore of a Redis or Valkey backup: into a server made for a check, from there into a running one, or into a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, policy, redis_dump, redis_truth, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Entry, Identity, Manifest, ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.redis_backup import SNAPSHOT, TRUTH
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.verify import Outcome, Verify
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection

USUAL_DATABASES = 16
ASKED = "groundcrew-ask-"  # the folder of a server that is asked what it writes


class Copy:
    """A backup that can be loaded: where its objects are, and what they have to hold."""

    def __init__(self, store: Store, manifest: Manifest, prefix: str, sealer: Sealer | None, runner: Runner) -> None:
        self._store = store
        self._manifest = manifest
        self._home = f"{policy.home(prefix, manifest.identity)}{manifest.backup_id}/"
        self._sealer = sealer
        self._runner = runner

    @property
    def is_snapshot(self) -> bool:
        return any(transfer.plain_name(record) == SNAPSHOT for record in self._manifest.objects)

    def truth(self) -> redis_truth.RedisTruth:
        content = BytesIO()
        transfer.read(self._store, self._record(TRUTH), self._home, self._sealer, content)
        return redis_truth.RedisTruth.from_dict(json.loads(content.getvalue()))

    def fetch(self, folder: Path) -> Path:
        """The data in a file, compared with the manifest, and if it is a snapshot read by redis-check-rdb."""
        transfer.require_space(folder, self._manifest.size, f"backup {self._manifest.backup_id}")
        transfer.download(self._store, self._manifest, self._home, folder, self._sealer)
        [path] = folder.iterdir()
        if self.is_snapshot:
            try:
                redis_dump.check(path, self._runner)
            except OpsError as error:
                if "rc" in error.details:
                    raise policy.Damaged(error.message) from error
                raise
        return path

    @contextmanager
    def loaded(self, base: Path, databases: int) -> Iterator[Mapping[int, Any]]:
        """A server made for this, with the backup in it."""
        path = self.fetch(base / "staging")
        with disposable.redis(base, databases, path if self.is_snapshot else None) as clients:
            if not self.is_snapshot:
                _pipe(path, base / "redis" / "socket")
            yield clients

    def _record(self, name: str) -> ObjectRecord:
        for record in self._manifest.objects:
            if transfer.plain_name(record) == name:
                return record
        raise policy.Damaged(f"Backup {self._manifest.backup_id} has no {name}: it is not one of Redis.")


class RedisVerify(Verify):
    """The check of a backup of Redis: read back, checked by redis-check-rdb, loaded into a server made for it, and compared."""

    levels = ("V1", "V2", "V3", "V5")
    engine = "redis"
    restore_records = False

    def _read_through(self, identity: Identity, manifest: Manifest, outcome: Outcome) -> None:
        with disposable.folder(self._job.staging) as base:
            self._copy(manifest).fetch(base / "staging")
        outcome.passed("V3", "redis-check-rdb read all of it" if self._copy(manifest).is_snapshot else "it was read back; it is no snapshot")

    def _restore(self, identity: Identity, manifest: Manifest, outcome: Outcome) -> None:
        copy = self._copy(manifest)
        started = self._clock.monotonic()
        truth = copy.truth()
        numbers = [int(number) for number in (*truth.keys_before, *truth.keys_after)]
        with disposable.folder(self._job.staging) as base, copy.loaded(base, max([USUAL_DATABASES - 1, *numbers]) + 1) as clients:
            outcome.restore_seconds = round(self._clock.monotonic() - started, 2)
            wrong = redis_truth.compare(truth, clients, int(self._clock.now() * 1000))
            keys = sum(count for count, _expiring in redis_truth.keyspace(clients[0]).values())
        if wrong:
            raise policy.Damaged("; ".join(wrong[:5]), differences=wrong)
        outcome.passed("V5", f"loaded in {outcome.restore_seconds} s: {keys} keys, and {len(truth.samples)} samples equal in type, expiry and value")
        if truth.keys_before != truth.keys_after:
            outcome.notes.append("the server was written to meanwhile, so the number of keys proves nothing; the samples do")
        if not copy.is_snapshot:
            outcome.notes.append("not point in time: each key was read at its own moment")

    def _where(self, entry: Entry) -> str:
        return "a Redis server made for this check"

    def _copy(self, manifest: Manifest) -> Copy:
        return Copy(self._store, manifest, self._job.prefix, self._sealer, self._runner)


@dataclass(frozen=True)
class RedisRestoreJob:
    """Which backup, and where to.

    server: a running server. path: a file in place of it.
    databases: only these numbers; match: only keys like this pattern of SCAN.
    replace: keys of the same name are overwritten; otherwise the databases have to be empty.
    """

    name: str
    prefix: str
    staging: Path
    system_id: str | None = None
    backup_id: str = "latest"
    server: Connection | None = None
    path: Path | None = None
    databases: tuple[int, ...] = ()
    match: str | None = None
    replace: bool = False


class RedisRestore:
    """An operation for ``_core.run.perform``."""

    def __init__(
        self,
        job: RedisRestoreJob,
        store: Store,
        catalogue: Catalogue,
        *,
        sealer: Sealer | None = None,
        clock: Clock | None = None,
        runner: Runner | None = None,
    ) -> None:
        if (job.server is None) == (job.path is None):
            raise OpsError("Say where to restore to: a server (login_host), or a file (path).")
        if job.path is not None and (job.databases or job.match):
            raise OpsError("A file holds the whole backup: give a server to restore parts of it.")
        self._job = job
        self._store = store
        self._catalogue = catalogue
        self._sealer = sealer
        self._clock = clock or Clock()
        self._runner = runner or Runner()

    def plan(self) -> Plan:
        entry, manifest, copy = self._choose()
        where = str(self._job.path)
        if self._job.path is not None:
            if self._job.path.exists():
                raise OpsError(f"{where} exists: a restore never overwrites. Give another path.")
            steps = [f"fetch {manifest.size} bytes, and compare them with the manifest", f"write {where}"]
        else:
            where = f"{self._server.host}:{self._server.port}"
            self._require_room(self._numbers(copy))
            self._require_understood()
            steps = [f"load {manifest.size} bytes into a server made for this", f"copy the keys to {where}, and compare them with the truth"]
        return Plan("restore", None, {"backup": entry.backup_id, "target": where, "keys": manifest.truth.rows}, tuple(steps))

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"restore": None}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        started = self._clock.monotonic()
        entry, _manifest, copy = self._choose()
        result: dict[str, Any] = {
            "backup_id": entry.backup_id,
            "point_in_time": copy.is_snapshot,
            "key_count": None,
            "verdict": "not compared",
            "differences": [],
        }
        with disposable.folder(self._job.staging) as base:
            if self._job.path is not None:
                fetched = copy.fetch(base / "staging")
                # Beside its place first, so that nobody finds half of it.
                half = self._job.path.with_name(self._job.path.name + ".half")
                shutil.move(fetched, half)
                half.rename(self._job.path)
            else:
                numbers = self._numbers(copy)
                self._require_room(numbers)
                truth = copy.truth()
                with copy.loaded(base, max([USUAL_DATABASES - 1, *numbers]) + 1) as source:
                    result["key_count"], wrong = self._copy_keys(source, numbers, truth)
                result.update(verdict="different" if wrong else "equal", differences=wrong)
        result["seconds"] = round(self._clock.monotonic() - started, 2)
        if result["differences"]:
            raise OpsError(f"What was restored differs from backup {entry.backup_id}: {'; '.join(result['differences'][:5])}.", restore=result)
        return {"restore": result}

    def _choose(self) -> tuple[Entry, Manifest, Copy]:
        identity = self._catalogue.identity(self._job.name, self._job.system_id, "redis")
        entry = self._catalogue.choose(identity, self._job.backup_id)
        if entry.manifest is None:
            raise OpsError(f"Backup {entry.backup_id} has no manifest, so it cannot be restored.")
        return entry, entry.manifest, Copy(self._store, entry.manifest, self._job.prefix, self._sealer, self._runner)

    @property
    def _server(self) -> Connection:
        if self._job.server is None:
            raise AssertionError("without a path there is a server")
        return self._job.server

    def _numbers(self, copy: Copy) -> list[int]:
        truth = copy.truth()
        there = {int(number) for number in (*truth.keys_before, *truth.keys_after)}
        return sorted(there & set(self._job.databases) if self._job.databases else there)

    def _require_room(self, numbers: list[int]) -> None:
        with self._server.open(binary=True) as client:
            full = {number: counts[0] for number, counts in redis_truth.keyspace(client).items() if number in numbers}
        if full and not self._job.replace:
            told = ", ".join(f"{number} ({keys} keys)" for number, keys in full.items())
            raise OpsError(f"The target holds keys in database {told}: a restore never overwrites, unless you say so with replace.", databases=sorted(full))

    def _require_understood(self) -> None:
        """Refuse a target that is too old for what the Redis of this host, into which the backup is loaded first, writes."""
        with disposable.folder(self._job.staging, ASKED) as base, disposable.redis(base, 1) as clients:
            written = redis_dump.payload_version(clients[0])
        with self._server.open(binary=True) as client:
            read = redis_dump.payload_version(client)
        if written is not None and read is not None and written > read:
            raise OpsError(
                f"{self._server.host}:{self._server.port} is older than the Redis of this host: it reads keys up to version {read} of their form, "
                f"and this one writes {written}. Restore from a host with a Redis of its version."
            )

    def _copy_keys(self, source: Mapping[int, Any], numbers: list[int], truth: redis_truth.RedisTruth) -> tuple[int, list[str]]:
        """How many were copied, and what is not as it should be."""
        server = self._server
        copied = 0
        with ExitStack() as stack:
            targets = {number: stack.enter_context(server.open(binary=True, database=number)) for number in {0, *numbers}}
            for number in numbers:
                for batch in redis_truth.keys_of(source[number], self._job.match):
                    pipeline = targets[number].pipeline(transaction=False)
                    for key, payload, expires in redis_dump.dumped(source[number], batch):
                        pipeline.execute_command("RESTORE", key, expires, payload, "ABSTTL", *(["REPLACE"] if self._job.replace else []))
                    # A key that SCAN named twice is there already: that is no failure of ours.
                    answers = pipeline.execute(raise_on_error=False)
                    refused = next((one for one in answers if isinstance(one, Exception) and "BUSYKEY" not in str(one)), None)
                    if refused is not None:
                        older = (
                            "The server is older than the Redis of this host: restore from a host with one of its version. "
                            if "version" in str(refused)
                            else ""
                        )
                        raise OpsError(f"{server.host}:{server.port} refused a key of database {number}: {refused}. {older}What was copied before is there.")
                    copied += sum(not isinstance(one, Exception) for one in answers)
            # A pattern, or keys that were there before, leave nothing that could be counted; the samples of all that was copied hold.
            samples = () if self._job.match else tuple(one for one in truth.samples if one.database in numbers)
            whole = not self._job.match and not self._job.replace
            before, after, expiring = (
                {name: count for name, count in counts.items() if whole and int(name) in numbers}
                for counts in (truth.keys_before, truth.keys_after, truth.expiring)
            )
            part = redis_truth.RedisTruth(before, after, expiring, samples)
            return copied, redis_truth.compare(part, targets, int(self._clock.now() * 1000))


def _pipe(path: Path, socket: Path) -> None:
    """Give the commands of a file to a server made for this."""
    with path.open("rb") as stream:
        # Runner gives text to a command; this is not text.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            ["redis-cli", "-s", str(socket), "--pipe"], stdin=stream, capture_output=True, text=True, errors="replace", check=False, timeout=6 * 3600
        )
    if done.returncode != 0:
        raise policy.Damaged(f"redis-cli --pipe ended with {done.returncode}: {' '.join((done.stdout + done.stderr).split())[-500:]}")
