# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server against the security checklists. The checks are pure; ``facts`` asks the server, in one transaction that only reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, declared, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection, from_params

CATALOG = Catalog("postgresql")
check = CATALOG.check
Settings = Mapping[str, str]
Rows = Sequence[Mapping[str, Any]]
# https://www.postgresql.org/support/versioning: the last day with fixes.
END_OF_LIFE = {
    12: dt.date(2024, 11, 21),
    13: dt.date(2025, 11, 13),
    14: dt.date(2026, 11, 12),
    15: dt.date(2027, 11, 11),
    16: dt.date(2028, 11, 9),
    17: dt.date(2029, 11, 8),
    18: dt.date(2030, 11, 14),
}
# The server stops taking writes at 2^31 - 3 million transactions.
WRAPAROUND = 1_000_000_000


@check("critical", "The connection is encrypted", "Connect with sslmode=verify-full, and set ssl = on.")
def tls(session: Mapping[str, Any]) -> Told:
    return bool(session["ssl"]), f"This connection has {session['version'] or 'no TLS'}."


@check("high", "No connection is let in without encryption", "Write hostssl in pg_hba.conf for every address but loopback.")
def tls_enforced(rules: Rows) -> Told:
    open_ = [f"line {each['line']}: {each['type']} {each['address']}" for each in rules if each["type"] in ("host", "hostnossl") and not _here(each)]
    return nothing_of([each for each in open_ if "reject" not in each], "Only hostssl lets in from elsewhere.")


@check("medium", "Old versions of TLS are refused", "Set ssl_min_protocol_version to TLSv1.2.")
def tls_versions(settings: Settings) -> Told:
    lowest = settings["ssl_min_protocol_version"]
    return lowest in ("TLSv1.2", "TLSv1.3"), f"ssl_min_protocol_version is {lowest or 'not set'}."


@check("critical", "Nobody is let in without a password or a certificate", "Replace trust in pg_hba.conf with scram-sha-256, and peer for the socket.")
def trust(rules: Rows) -> Told:
    return nothing_of([f"line {each['line']}: {each['type']} {each['address']} trust" for each in rules if each["method"] == "trust"], "No line says trust.")


@check("high", "Passwords do not pass or lie as MD5", "Set password_encryption to scram-sha-256, and set the passwords anew (the role secret rotates them).")
def password_encryption(settings: Settings) -> Told:
    return settings["password_encryption"] == "scram-sha-256", f"password_encryption is {settings['password_encryption']}."


@check("high", "Only those who are declared are superusers", "ALTER ROLE NAME NOSUPERUSER, or declare it in postgresql_audit_superusers.")
def superusers(roles: Rows, declared_superusers: Sequence[str]) -> Told:
    who = [each["name"] for each in roles if each["superuser"]]
    return nothing_of([f"{name} is not declared" for name in who if name not in declared_superusers], f"Superusers: {', '.join(who) or 'none'}.")


@check("high", "Only superusers see and make everything", "ALTER ROLE NAME NOBYPASSRLS NOREPLICATION.")
def role_rights(roles: Rows, declared_superusers: Sequence[str]) -> Told:
    wrong = [each for each in roles if each["login"] and each["name"] not in declared_superusers and not each["superuser"]]
    told = [f"{each['name']} has {word}" for each in wrong for word in ("bypassrls", "replication") if each[word]]
    return nothing_of(told, "Nobody else has BYPASSRLS or REPLICATION.")


@check("medium", "Not everybody makes objects in the schema public", "REVOKE CREATE ON SCHEMA public FROM PUBLIC;")
def public_schema(public_create: bool) -> Told:
    return not public_create, f"PUBLIC {'may' if public_create else 'may not'} create in the schema public."


@check("medium", "Connections are recorded", "Set log_connections and log_disconnections to on.")
def connection_log(settings: Settings) -> Told:
    off = [name for name in ("log_connections", "log_disconnections") if settings[name] in ("off", "")]
    return nothing_of([f"{name} is off" for name in off], "log_connections and log_disconnections are on.")


@check("high", "The version gets fixes", "Plan the upgrade: rehearse it on a restored backup.")
def version(major: int, today: dt.date, warn_days: int) -> Told:
    if major not in END_OF_LIFE:
        newer = major > max(END_OF_LIFE)
        return newer, f"{major} is {'newer' if newer else 'older'} than every version that is known here."
    return (END_OF_LIFE[major] - today).days > warn_days, f"{major} gets fixes until {END_OF_LIFE[major].isoformat()}."


