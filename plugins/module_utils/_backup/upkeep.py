# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to what looks after backups once they are made, the same for modules and for the command line's configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.catalogue import Catalogue, describe
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.hold import Holding
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.locks import Locks
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Identity
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retain import Retain
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.retention import Keep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.settings import Params, catalogue, database, restore, s3, store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.verify import TARGET, Question, Verify, VerifyJob
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


def verification(params: Params) -> Verify:
    """A check of a backup, in a server made for it or in ``server``."""
    server = params.get("server")
    questions = tuple(Question(one["name"], one["sql"]) for one in params.get("questions") or ())
    job = VerifyJob(
        database=_database_name(params),
        prefix=params.get("prefix") or "",
        staging=Path(params.get("staging_dir") or "/var/tmp"),
        system_id=params.get("system_id"),
        backup_id=params.get("backup_id") or "latest",
        level=params.get("level") or ("V7" if questions else "V6"),
        questions=questions,
        server=database(server) if server else None,
        target=params.get("scratch_database") or TARGET,
        jobs=params.get("jobs") or 2,
        max_age=params.get("max_age"),
        bin_dir=params.get("bin_dir"),
    )
    return Verify(job, store(params), catalogue(params), lambda more: restore({**params, "source": None, "drop_after": False, "verify": True, **more}))


def retain(params: Params) -> Retain:
    found = catalogue(params)
    return Retain(
        identity(params, found),
        rules(params),
        params.get("prefix") or "",
        store(params),
        found,
        locked=Locks(s3(params)).until,
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
    """Every backup, as a module returns it."""
    found = catalogue(params)
    identities = found.identities(params.get("database"), params.get("system_id"))
    return {"backups": [describe(identity, entry) for identity in identities for entry in found.entries(identity)]}


def identity(params: Params, found: Catalogue) -> Identity:
    return found.identity(_database_name(params), params.get("system_id"), params.get("engine") or "postgresql")


def _database_name(params: Params) -> str:
    """The configuration of a host names the database as the one to log in to."""
    name = params.get("database") or params.get("login_db")
    if not name:
        raise OpsError("Option database is missing: say whose backups are meant.")
    return str(name)
