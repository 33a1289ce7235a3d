# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a PostgreSQL database cannot be reached, or is slow. Reads only. Shows no text of a statement, which may hold a secret."""

from __future__ import annotations

import re
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, Unread, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.way import Way, ask_the_way, round_trip_ms, walk
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection, from_params

CATALOG = Catalog("diagnose.postgresql")
ask_the_way(CATALOG)
check = CATALOG.check
Rows = Sequence[Mapping[str, Any]]

# The first packet of a client that wants TLS: its length and a number that is no version.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# What a server says that knows the user and has no room or no time, or has no such database.
_NOT_NOW = re.compile(r"starting up|shutting down|recovery mode|too many (clients|connections)|connection slots|not accept(ing|ed) connections", re.I)
_DATABASE = re.compile(r'database "[^"]*" does not exist|permission denied for database', re.I)
QUESTIONS = {
    "sessions": "SELECT count(*) AS used, current_setting('max_connections')::int AS allowed FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "blocked": "SELECT pid, usename, extract(epoch FROM now() - query_start)::int AS seconds, pg_blocking_pids(pid)::text AS blockers"
    " FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0",
    "active": "SELECT pid, usename, state, extract(epoch FROM now() - CASE state WHEN 'active' THEN query_start ELSE state_change END)::int AS seconds,"
    " coalesce(wait_event_type || ' ' || wait_event, 'nothing') AS waits FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND state IN ('active', 'idle in transaction') ORDER BY seconds DESC",
    "writes": "SELECT pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') = 'on' AS read_only",
}


@check("critical", "The server takes connections", "Wait while it starts; free or add connections: a pool (do_database_pool), or a larger size.")
def state(state: Told) -> Told:
    return state


@check("critical", "The user is let in", "See which secret the application has (playbooks/rotate.yml, verb verify of secret), and the line of pg_hba.conf.")
def credentials(credentials: Told) -> Told:
    return credentials


@check("critical", "The database is there", "Correct its name, or make it (do_database).")
def database(database: Told) -> Told:
    return database


@check("high", "There is room for further connections", "Look for a leak of connections in the application; put a pool before the database.")
def connections(sessions: Rows) -> Told:
    used, allowed = sessions[0]["used"], sessions[0]["allowed"]
    return used < 0.9 * allowed, f"{used} of {allowed} connections are used."


@check("high", "Nobody waits for a lock", "SELECT pg_terminate_backend(PID) of the one that holds it, if it is of no use any more.")
def locks(blocked: Rows) -> Told:
    return nothing_of([f"{_who(each)} waits for {each['blockers'].strip('{}')} since {each['seconds']} s" for each in blocked], "Nobody does.")


@check("medium", "No statement takes long", "EXPLAIN it; look for an index that is missing and for VACUUM (verb maintain of postgresql).")
def slow(active: Rows, slow_seconds: float) -> Told:
    long = [each for each in active if each["state"] == "active" and each["seconds"] >= slow_seconds]
    return nothing_of([f"{_who(each)} runs since {each['seconds']} s, waits for {each['waits']}" for each in long], f"None takes {slow_seconds:g} s.")


@check("medium", "No transaction is left open", "End it in the application; idle_in_transaction_session_timeout ends it by itself.")
def left_open(active: Rows, slow_seconds: float) -> Told:
    idle = [each for each in active if each["state"] != "active" and each["seconds"] >= slow_seconds]
    return nothing_of([f"{_who(each)} is idle in a transaction since {each['seconds']} s" for each in idle], f"None is idle for {slow_seconds:g} s.")


@check("high", "The server takes writes", "Connect to the primary; a full disk makes a managed cluster read-only: make it larger.")
def writes(writes: Rows) -> Told:
    why = ["it is a standby"] * bool(writes[0]["standby"]) + ["default_transaction_read_only is on"] * bool(writes[0]["read_only"])
    return nothing_of([f"It takes none: {each}" for each in why], "It does.")


@check("medium", "It answers quickly", "Look at the load of the server and of this host, and whether both are in one region and private network.")
def latency(round_trip_ms: float, max_latency_ms: float) -> Told:
    return round_trip_ms <= max_latency_ms, f"An empty statement takes {round_trip_ms:.1f} ms; the limit is {max_latency_ms:g} ms."


class Server:
    """One login tells three steps apart."""

    def __init__(self, connection: Connection, way: Way) -> None:
        self._connection = connection
        self._way = way

    def tls(self) -> str:
        mode = self._connection.ssl_mode
        if mode == "disable":
            return "None was asked for."
        try:
            with self._way.connect() as plain:
                plain.sendall(SSL_REQUEST)
                answer = plain.recv(1)
                if answer != b"S":
                    if mode in ("allow", "prefer") and answer == b"N":
                        return f"The server has none, and ssl_mode is {mode}."
                    raise OpsError("The server offers no TLS." if answer == b"N" else "What answers there is no PostgreSQL, or it ended the connection.")
                with self._context().wrap_socket(plain, server_hostname=self._connection.host) as secured:
                    return f"{secured.version()}, {mode}."
        except OSError as error:
            raise OpsError(f"TLS with {self._connection.host} failed: {error}.") from error

    def _context(self) -> ssl.SSLContext:
        mode, authority = self._connection.ssl_mode, self._connection.ca_cert
        context = ssl.create_default_context(cafile=authority)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "verify-full"
        if mode not in ("verify-ca", "verify-full") and not authority:
            context.verify_mode = ssl.CERT_NONE
        return context

    def state(self) -> str:
        self._raise(lambda said: bool(_NOT_NOW.search(said)))
        return "It does."

    def credentials(self) -> str:
        self._raise(lambda said: not _DATABASE.search(said))
        return f"{self._connection.user} logs in."

    def database(self) -> str:
        self._raise(lambda _said: True)
        return f"{self._connection.database} can be used."

    def _raise(self, meant: Callable[[str], bool]) -> None:
        if self._refusal is not None and meant(self._refusal):
            raise OpsError(self._refusal)

    @cached_property
    def _refusal(self) -> str | None:
        try:
            with self._connection.open():
                return None
        except OpsError as error:
            return error.message


def facts(connection: Connection, params: Mapping[str, Any]) -> dict[str, Any]:
    way = Way(connection.host, connection.port)
    server = Server(connection, way)
    steps = {**way.steps(), "tls": server.tls, "state": server.state, "credentials": server.credentials, "database": server.database}
    walked = walk(steps)
    limits = {name: params[name] for name in ("slow_seconds", "max_latency_ms")}
    arrived = isinstance(walked["database"], tuple) and walked["database"][0]
    if not arrived:
        unread = Unread("nobody could log in")
        return {**walked, **limits, **dict.fromkeys((*QUESTIONS, "round_trip_ms"), unread)}
    with connection.open() as session, session.cursor() as cursor:

        def ask(question: str) -> list[dict[str, Any]]:
            cursor.execute(question)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        readers: dict[str, Callable[[], Any]] = {name: partial(ask, question) for name, question in QUESTIONS.items()}
        readers["round_trip_ms"] = partial(round_trip_ms, partial(cursor.execute, "SELECT 1"))
        return {**walked, **limits, **gather(readers, side_by_side=1)}


def _who(session: Mapping[str, Any]) -> str:
    return f"process {session['pid']} of {session['usename']}"


def diagnose_postgresql(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module postgresql_diagnose answers."""
    found = CATALOG.examine(params["subject"], facts(from_params(params), params))
    return {"findings": [each.as_dict() for each in found]}