@check("high", "Transaction numbers do not run out", "Let autovacuum finish, or VACUUM (FREEZE) the oldest tables; look for old prepared transactions.")
def wraparound(oldest_transactions: int) -> Told:
    return oldest_transactions < WRAPAROUND, f"The oldest is {oldest_transactions:,} transactions back; the limit is {WRAPAROUND:,}."


@check("low", "A transaction that does nothing ends", "Set idle_in_transaction_session_timeout, such as to 10min.")
def idle_transactions(settings: Settings) -> Told:
    value = settings["idle_in_transaction_session_timeout"]
    return value not in ("0", ""), f"idle_in_transaction_session_timeout is {value} ms."


@check("medium", "There is room for more connections", "Lower the pools' sizes, or put PgBouncer in front.")
def connections(used_connections: int, settings: Settings) -> Told:
    limit = int(settings["max_connections"])
    return used_connections <= 0.8 * limit, f"{used_connections} of {limit} are in use."


def _here(rule: Mapping[str, Any]) -> bool:
    return str(rule["address"]) in ("127.0.0.1", "::1", "localhost") or rule["method"] == "reject"


NAMES = (
    "ssl_min_protocol_version",
    "password_encryption",
    "log_connections",
    "log_disconnections",
    "idle_in_transaction_session_timeout",
    "max_connections",
)
QUESTIONS = {
    "session": "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl,"
    " (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS version",
    "rules": "SELECT line_number AS line, type, coalesce(address, 'socket') AS address, auth_method AS method FROM pg_hba_file_rules WHERE error IS NULL",
    "roles": "SELECT rolname AS name, rolsuper AS superuser, rolcanlogin AS login, rolbypassrls AS bypassrls, rolreplication AS replication"
    " FROM pg_roles ORDER BY rolname",
    "settings": f"SELECT name, setting FROM pg_settings WHERE name IN ({', '.join(repr(name) for name in NAMES)})",
    "public_create": "SELECT EXISTS (SELECT FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS acl"
    " WHERE nspname = 'public' AND acl.grantee = 0 AND acl.privilege_type = 'CREATE') AS yes",
    "oldest_transactions": "SELECT max(age(datfrozenxid)) AS oldest FROM pg_database",
    "used_connections": "SELECT count(*) AS used FROM pg_stat_activity WHERE backend_type = 'client backend'",
    "major": "SELECT current_setting('server_version_num')::int / 10000 AS major",
}


def facts(connection: Connection, params: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    # One after the other: a server that has no connection left is a finding, not something to cause.
    told = gather({name: partial(_ask, connection, question) for name, question in QUESTIONS.items()}, side_by_side=1)
    shapes: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
        "session": lambda rows: rows[0],
        "settings": lambda rows: {**dict.fromkeys(NAMES, ""), **{row["name"]: row["setting"] for row in rows}},
        "public_create": lambda rows: rows[0]["yes"],
        "oldest_transactions": lambda rows: rows[0]["oldest"],
        "used_connections": lambda rows: rows[0]["used"],
        "major": lambda rows: rows[0]["major"],
    }
    shaped = {name: shapes[name](rows) if isinstance(rows, list) and name in shapes else rows for name, rows in told.items()}
    return {
        **shaped,
        "declared_superusers": declared(params["superusers"], "postgresql_audit_superusers"),
        "today": dt.datetime.fromtimestamp(clock.now(), tz=dt.timezone.utc).date(),
        "warn_days": params["version_warning_days"],
    }


def _ask(connection: Connection, question: str) -> list[dict[str, Any]]:
    """A connection for each question: one that is not allowed must not spoil the others."""
    with connection.open() as session, session.cursor() as cursor:
        cursor.execute(question)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not rows and "pg_hba_file_rules" in question:
        raise OpsError("the server shows no line of pg_hba.conf")
    return rows


def audit_postgresql(params: Mapping[str, Any], clock: Clock | None = None) -> dict[str, Any]:
    """The question that the module postgresql_audit answers."""
    subject = params["subject"] or f"{params['login_host']}:{params['login_port']}"
    found = CATALOG.examine(subject, facts(from_params(params), params, clock or Clock()))
    return {"findings": [each.as_dict() for each in found]}
