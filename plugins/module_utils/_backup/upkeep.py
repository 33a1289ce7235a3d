# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to what looks after backups once they are made, the same for modules and for the command line's configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import overview, policy, report, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.bucket import Bucket
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.hold import Holding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.inspection import inspect
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import LIFE
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.locks import Locks
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Identity
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.overview import Limits
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Operation
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.redis_backup import RedisBackup, RedisBackupJob
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.redis_restore import RedisRestore, RedisRestoreJob, RedisVerify
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.restore import Restore
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retain import Retain, decide
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import Keep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.settings import Params, catalogue, database, restore, s3, sealer, signer, store, wanted
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.verify import TARGET, Question, Verify, VerifyJob
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import from_params


def verification(params: Params) -> Verify:
    """A check of a backup, in a server made for it or in ``server``."""
    server = params.get("server")
    questions = tuple(Question(one["name"], one["sql"]) for one in params.get("questions") or ())
    job_engine = params.get("engine") or "postgresql"
    usual = "V5" if job_engine == "redis" else "V7" if questions else "V6"
    job = VerifyJob(
        database=_database_name(params),
        prefix=params.get("prefix") or "",
        staging=Path(params.get("staging_dir") or "/var/tmp"),
        system_id=params.get("system_id"),
        backup_id=params.get("backup_id") or "latest",
        level=params.get("level") or usual,
        questions=questions,
        server=database(server) if server else None,
        target=params.get("scratch_database") or TARGET,
        jobs=params.get("jobs") or 2,
        max_age=params.get("max_age"),
        bin_dir=params.get("bin_dir"),
    )
    if job_engine == "redis":
        return RedisVerify(job, store(params), catalogue(params), _without_postgresql, sealer=sealer(params))
    # Of the options only those of the store, the keys and the tools hold for the restore that is part of a check.
    plain = {"source": None, "drop_after": False, "verify": True, "replace": None, "schemas": None, "tables": None}
    return Verify(job, store(params), catalogue(params), lambda more: restore({**params, **plain, **more}), sealer=sealer(params))


def backup(params: Params) -> Operation:
    """A backup of whatever the configuration of a host names."""
    return redis_backup(params) if params.get("engine") == "redis" else settings.backup(params)


def redis_backup(params: Params) -> RedisBackup:
    job = RedisBackupJob(
        server=from_params(params),
        name=_database_name(params),
        prefix=params.get("prefix") or "",
        system_id=params.get("system_id") or f"{params['login_host']}-{params['login_port']}",
        method=params.get("method") or "auto",
        sample=params["sample"] if params.get("sample") is not None else 1000,
        max_age=params.get("max_age"),
        lease_life=params.get("lease_seconds") or LIFE,
        telling=settings.telling(params),
    )
    return RedisBackup(job, store(params), signer(params), sealer=sealer(params))


def redis_restore(params: Params) -> RedisRestore:
    job = RedisRestoreJob(
        name=_database_name(params),
        prefix=params.get("prefix") or "",
        staging=Path(params.get("staging_dir") or "/var/tmp"),
        system_id=params.get("system_id"),
        backup_id=params.get("backup_id") or "latest",
        server=from_params(params) if params.get("login_host") else None,
        path=Path(params["path"]) if params.get("path") else None,
        databases=tuple(params.get("databases") or ()),
        match=params.get("match"),
        replace=bool(params.get("replace")),
    )
    return RedisRestore(job, store(params), catalogue(params), sealer=sealer(params))


def retain(params: Params) -> Retain:
    found = catalogue(params)
    return Retain(
        identity(params, found),
        rules(params),
        params.get("prefix") or "",
        store(params),
        found,
        locked=Locks(s3(params)).until,
        sweep=bool(params.get("sweep")),
        force=bool(params.get("force")),
    )


def rules(params: Params) -> Keep:
    given = {name: value for name, value in (params.get("keep") or {}).items() if value is not None}
    try:
        return Keep(**given)
    except TypeError as error:
        raise OpsError(f"The rules under keep are not understood: {error}.") from error


