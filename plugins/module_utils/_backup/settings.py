# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to objects, the same for modules and for the command line's configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.backup import Backup, BackupJob
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.bucket import Bucket, Wanted
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.contents import Choice
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.growing import MIB
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.lease import LIFE
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.progress import EVERY, Telling
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.replication import Replication
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.restore import Restore, RestoreJob
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, S3Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.stream import Limits
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

Params = Mapping[str, Any]
SLEEPING = ("GLACIER", "DEEP_ARCHIVE")


def backup(params: Params) -> Backup:
    job = BackupJob(
        database=database(params),
        prefix=params.get("prefix") or "",
        staging=Path(params.get("staging_dir") or "/var/tmp"),
        limits=Limits((params.get("staging_mib") or 512) * MIB, params.get("stall_seconds") or 600.0),
        jobs=params.get("jobs") or 2,
        lock_timeout=params.get("lock_timeout") or 30,
        hash_limit=params.get("hash_limit"),
        max_age=params.get("max_age"),
        roles=params.get("roles") is not False,
        lease_life=params.get("lease_seconds") or LIFE,
        bin_dir=params.get("bin_dir"),
        telling=telling(params),
    )
    return Backup(job, store(params), signer(params), sealer=sealer(params))


def restore(params: Params) -> Restore:
    drop_after = bool(params.get("drop_after"))
    ownership = params.get("ownership")
    source = params.get("source")
    job = RestoreJob(
        server=database(params),
        target=_required(params, "target_database"),
        database=_required(params, "database"),
        prefix=params.get("prefix") or "",
        staging=Path(params.get("staging_dir") or "/var/tmp"),
        limit=params["staging_mib"] * MIB if params.get("staging_mib") else None,
        replace=params.get("replace"),
        choice=Choice(tuple(params.get("schemas") or ()), tuple(params.get("tables") or ())),
        system_id=params.get("system_id"),
        backup_id=params.get("backup_id") or "latest",
        jobs=params.get("jobs") or 2,
        verify=params.get("verify") is not False,
        source=database(source) if source else None,
        drop_after=drop_after,
        # A scratch database is read by nobody, so the roles need not exist where it is made.
        ownership=not drop_after if ownership is None else ownership,
        allow_vulnerable_client=bool(params.get("allow_vulnerable_client")),
        bin_dir=params.get("bin_dir"),
    )
    return Restore(job, store(params), signer(params), sealer=sealer(params))


def telling(params: Params) -> Telling:
    file = params.get("progress_file")
    return Telling(Path(file) if file else None, bool(params.get("progress_lines")), params.get("progress_seconds") or EVERY)


def catalogue(params: Params) -> Catalogue:
    return Catalogue(store(params), signer(params), params.get("prefix") or "")


def database(params: Params) -> Database:
    return Database(
        host=_required(params, "login_host"),
        port=int(params.get("login_port") or 5432),
        user=_required(params, "login_user"),
        name=_required(params, "login_db"),
        password=params.get("login_password"),
        ssl_mode=params.get("ssl_mode") or "require",
        ca_cert=params.get("ca_cert"),
    )


def store(params: Params) -> S3Store:
    return S3Store(s3(params))


def s3(params: Params) -> S3Settings:
    storage_class = params.get("storage_class")
    if storage_class in SLEEPING:
        raise OpsError(f"Objects of storage class {storage_class} take hours to be read again, and a check reads them at once: choose another one.")
    return S3Settings(
        bucket=_required(params, "bucket"),
        endpoint_url=params.get("endpoint_url"),
        region=params.get("region"),
        access_key=params.get("access_key"),
        secret_key=params.get("secret_key"),
        session_token=params.get("session_token"),
        addressing_style=params.get("addressing_style") or "auto",
        ca_bundle=params.get("ca_bundle"),
        storage_class=storage_class,
    )


def repository(params: Params) -> Bucket:
    return Bucket(s3(params), wanted(params))


def wanted(params: Params) -> Wanted:
    """How a bucket should be. What is not given is as the module has it by default."""
    given = {name: params[name] for name in ("noncurrent_days", "unfinished_days", "encryption", "kms_key", "object_lock_days") if params.get(name) is not None}
    copied = params.get("replication")
    return Wanted(**given, replication=Replication(copied["role"], copied["bucket"], copied.get("kms_key")) if copied else None)


def signer(params: Params) -> Signer:
    return Signer(_required(params, "signing_key"))


def sealer(params: Params) -> Sealer | None:
    return Sealer(params["encryption_key"]) if params.get("encryption_key") else None


def _required(params: Params, name: str) -> str:
    value = params.get(name)
    if not value:
        raise OpsError(f"Option {name} is missing.")
    return str(value)
