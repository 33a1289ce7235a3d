# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis or Valkey server against the security checklists. The checks are pure; ``facts`` asks the server, with commands that only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, declared, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection, from_params

CATALOG = Catalog("redis")
check = CATALOG.check
Info = Mapping[str, Any]
Users = Mapping[str, str]
# Commands with which an application's user ends, empties, copies or reads the whole server.
DANGEROUS = ("flushall", "flushdb", "config", "debug", "shutdown", "replicaof", "slaveof", "module", "acl", "keys", "save", "bgsave", "migrate")


@check("critical", "The connection is encrypted", "Give the server tls-port with a certificate, and connect with rediss://.")
def tls(encrypted: bool) -> Told:
    return encrypted, f"This connection is {'encrypted' if encrypted else 'plain'}."


@check("high", "The server takes no plain connection", "Set port to 0 beside tls-port.")
def plain_port(config: Mapping[str, str]) -> Told:
    port = config["port"]
    return port == "0", f"port is {port}."


@check("critical", "Everybody needs a password", "ACL SETUSER NAME resetpass >PASSWORD, or off; the role secret makes users.")
def passwords(users: Users) -> Told:
    without = [name for name, rules in users.items() if "nopass" in rules.split() and "on" in rules.split()]
    return nothing_of([f"{name} needs none" for name in without], f"{len(users)} users.")


@check("high", "An application's users cannot command the server", "ACL SETUSER NAME -@admin -@dangerous.")
def dangerous_commands(users: Users, declared_admins: Sequence[str]) -> Told:
    wrong = []
    for name, rules in users.items():
        if name not in declared_admins and "on" in rules.split():
            may = [word for word in DANGEROUS if allows(rules, word)]
            wrong += [f"{name} may {', '.join(may[:4])}"] if may else []
    return nothing_of(wrong, f"Only {', '.join(declared_admins) or 'nobody'} may.")


@check("high", "Keys are never thrown away while jobs wait in them", "Set maxmemory-policy to noeviction.")
def eviction(info: Info) -> Told:
    policy = info.get("maxmemory_policy", "noeviction")
    return policy == "noeviction", f"maxmemory-policy is {policy}."


@check("high", "Memory is not full", "Look for what grows (redis-cli --bigkeys), or resize the server.")
def memory(info: Info) -> Told:
    used, limit = int(info["used_memory"]), int(info.get("maxmemory") or 0)
    return not limit or used <= 0.9 * limit, f"{used // 2**20} of {limit // 2**20} MiB." if limit else f"{used // 2**20} MiB; there is no limit."


@check("medium", "What is in memory reaches the disk", "Look at the server's log: it is full, or may not write.")
def saved(info: Info) -> Told:
    wrong = [f"{name} is {info[name]}" for name in ("rdb_last_bgsave_status", "aof_last_write_status") if info.get(name, "ok") != "ok"]
    return nothing_of(wrong, "The last write succeeded.")


@check("medium", "There is room for more connections", "Look who opens them (CLIENT LIST), or raise maxclients.")
def connections(info: Info) -> Told:
    used, limit = int(info["connected_clients"]), int(info.get("maxclients") or 0)
    return not limit or used <= 0.8 * limit, f"{used} of {limit or 'unlimited'} are in use."


@check("high", "The version gets fixes", "Plan the upgrade to a version that is maintained.")
def version(info: Info) -> Told:
    said = str(info.get("valkey_version") or info["redis_version"])
    return tuple(int(part) for part in said.split(".")[:2]) >= (7, 0), f"It is {said}."


def allows(rules: str, command: str) -> bool:
    """Whether the last rule that is about a command allows it; categories are taken as the server lists them, in their order."""
    allowed = False
    for rule in rules.split():
        if rule[1:] in ("@all", command) or (rule[1:] == "@dangerous" and command in DANGEROUS) or (rule[1:] == "@admin" and command in ("config", "acl")):
            allowed = rule[0] == "+"
        elif rule in ("allcommands", "nocommands"):
            allowed = rule == "allcommands"
    return allowed


def facts(connection: Connection, params: Mapping[str, Any]) -> dict[str, Any]:
    def users() -> dict[str, str]:
        with connection.open() as client:
            lines = client.execute_command("ACL", "LIST")
        # No hash of a password leaves this function.
        named = (line.split(" ", 2) for line in lines)
        return {each[1]: " ".join(word for word in each[2].split() if word[0] not in "#>") for each in named}

    def config() -> dict[str, str]:
        with connection.open() as client:
            return dict(client.config_get("port"))

    def info() -> dict[str, Any]:
        with connection.open() as client:
            return dict(client.info())

    def encrypted() -> bool:
        with connection.open():
            return connection.ssl_mode != "disable"

    told = gather({"users": users, "config": config, "info": info, "encrypted": encrypted})
    return {**told, "declared_admins": declared(params["admins"], "redis_audit_admins")}


def audit_redis(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module redis_audit answers."""
    subject = params["subject"] or f"{params['login_host']}:{params['login_port']}"
    return {"findings": [each.as_dict() for each in CATALOG.examine(subject, facts(from_params(params), params))]}