def holding(params: Params) -> Holding:
    found = catalogue(params)
    wanted = None
    if params["state"] == "present":
        wanted = {name: params.get(name) for name in ("reason", "owner", "until")}
        missing = [name for name in ("reason", "owner") if not wanted[name]]
        if missing:
            raise OpsError(f"Option {missing[0]} is missing: whoever finds the hold later has to know why it is there, and whom to ask.", field=missing[0])
    return Holding(identity(params, found), params["backup_id"], wanted, found)


def information(params: Params) -> dict[str, Any]:
    """Every backup and what is known about it, as a module returns it."""
    found = catalogue(params)
    identities = found.identities(params.get("database"), params.get("system_id"), params.get("engine"))
    required = [Identity(one.get("engine") or "postgresql", one.get("system_id") or "", one["database"]) for one in params.get("required") or ()]
    seen = overview_of(params, found, identities, required)
    return {**seen, "rendered": {name: report.FORMATS[name](seen) for name in params.get("formats") or ()}}


def overview_of(params: Params, found: Catalogue, identities: list[Identity], required: list[Identity]) -> dict[str, Any]:
    """required: those that have to have backups; one without a system id is there when any cluster has it."""
    now = Clock().now()
    limits = Limits(**{name: value for name, value in (params.get("limits") or {}).items() if value is not None})
    parts = []
    for one in identities:
        entries = found.entries(one)
        decisions = decide(entries, rules(params), now) if params.get("keep") else []
        parts.append(overview.database(one, entries, decisions, found.orphans(one), now, limits))
    there = {(one.engine, system, one.database) for one in identities for system in ("", one.system_id)}
    parts += [overview.absent(one, now) for one in required if (one.engine, one.system_id, one.database) not in there]
    return {
        "at": policy.timestamp(now),
        "backups": [line for part in parts for line in part["rows"]],
        "databases": [part["line"] for part in parts],
        "findings": [finding for part in parts for finding in part["findings"]],
    }


def inspection(params: Params) -> dict[str, Any]:
    """Whether a bucket is fit for backups, as a module returns it."""
    declared = params.get("declared")
    bucket, tried = Bucket(s3(params), wanted(declared or {})), store(params) if params.get("probe") else None
    found = inspect(bucket, tried, params["bucket"], policy.root(params.get("prefix") or ""), declared=declared is not None)
    return {"findings": [one.as_dict() for one in found]}


class Reporting:
    """An operation for the command line: write the report, and fail when something is wrong. A database without any backup is wrong too."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._folder = Path(params.get("report_dir") or "/var/lib/groundcrew/backup")

    def plan(self) -> Plan:
        return Plan("report", None, {"folder": str(self._folder)}, (f"write the report into {self._folder}",))

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"report": None}

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        found, system = catalogue(self._params), self._params.get("system_id")
        engine, name = whose(self._params)
        # That no backup was ever made must not look like nothing is wrong.
        wanted = Identity(engine, system or "", _database_name(self._params))
        seen = overview_of(self._params, found, found.identities(name, system, engine), [wanted])
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        name = f"groundcrew_backup_{stem(*whose(self._params))}-report"
        for form, render in report.FORMATS.items():
            write_atomic(self._folder / f"{name}.{report.ENDINGS[form]}", render(seen))
        failing = [finding for finding in seen["findings"] if finding["verdict"] == "fail"]
        if failing:
            raise OpsError("; ".join(f"{one['title']}: no, {one['evidence']}" for one in failing), findings=failing)
        return {"report": {"folder": str(self._folder), "databases": seen["databases"]}}


def identity(params: Params, found: Catalogue) -> Identity:
    return found.identity(_database_name(params), params.get("system_id"), params.get("engine") or "postgresql")


def whose(params: Params) -> tuple[str, str]:
    """Engine and database that a configuration is about; it may name the database as the one to log in to. Empty when it does neither."""
    return str(params.get("engine") or "postgresql"), str(params.get("database") or params.get("login_db") or "")


def stem(engine: str, database: str) -> str:
    """How files about a database begin: a host may have several, and their names may have slashes in them."""
    return f"{engine}-{policy.encode(database)}"


def _database_name(params: Params) -> str:
    name = whose(params)[1]
    if not name:
        raise OpsError("Option database is missing: say whose backups are meant.")
    return name


def _without_postgresql(_options: Params) -> Restore:
    raise OpsError("A backup of Redis is not restored by the tools of PostgreSQL.")
