# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL through psycopg2: what a backup asks of the source, and a restore of the target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import schema
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    Database,
    DatabaseSettings,
    SequenceTruth,
    TableTruth,
    Truth,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:
    HAS_PSYCOPG2 = False
else:
    HAS_PSYCOPG2 = True

OLDEST = 12
LOCK_SPACE = 0x67726F75
LOCK_BATCH = 500
# The text of a value must not depend on the session, the role or the database it is read in.
SESSION = """
    SET search_path = ''; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET client_encoding = 'UTF8'
"""
TABLES = f"""
    SELECT c.oid, n.nspname, c.relname, has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid), c.relkind = 'r'
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND {schema.OWN_RELATION} ORDER BY 1
"""
# The size of a table waits for who changes its definition: it is asked for only once the tables are locked.
SIZES = f"SELECT oid, pg_table_size(oid) FROM ({TABLES}) AS listed"
SEQUENCES = f"""
    SELECT n.nspname, c.relname, s.seqincrement, has_sequence_privilege(c.oid, 'SELECT')
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schema.OWN_RELATION}
"""
COLUMNS = """
    WITH RECURSIVE base AS (
      SELECT oid, oid AS type, typbasetype FROM pg_type
      UNION ALL SELECT base.oid, t.oid, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype
    )
    SELECT a.attrelid, a.attname, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname END
    FROM pg_attribute a JOIN base ON base.oid = a.atttypid AND base.typbasetype = 0 JOIN pg_type t ON t.oid = base.type
    WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
# From 14 on a row is hashed as it is, which takes a third of the time of its text. Two values of these types have the same hash only if they are the same.
RECORDS_FROM = 14
RECORD = "record:"
BY_VALUE = frozenset({"bool", "int2", "int4", "int8", "oid", "uuid", "bytea", "date", "time", "timestamp", "timestamptz", "inet", "cidr", "macaddr", "jsonb"})
BY_CHARACTERS = frozenset({"text", "varchar"})
# The hash of these is made for their equality, to which 1.0 and 1.00, or a month and 30 days, are the same: what goes over the wire is exact.
BY_WIRE = {"numeric": "numeric_send", "float4": "float4send", "float8": "float8send", "interval": "interval_send", "bpchar": "bpcharsend"}
LOCKS = """
    SELECT current_setting('max_locks_per_transaction')::int, current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int
