# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client tools of PostgreSQL on this host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

DEBIAN = Path("/usr/lib/postgresql")
# CVE-2026-116314: pg_restore before these minors runs code from a crafted archive.
FIXED_MINORS = {14: 25, 15: 20, 16: 16, 17: 12, 18: 7}


@dataclass(frozen=True)
class Tools:
    """A folder with pg_dump and pg_restore of one version."""

    folder: Path
    major: int
    minor: int

    @property
    def version(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def safe_restore(self) -> bool:
        fixed = FIXED_MINORS.get(self.major)
        return self.major > max(FIXED_MINORS) or (fixed is not None and self.minor >= fixed)

    def path(self, name: str) -> str:
        return str(self.folder / name)


def find_tools(server_major: int, *, bin_dir: str | None = None, runner: Runner | None = None, debian: Path = DEBIAN) -> Tools:
    """The oldest client tools that are not older than the server: their output is the one it restores best.

    bin_dir: look only there.
    Raises OpsError that names the package to install.
    """
    runner = runner or Runner()
    folders = [Path(bin_dir)] if bin_dir else sorted(debian.glob("*/bin"))
    found = sorted((_inspect(folder, runner) for folder in folders if (folder / "pg_dump").exists()), key=lambda tools: (tools.major, tools.minor))
    for tools in found:
        if tools.major >= server_major:
            return tools
    have = ", ".join(tools.version for tools in found) or "none"
    raise OpsError(
        f"The server is PostgreSQL {server_major} and pg_dump must not be older; found in {bin_dir or debian}: {have}. "
        f"Install postgresql-client-{server_major} "
        "(a distribution that does not have it cannot back this server up: use a newer host, or the package source apt.postgresql.org).",
        server_major=server_major,
    )


def environment(database: Database) -> Mapping[str, str]:
    """How libpq's tools reach a database: nothing of it in an argument list, and no name is read as a connection string."""
    values = {
        "PGHOST": database.host,
        "PGPORT": str(database.port),
        "PGUSER": database.user,
        "PGDATABASE": database.name,
        "PGSSLMODE": database.ssl_mode,
        "PGCONNECT_TIMEOUT": "15",
        "PGAPPNAME": "groundcrew.ops",
        "LC_ALL": "C",
    }
    if database.password is not None:
        values["PGPASSWORD"] = database.password
    if database.ca_cert is not None:
        values["PGSSLROOTCERT"] = database.ca_cert
    return values


def _inspect(folder: Path, runner: Runner) -> Tools:
    said = runner.run([str(folder / "pg_dump"), "--version"], timeout=30).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None:
        raise OpsError(f"{folder / 'pg_dump'} does not say its version: {said.strip()!r}.")
    return Tools(folder, int(version[1]), int(version[2]))
