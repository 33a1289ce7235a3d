# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

try:
    import psycopg2
except ImportError:
    psycopg2 = None  # type: ignore[assignment]

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

# What a server says when it refuses a credential, as against being unreachable, full or in recovery.
_REFUSALS = ("password authentication failed", "is not permitted to log in", "no password supplied")


@dataclass(frozen=True)
class Connection:
    """Where and as whom. ``repr`` never shows the password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ssl_mode: str
    ca_cert: str | None = None

    def login_as(self, user: str, password: str) -> Connection:
        """The same database as somebody else."""
        return replace(self, user=user, password=password)

    @contextmanager
    def open(self) -> Iterator[Any]:
        """One transaction: committed at the end, rolled back after an error, then closed. Raises OpsError."""
        with self._translated():
            connection = self._connect()
            try:
                with connection:
                    yield connection
            finally:
                connection.close()

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Statements that are each a transaction of their own, as VACUUM wants it; closed at the end. Raises OpsError."""
        with self._translated():
            connection = self._connect()
            connection.autocommit = True
            try:
                yield connection
            finally:
                connection.close()

    def refused(self) -> bool:
        """Whether the server refuses this user and password. Raises OpsError when it answers something else or nothing."""
        with self._translated():
            try:
                self._connect().close()
            except psycopg2.OperationalError as error:
                if any(refusal in str(error) for refusal in _REFUSALS):
                    return True
                raise
        return False

    def _connect(self) -> Any:
        return psycopg2.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
            sslmode=self.ssl_mode,
            sslrootcert=self.ca_cert,
            connect_timeout=10,
            application_name="groundcrew.ops",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if psycopg2 is None:
            raise OpsError("The Python library psycopg2 is missing on this host: install Debian's package python3-psycopg2.")
        try:
            yield
        except psycopg2.Error as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise OpsError(f"PostgreSQL at {self.host}:{self.port}, database {self.database}, as {self.user}: {said}", sqlstate=error.pgcode) from error


def from_params(params: Mapping[str, Any]) -> Connection:
    """The connection that a module's options describe."""
    return Connection(
        params["login_host"], params["login_port"], params["login_user"], params["login_password"], params["login_db"], params["ssl_mode"], params["ca_cert"]
    )