"""
FREE_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)
    FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


class Session:
    """One connection to one database."""

    def __init__(self, database: Database) -> None:
        if not HAS_PSYCOPG2:
            raise OpsError("psycopg2 is not installed for this Python: install python3-psycopg2 (Debian, Ubuntu) or the package psycopg2-binary.")
        self.database = database
        self.locked = 0  # tables, by ``begin_snapshot``
        try:
            self._connection = psycopg2.connect(
                host=database.host,
                port=database.port,
                user=database.user,
                password=database.password,
                dbname=database.name,
                sslmode=database.ssl_mode,
                sslrootcert=database.ca_cert,
                connect_timeout=15,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
                application_name="groundcrew.ops",
            )
        except psycopg2.Error as error:
            raise OpsError(
                f"Cannot connect to database {database.name} as {database.user} at {database.host}:{database.port}: {_said(error)} "
                "Check the address, the password, the TLS mode and whether this host may connect.",
            ) from error
        self._connection.autocommit = True
        with self.errors("prepare the session"), self._connection.cursor() as cursor:
            cursor.execute(SESSION)

    def cancel(self) -> None:
        """End what it is doing, from another thread."""
        if not self._connection.closed:
            self._connection.cancel()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_unused: object) -> None:
        self._connection.close()

    @property
    def version(self) -> int:
        """As PostgreSQL counts it: 150020 is 15.20."""
        version: int = self._connection.server_version
        return version

    @property
    def major(self) -> int:
        return self.version // 10000

    def rows(self, query: Any, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with self.errors("query"), self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall()) if cursor.description else []

    def value(self, query: Any, values: Sequence[Any] | None = None) -> Any:
        return self.rows(query, values)[0][0]

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except psycopg2.Error as error:
            raise OpsError(f"Cannot {doing} in database {self.database.name} at {self.database.host}: {_said(error)}", sqlstate=error.pgcode) from error

    def system_id(self) -> str:
        """Names the cluster, whatever its address."""
        return str(self.value("SELECT system_identifier FROM pg_control_system()"))

    def now(self) -> float:
        return float(self.value("SELECT extract(epoch FROM clock_timestamp())"))

    def require_direct(self) -> None:
        """Raise when somebody between answers for the server."""
        if self._connection.get_backend_pid() != self.value("SELECT pg_backend_pid()"):
            where = f"{self.database.host}:{self.database.port}"
            raise OpsError(f"{where} is a connection pooler: snapshots and locks do not survive it. Give the address of the server itself.")

    @contextmanager
    def exclusive(self, purpose: str) -> Iterator[None]:
        """One run at a time; the server lets go when this connection ends, however it ends."""
        self.require_direct()
        if not self.value("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK_SPACE, purpose)):
            raise OpsError(f"Another run holds the lock for {purpose} on {self.database.host}. Wait for it to end; nothing was done.")
        try:
            yield
        finally:
            if not self._connection.closed:
                self.value("SELECT pg_advisory_unlock(%s, hashtext(%s))", (LOCK_SPACE, purpose))

    def preflight(self, connections: int) -> int:
        """Raise before anything is written when a backup could not be whole; the bytes of the database.

        connections: how many more this run needs.
        """
        if self.major < OLDEST:
            raise OpsError(f"The server is PostgreSQL {self.major}; backups need {OLDEST} or later.")
        self.require_direct()
        tables, sequences = self.rows(TABLES), self.rows(SEQUENCES)
        unreadable = [name(row[1], row[2]) for row in tables if not row[3]] + [name(row[0], row[1]) for row in sequences if not row[3]]
        if unreadable:
            raise OpsError(f"User {self.database.user} may not read {_some(unreadable)}: grant SELECT, or use the owner.", unreadable=unreadable)
        hidden = [name(row[1], row[2]) for row in tables if row[4]]
        if hidden:
            raise OpsError(f"Row security hides rows of {_some(hidden)} from {self.database.user}: use a role with BYPASSRLS.", hidden=hidden)
        free = self.value(FREE_CONNECTIONS)
        if free < connections:
            raise OpsError(f"The server has {free} connections left and the backup needs {connections}: lower jobs, or raise max_connections.")
        return int(self.value("SELECT pg_database_size(current_database())"))

    def begin_snapshot(self, lock_timeout: int) -> str:
        """Begin the truth session: lock every table against DDL, then take the snapshot, and export it.

        The locks come before the first SELECT: a snapshot that is older than a lock would lose what a TRUNCATE in the gap removed.
        lock_timeout: seconds to wait for a table.
        """
        for _attempt in range(3):
            listed = self._lockable()
            with self.errors("lock every table"), self._connection.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                try:
                    cursor.execute(f"SET LOCAL lock_timeout = '{int(lock_timeout)}s'")
                    for start in range(0, len(listed), LOCK_BATCH):
                        names = [sql.SQL("ONLY ") + sql.Identifier(*pair) for pair in listed[start : start + LOCK_BATCH]]
                        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(names)))
                except psycopg2.errors.UndefinedTable:
                    self.end()
                    continue
                except psycopg2.errors.OutOfMemory as error:
                    self.end()
                    raise OpsError(self._too_few_locks(len(listed)), tables=len(listed)) from error
            if self._lockable() == listed:
                self.locked = len(listed)
                return str(self.value("SELECT pg_export_snapshot()"))
            self.end()
        raise OpsError("Tables appeared or went away each time the backup tried to lock them all. Run again when no migration is under way.")

    def _too_few_locks(self, tables: int) -> str:
        """The server's locks are max_locks_per_transaction for each transaction that there may be, whoever takes them."""
        each, transactions = self.rows(LOCKS)[0]
        enough = -(-(2 * tables + LOCK_BATCH) // transactions)
        return (
            f"Database {self.database.name} has {tables} tables, and the server has {each * transactions} locks for all that is done at once. "
            f"A backup takes two for each table, one of them pg_dump's: set max_locks_per_transaction to {enough} or more and restart the server."
        )

    def end(self) -> None:
        """End the transaction, and with it locks and snapshot."""
        if not self._connection.closed:
            with self.errors("end the transaction"), self._connection.cursor() as cursor:
                cursor.execute("ROLLBACK")

    def truth(self, hash_limit: int | None, like: Truth | None = None) -> Truth:
        """Read what the database holds. For a backup, inside of its snapshot.

        hash_limit: tables with more bytes are counted, not hashed; None hashes all.
        like: hash rows the way this truth did, so that the two can be compared.
        """
        records = self.major >= RECORDS_FROM if like is None else any((table.hash or "").startswith(RECORD) for table in like.tables)
        # Sequences first: the dump reads them later, and one that is ahead loses nothing.
        sequences = tuple(sorted((self._sequence(*row[:3]) for row in self.rows(SEQUENCES)), key=lambda sequence: sequence.name))
        tables, sizes = [row for row in self.rows(TABLES) if row[5]], dict(self.rows(SIZES))
        hashed = [row[0] for row in tables if hash_limit is None or sizes[row[0]] <= hash_limit]
        rows = self._row_hashes(hashed) if records else dict.fromkeys(hashed, 'hashtextextended(t::text COLLATE "C", 0)')
        counted = tuple(sorted((self._table(row[1], row[2], rows.get(row[0]), records) for row in tables), key=lambda table: table.name))
        objects, objects_hash = self._large_objects(hash_limit)
        return Truth(
            taken_at=self.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"),
            server_version=self.version,
            settings=self._settings(),
            extensions=tuple(row[0] for row in self.rows('SELECT extname FROM pg_extension ORDER BY extname COLLATE "C"')),
            tables=counted,
            sequences=sequences,
            schema=tuple(schema.fingerprint(kind, self.rows(query)) for kind, query in schema.QUERIES.items()),
            large_objects=objects,
            large_objects_hash=objects_hash,
        )

    def exists(self, wanted: str) -> bool:
        """Whether a database of this name exists."""
        return bool(self.rows("SELECT 1 FROM pg_database WHERE datname = %s", (wanted,)))

    def comment_of(self, wanted: str) -> str | None:
        comment: str | None = self.value("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (wanted,))
        return comment

    def comment(self, wanted: str, text: str | None) -> None:
        self.rows(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(wanted), sql.Literal(text)))

    def create(self, wanted: str, settings: DatabaseSettings, *, ownership: bool) -> None:
        """Create an empty database that sorts and compares as the source did.

        ownership: it also belongs to whom the source did; the owner's tables in the schema public depend on that.
        """
        clauses = [
            sql.SQL("TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
                sql.Literal(settings.encoding), sql.Literal(settings.collate), sql.Literal(settings.ctype)
            )
        ]
        if settings.provider == "i":
            clauses.append(sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(sql.Literal(settings.locale)))
        elif settings.provider == "b":
            clauses.append(sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(sql.Literal(settings.locale)))
        if ownership:
            clauses.append(sql.SQL("OWNER {}").format(sql.Identifier(settings.owner)))
        self.rows(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(wanted)) + sql.SQL(" ").join(clauses))

    def drop(self, wanted: str) -> None:
        """Drop a database and whoever is connected to it."""
        self._disconnect(wanted)
        self.rows(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(wanted)))

    def exchange(self, target: str, fresh: str, kept: str | None) -> None:
        """Let ``fresh`` be ``target``, and the old ``target``, if there is one, be ``kept``: both or neither, whoever is connected."""
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        for attempt in range(10):
            self._disconnect(target)
            self._disconnect(fresh)
            try:
                with self.errors("exchange the databases"), self._connection.cursor() as cursor:
                    cursor.execute("BEGIN")
                    if kept is not None:
                        cursor.execute(rename.format(sql.Identifier(target), sql.Identifier(kept)))
                    cursor.execute(rename.format(sql.Identifier(fresh), sql.Identifier(target)))
                    cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(sql.Identifier(target)))
                    cursor.execute("COMMIT")
                return
            except OpsError as error:
                self.end()
                # Somebody came back between the two statements.
                if error.details.get("sqlstate") != "55006" or attempt == 9:
                    raise

    def _disconnect(self, wanted: str) -> None:
        self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (wanted,))

    def objects(self) -> int:
        """How many relations, functions, types and large objects there are: 0 means that nothing is overwritten."""
        counts = "".join(f" + (SELECT count(*) FROM ({schema.QUERIES[kind]}) q)" for kind in ("relations", "functions", "types"))
        return int(self.value(f"SELECT (SELECT count(*) FROM pg_largeobject_metadata){counts}"))

    def analyze(self) -> None:
        self.rows("ANALYZE")

    def _lockable(self) -> list[tuple[str, str]]:
        return [(row[1], row[2]) for row in self.rows(TABLES)]

    def _sequence(self, namespace: str, sequence: str, increment: int) -> SequenceTruth:
        value, called = self.rows(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(namespace, sequence)))[0]
        return SequenceTruth(name(namespace, sequence), value, called, increment)

    def _row_hashes(self, tables: list[int]) -> dict[int, str]:
        """For each table the expression that hashes one of its rows ``t``."""
        parts: dict[int, list[str]] = {table: [] for table in tables}
        for table, column, kind in self.rows(COLUMNS, (tables,)):
            value = "t." + quoted(column)
            if kind in BY_CHARACTERS:
                value += ' COLLATE "C"'
            elif kind in BY_WIRE:
                value = f"{BY_WIRE[kind]}({value})"
            elif kind not in BY_VALUE:
                value += '::text COLLATE "C"'
            parts[table].append(value)
        return {table: f"hash_record_extended(ROW({', '.join(values)}), 0)" if values else "0" for table, values in parts.items()}

    def _table(self, namespace: str, table: str, row_hash: str | None, records: bool) -> TableTruth:
        # The sum of the rows' hashes does not depend on their order, and unlike an exclusive or it sees duplicates.
        what = "NULL" if row_hash is None else f"coalesce(sum({row_hash}), 0)::text"
        rows, total = self.rows(f"SELECT count(*), {what} FROM ONLY {quoted(namespace)}.{quoted(table)} t")[0]
        return TableTruth(name(namespace, table), rows, RECORD + total if total is not None and records else total)

    def _large_objects(self, hash_limit: int | None) -> tuple[int, str | None]:
        count = self.value("SELECT count(*) FROM pg_largeobject_metadata")
        if hash_limit is not None and self.value("SELECT pg_table_size('pg_largeobject')") > hash_limit:
            return count, None
        digest = "hashtextextended(oid::text || encode(sha256(lo_get(oid)), 'hex'), 0)"
        return count, self.value(f"SELECT coalesce(sum({digest}), 0)::text FROM pg_largeobject_metadata")

    def _settings(self) -> DatabaseSettings:
        provider, locale = "'c'", "NULL"
        if self.major >= 15:
            provider, locale = "datlocprovider::text", "datlocale" if self.major >= 17 else "daticulocale"
        columns = f"pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, {provider}, {locale}"
        return DatabaseSettings(*self.rows(f"SELECT {columns} FROM pg_database WHERE datname = current_database()")[0])


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def name(namespace: str, relation: str) -> str:
    """A table's name for people and for comparison: quoted only when it must be, by the same rule for every server."""
    return ".".join(part if re.fullmatch(r"[a-z_][a-z0-9_]*", part) else '"' + part.replace('"', '""') + '"' for part in (namespace, relation))


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _said(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
