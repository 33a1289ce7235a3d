# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins: users that act as an owner role, so that what they create belongs to the owner and not to them.

Everything here works for an administrator who is no superuser but has CREATEROLE and CREATEDB, as managed databases
give one. Since PostgreSQL 16 such an administrator administers only the roles it created itself, and has to grant
them to itself before it may use them; the same grants do no harm before 16.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

try:
    from psycopg2 import sql
except ImportError:
    sql = None  # type: ignore[assignment]

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import scram
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection

_ROLE = """
SELECT r.rolcanlogin,
       COALESCE(r.rolvaliduntil = '-infinity', false),
       (SELECT substr(setting, 6) FROM unnest(r.rolconfig) AS setting WHERE setting LIKE 'role=%%' LIMIT 1),
       EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid WHERE m.member = r.oid AND o.rolname = %(owner)s),
       (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid),
       (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database())
FROM pg_roles r WHERE r.rolname = %(name)s
"""

_SESSIONS = """
SELECT rolcanlogin, (SELECT count(*) FROM pg_stat_activity WHERE usename = %(name)s) FROM pg_roles WHERE rolname = %(name)s
"""

# What one user may do beyond its role: attributes, memberships, settings, and privileges granted to it by name.
# Objects it owns itself count as well: the other user could not use them.
_RIGHTS = """
SELECT 'attribute ' || a.key || '=' || a.value
FROM pg_roles r, LATERAL jsonb_each_text(to_jsonb(r) - '{oid,rolname,rolcanlogin,rolpassword,rolvaliduntil,rolconfig}'::text[]) a
WHERE r.rolname = %(name)s
UNION SELECT 'member of ' || pg_get_userbyid(m.roleid) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = %(name)s
UNION SELECT 'setting ' || unnest(s.setconfig) || COALESCE(' in ' || d.datname, '')
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %(name)s
UNION SELECT CASE s.deptype WHEN 'o' THEN 'owner of ' ELSE 'granted ' END || s.classid::regclass || ' ' || s.objid || ' in database ' || s.dbid
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass
WHERE r.rolname = %(name)s AND s.deptype IN ('o', 'a') AND s.classid <> 'pg_auth_members'::regclass
"""


class Login:
    """A Noun: one login user of one owner.

    password: compared by logging in with it, because nobody but a superuser may read what the server stores.
    """

    def __init__(self, admin: Connection, name: str, owner: str, state: str, password: str | None) -> None:
        if name == owner:
            raise OpsError(f"The login {name} cannot act as itself: owner must be another role.")
        if state == "enabled" and password is None:
            raise OpsError(f"The login {name} needs a password to be enabled.")
        self._admin = admin
        self._name = name
        self._owner = owner
        self._state = state
        self._password = password

    def read(self) -> State | None:
        with self._admin.open() as connection, connection.cursor() as cursor:
            cursor.execute(_ROLE, {"name": self._name, "owner": self._owner})
            row = cursor.fetchone()
        if row is None:
            return None
        login, retired, acts_as, member, sessions, database_owner = row
        state = {"login": login, "retired": retired, "acts_as": acts_as, "member": member, "database_owner": database_owner}
        if self._state in ("disabled", "retired"):
            state["sessions"] = sessions
        if self._password is not None:
            state["accepted"] = not self._admin.login_as(self._name, self._password).refused()
        return state

    def desired(self, current: State | None) -> State | None:
        if self._state in ("disabled", "retired"):
            if current is None:
                return None
            wanted: dict[str, Any] = {"login": False, "sessions": 0}
            if self._state == "retired":
                wanted["retired"] = True
            if self._password is not None:
                wanted["accepted"] = False
            return wanted
        wanted = {"acts_as": self._owner, "member": True, "database_owner": self._owner}
        if self._state == "enabled":
            wanted.update(login=True, retired=False, accepted=True)
        return wanted

    def apply(self, planned: Plan) -> None:
        with self._admin.open() as connection, connection.cursor() as cursor:
            if self._state in ("present", "enabled"):
                self._prepare(cursor, created=planned.verb == "create")
            statement = _STATEMENTS.get(self._state)
            if statement:
                values = {"verifier": scram.verifier(self._password)} if self._state == "enabled" and self._password else {}
                cursor.execute(sql.SQL(statement).format(name=sql.Identifier(self._name)), values)
        if self._state in ("disabled", "retired"):
            self._end_sessions()

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"login": {"name": self._name, "owner": self._owner, **(state or {})}}

    def _prepare(self, cursor: Any, *, created: bool) -> None:
        owner, name = sql.Identifier(self._owner), sql.Identifier(self._name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (self._owner,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(owner))
        if created:
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        for role in (self._owner, self._name):
            # Needed to hand the database over to the owner, and to end the login's sessions.
            cursor.execute("SELECT pg_has_role(current_user, %s, 'USAGE')", (role,))
            if not cursor.fetchone()[0]:
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        cursor.execute(sql.SQL("GRANT {} TO {}").format(owner, name))
        cursor.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(name, sql.Literal(self._owner)))
        cursor.execute("SELECT current_database(), pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
        database, database_owner = cursor.fetchone()
        if database_owner != self._owner:
            cursor.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), owner))

    def _end_sessions(self) -> None:
        """NOLOGIN is committed, so no new session can begin while these end."""

        def end() -> int:
            with self._admin.open() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (self._name,))
                return cursor.rowcount

        wait_for(f"the sessions of {self._name} to end", end, lambda left: left == 0, timeout=30, interval=0.2)


# NOLOGIN keeps the password, so it can be undone. VALID UNTIL makes visible, to administrators who may not read
# passwords, that there is none any more: both change in one statement.
_STATEMENTS = {
    "enabled": "ALTER ROLE {name} LOGIN PASSWORD %(verifier)s VALID UNTIL 'infinity'",
    "disabled": "ALTER ROLE {name} NOLOGIN",
    "retired": "ALTER ROLE {name} NOLOGIN PASSWORD NULL VALID UNTIL '-infinity'",
}


def look(admin: Connection, name: str, password: str | None, compare_with: str | None) -> dict[str, Any]:
    """What can be proven about a login.

    accepted: whether the password logs in (None without a password); effective_user: as whom it then acts.
    wrong_refused: whether a wrong password is refused; without that, accepted proves nothing.
    differences: rights that only one of the two logins has.
    """
    with admin.open() as connection, connection.cursor() as cursor:
        cursor.execute(_SESSIONS, {"name": name})
        row = cursor.fetchone()
        differences = sorted(_rights(cursor, name) ^ _rights(cursor, compare_with)) if compare_with else []
        cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        may_create = bool(cursor.fetchone()[0])
    login, sessions = row or (False, 0)
    seen: dict[str, Any] = {"name": name, "exists": row is not None, "login": login, "sessions": sessions, "may_create_logins": may_create}
    seen.update(differences=differences, accepted=None, effective_user=None, wrong_refused=None)
    if password is not None:
        as_user = admin.login_as(name, password)
        seen["wrong_refused"] = admin.login_as(name, secrets.token_urlsafe(24)).refused()
        seen["accepted"] = not as_user.refused()
        if seen["accepted"]:
            with as_user.open() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                seen["effective_user"] = cursor.fetchone()[0]
    return seen


def _rights(cursor: Any, name: str) -> set[str]:
    cursor.execute(_RIGHTS, {"name": name})
    return {row[0] for row in cursor.fetchall()}
