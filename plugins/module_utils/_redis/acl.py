# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a Redis or Valkey server, by its access control list.

A password reaches the server as its SHA-256 alone, which is what the server keeps, so it is in no log and no MONITOR.
Of two sessions of one user nobody can tell which password let them in. That is why passwords are changed by changing
users, as in PostgreSQL, and why a user here has one password or none.
"""

from __future__ import annotations

import hashlib
import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import redis
except ImportError:
    redis = None  # type: ignore[assignment]

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection

# Rules that say who may log in are this file's own.
_LOGIN_RULES = ("on", "off", "nopass", "resetpass", "reset")
# What rules start from anyway says nothing.
_SYNONYMS = {
    "allkeys": "~*",
    "allchannels": "&*",
    "allcommands": "+@all",
    "nocommands": "-@all",
    "resetkeys": "",
    "resetchannels": "",
    "clearselectors": "",
    "sanitize-payload": "",
}


def hashed(password: str) -> str:
    """A password as the server keeps it."""
    return hashlib.sha256(password.encode()).hexdigest()


class AclUser:
    """A Noun: one user.

    rules: what it may do, in the words of ACL SETUSER (``~shop:* &* +@all -@dangerous``). None: left as they are.
    state: present (no word about its password), enabled (this password and no other), disabled (may not log in, keeps its
    password, has no session) or retired (has no password either).
    """

    def __init__(self, admin: Connection, name: str, state: str, password: str | None, rules: str | None) -> None:
        if state == "enabled" and password is None:
            raise OpsError(f"The user {name} needs a password to be enabled.")
        if name == admin.user:
            raise OpsError(f"{name} is the user that this task logs in as: it would lock itself out. Log in as an administrator.")
        self._admin = admin
        self._name = name
        self._state = state
        self._password = password
        self._rules = None if rules is None else checked_rules(rules)
        self._rights: list[str] = []

    def read(self) -> State | None:
        with self._admin.open() as client:
            if self._rules is not None:
                self._rights = rights(self._rules, categories(client))
            found = get_user(client, self._name)
            if found is None:
                return None
            state: dict[str, Any] = {"login": "on" in found["flags"], "retired": not found["passwords"] and "nopass" not in found["flags"]}
            if self._rules is not None:
                state["rights"] = rights_of(client, self._name)
            if self._password is not None:
                state["accepted"] = found["passwords"] == [hashed(self._password)] and "on" in found["flags"]
            if self._state in ("disabled", "retired"):
                state["sessions"] = len(_sessions(client, self._name))
        return state

    def desired(self, current: State | None) -> State | None:
        if self._state in ("disabled", "retired"):
            if current is None:
                return None
            return {"login": False, "sessions": 0, **({"retired": True} if self._state == "retired" else {})}
        may = {} if self._rules is None else {"rights": self._rights}
        return {**may, "login": True, "retired": False, "accepted": True} if self._state == "enabled" else may

    def apply(self, planned: Plan) -> None:
        with self._admin.open() as client:
            _require_single(client)
            client.execute_command("ACL", "SETUSER", self._name, *self._changes(created=planned.verb == "create"))
            if self._state in ("disabled", "retired"):
                self._end_sessions(client)
            save(client)

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"login": {"name": self._name, **(state or {})}}

    def _changes(self, *, created: bool) -> list[str]:
        """One command, so that there is no instant at which the user has the new rules and the old password."""
        rules = [] if self._rules is None else ["resetkeys", "resetchannels", "-@all", "clearselectors", *self._rules]
        login = {
            "present": ["off"] if created else [],
            "enabled": ["on", "resetpass", f"#{hashed(self._password or '')}"],
            "disabled": ["off"],
            "retired": ["off", "resetpass"],
        }[self._state]
        return [*rules, *login]

    def _end_sessions(self, client: Any) -> None:
        """The user is off, so no new session can begin while these end."""

        def end() -> int:
            client.execute_command("CLIENT", "KILL", "USER", self._name)
            return len(_sessions(client, self._name))

        wait_for(f"the sessions of {self._name} to end", end, lambda left: left == 0, timeout=30, interval=0.2)


def look(admin: Connection, name: str, password: str | None, compare_with: str | None) -> dict[str, Any]:
    """What can be proven about a user.

    accepted: whether the password logs in (None without a password). wrong_refused: whether a wrong password is refused;
    without that, accepted proves nothing. differences: rules that only one of the two users has.
    """
    with admin.open() as client:
        found = get_user(client, name)
        seen: dict[str, Any] = {"name": name, "exists": found is not None, "login": found is not None and "on" in found["flags"]}
        seen.update(sessions=len(_sessions(client, name)), differences=[], accepted=None, wrong_refused=None)
        if compare_with:
            seen["differences"] = sorted(set(rights_of(client, name)) ^ set(rights_of(client, compare_with)))
    if password is not None:
        seen["wrong_refused"] = admin.login_as(name, secrets.token_urlsafe(24)).refused()
        seen["accepted"] = not admin.login_as(name, password).refused()
    return seen


def get_user(client: Any, name: str) -> dict[str, Any] | None:
    """What the server keeps of a user: flags, and the hashes of its passwords."""
    answer = client.execute_command("ACL", "GETUSER", name)
    if answer is None:
        return None
    # Clients up to 4 return the pairs as they are, later ones a dictionary.
    pairs = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
    return {"flags": list(pairs["flags"]), "passwords": list(pairs["passwords"])}


Categories = Mapping[str, frozenset[str]]


def categories(client: Any) -> dict[str, frozenset[str]]:
    """The commands of each category, as this server has them."""
    return {name: frozenset(client.execute_command("ACL", "CAT", name)) for name in client.execute_command("ACL", "CAT")}


def rights_of(client: Any, name: str) -> list[str]:
    """What a user may do; empty for one that may do nothing or is not there."""
    for line in client.execute_command("ACL", "LIST"):
        words = shlex.split(line)
        if words[:2] == ["user", name]:
            return rights([word for word in words[2:] if word not in _LOGIN_RULES and not word.startswith("#")], categories(client))
    return []


def rights(rules: Sequence[str], known: Categories) -> list[str]:
    """What rules come to: keys, channels, selectors, and the commands that are left in the end.

    Servers write rules back in other words than they were given, so rules are compared by what they come to.
    """
    patterns: set[str] = set()
    selectors: list[str] = []
    commands: frozenset[str] = frozenset()
    everything = frozenset[str]().union(*known.values())
    for rule in (_SYNONYMS.get(rule.lower(), rule) for rule in rules):
        if rule[:1] in "~&%" and rule:
            patterns.add(rule)
        elif rule.startswith("("):
            selectors.append(rule)
        elif rule[:1] in "+-" and rule:
            meant = _commands(rule[1:].lower(), known, everything)
            commands = commands | meant if rule[0] == "+" else commands - meant
    return [*sorted(patterns), *selectors, *(_told(commands, everything) if commands else [])]


def _commands(name: str, known: Categories, everything: frozenset[str]) -> frozenset[str]:
    """The commands of a category, or a command with its subcommands."""
    if name == "@all":
        return everything
    if name.startswith("@"):
        return known.get(name[1:], frozenset())
    return frozenset(each for each in everything | {name} if each == name or each.startswith(f"{name}|"))


def _told(commands: frozenset[str], everything: frozenset[str]) -> list[str]:
    """The shorter way to list commands."""
    without = everything - commands
    return ["+@all", *(f"-{name}" for name in sorted(without))] if len(without) < len(commands) else [f"+{name}" for name in sorted(commands)]


def save(client: Any) -> None:
    """Keep the users over a restart of the server: in its ACL file, else in its configuration. Raises OpsError where neither is."""
    from_file = client.execute_command("CONFIG", "GET", "aclfile")
    values = list(from_file.values()) if isinstance(from_file, dict) else from_file[1::2]
    try:
        client.execute_command(*(("ACL", "SAVE") if values and values[0] else ("CONFIG", "REWRITE")))
    except redis.exceptions.ResponseError as error:
        raise OpsError(
            f"The user was changed, but the server cannot keep it over a restart ({error})."
            " Give it an aclfile, or a configuration file that it may write, then run again."
        ) from error


def _sessions(client: Any, name: str) -> list[str]:
    return [line for line in str(client.execute_command("CLIENT", "LIST", "TYPE", "normal")).splitlines() if f" user={name} " in line]


def _require_single(client: Any) -> None:
    """Access control lists are not replicated: on a server with replicas each node would have to be told."""
    info = client.info("replication")
    if info.get("connected_slaves", 0) or info.get("role") != "master":
        raise OpsError("This Redis server has replicas or is one. Users are not replicated, and telling every node is not built yet.")


def checked_rules(rules: str) -> list[str]:
    """Rules as words. Raises OpsError for what is none."""
    words = shlex.split(rules)
    wrong = next((word for word in words if word in _LOGIN_RULES or word[:1] in "<>#!"), None)
    if wrong is not None:
        # What follows the sign may be a password.
        raise OpsError(f"rules say what a user may do, not how it logs in, so {wrong if wrong in _LOGIN_RULES else wrong[:1] + '…'} cannot be among them.")
    unknown = next((word for word in words if word.lower() not in _SYNONYMS and word[:1] not in "~&%+-("), None)
    if unknown is not None:
        raise OpsError(f"{unknown} is no rule of a Redis user: write keys as ~pattern, channels as &pattern, commands as +name, -name or +@category.")
    return words
