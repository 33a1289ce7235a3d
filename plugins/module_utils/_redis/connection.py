# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a Redis or Valkey server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

SPEC: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "required": True},
    "login_port": {"type": "int", "default": 6379},
    "login_user": {"type": "str", "default": "default"},
    "login_password": {"type": "str", "no_log": True},
    "ssl_mode": {"type": "str", "default": "verify-full", "choices": ["disable", "require", "verify-full"]},
    "ca_cert": {"type": "path"},
}

TIMEOUT = 10.0  # seconds, to connect and for each answer


@dataclass(frozen=True)
class Connection:
    """Where and as whom. ``repr`` never shows the password.

    ssl_mode: disable, require (encrypt, whoever the server is), or verify-full.
    """

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    ssl_mode: str
    ca_cert: str | None = None

    def login_as(self, user: str, password: str) -> Connection:
        """The same server as somebody else."""
        return replace(self, user=user, password=password)

    @contextmanager
    def open(self, *, binary: bool = False, database: int = 0) -> Iterator[Any]:
        """A client of one connection, closed at the end; answers are text, or bytes when ``binary``. Raises OpsError."""
        with self._translated():
            client = self._client(binary, database)
            try:
                client.ping()  # nothing is connected before the first command
                yield client
            finally:
                client.close()

    def refused(self) -> bool:
        """Whether the server refuses this user and password. Raises OpsError when it answers something else or nothing."""
        with self._translated():
            client = self._client(binary=False)
            try:
                client.execute_command("ACL", "WHOAMI")
            except library().exceptions.AuthenticationError:
                return True
            except library().exceptions.NoPermissionError:
                return False  # let in, though not allowed to ask who it is
            finally:
                client.close()
        return False

    def _client(self, binary: bool, database: int = 0) -> Any:
        client = library().Redis(
            host=self.host,
            port=self.port,
            db=database,
            username=self.user,
            password=self.password,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            decode_responses=not binary,
            ssl=self.ssl_mode != "disable",
        )
        if self.ssl_mode != "disable":
            client.connection_pool.connection_class = _over_tls(self.context())
        return client

    def context(self) -> ssl.SSLContext:
        """The rules of TLS with this server."""
        try:
            context = ssl.create_default_context(cafile=self.ca_cert)
        except OSError as error:
            raise OpsError(f"Cannot read the certificate authority {self.ca_cert}: {error}. Correct ca_cert; it is a PEM file on this host.") from error
        # From 3.13 on Python wants extensions that the certificates of managed servers do not have. Chain and name are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.ssl_mode == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    @contextmanager
    def _translated(self) -> Iterator[None]:
        errors = library().exceptions
        try:
            yield
        except errors.RedisError as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise OpsError(f"Redis at {self.host}:{self.port}, as {self.user}: {said}") from error


def _over_tls(context: ssl.SSLContext) -> type:
    """A connection with these rules: redis-py takes none, or only some, by its version."""
    base = library().connection.SSLConnection

    class OverTls(base):  # type: ignore[misc, valid-type]
        def _connect(self) -> Any:
            plain = super(base, self)._connect()
            try:
                return context.wrap_socket(plain, server_hostname=self.host)
            except OSError:
                plain.close()
                raise

    return OverTls


def library() -> Any:
    """redis-py. It takes a third of a second to load, which what has no use for it, a backup of PostgreSQL, must not take."""
    try:
        import redis
    except ImportError as error:
        raise OpsError("The Python library redis is missing on this host: install Debian's package python3-redis.") from error
    return redis


def from_params(params: Mapping[str, Any]) -> Connection:
    """The connection that a module's options describe."""
    return Connection(params["login_host"], params["login_port"], params["login_user"], params["login_password"], params["ssl_mode"], params["ca_cert"])
