# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the roles postgresql and redis, with the variables that each may be given. Some of it is refused."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.integration.dryrun_verbs import maybe, some
from tests.integration.dryrun_walk import Verb

TOOLS, REDIS_TOOLS, POSTGRESQL, CACHE = (frozenset({each}) for each in ("its tools", "the cache's tools", "a backup of a database", "a backup of a cache"))
QUESTIONS = [{"name": "there are orders", "sql": "SELECT count(*) > 0 FROM public.orders"}]

# What the inventory says of a server that nothing was in when the walk began.
NEW = {f"redis_login_{name}": f"{{{{ dryrun_new_cache.{name} }}}}" for name in ("host", "port", "user", "password")}


def checked(chance: Random) -> dict[str, Any]:
    """Into a server of the host's own, or into the one that was backed up, whose users may not look as far."""
    if chance.random() < 0.5:
        return {"postgresql_verify_server": "source", "postgresql_verify_level": chance.choice(["V1", "V2", "V3", "V5"])}
    asked: list[dict[str, Any]] = [{"postgresql_verify_questions": QUESTIONS}, {"postgresql_verify_level": "V5"}, {}]
    return {"postgresql_verify_server": "disposable", **chance.choice(asked)}


def restored(chance: Random) -> dict[str, Any]:
    target = chance.choice(["restored", "copy", "shop"])
    part: list[dict[str, Any]] = [{}, {"postgresql_restore_tables": ["public.orders"]}, {"postgresql_restore_schemas": ["public"]}]
    said = maybe(chance, postgresql_jobs=[1, 3], postgresql_restore_compare_live=[True], postgresql_restore_backup=["latest", "latest", "latest_verified"])
    how: list[dict[str, Any]] = [{}, {"postgresql_restore_drop": True}, {"postgresql_restore_replace": target}, {"postgresql_restore_replace": target}]
    return {"postgresql_restore_target": target, **said, **chance.choice(part), **chance.choice(how)}


def tables(chance: Random) -> dict[str, Any]:
    limits = {"min_mib": 0.25, "min_changed_rows": 1000, **maybe(chance, max_dead_percent=[5.0, 90.0], max_bloat_percent=[10.0, 90.0])}
    kept = maybe(chance, postgresql_keep=[{"daily": 7}, {"within_days": 3}], postgresql_limits=[{"newest_hours": 26}], postgresql_staging_mib=[128])
    return {**checked(chance), **kept, "postgresql_tables_limits": limits, "postgresql_tables": chance.random() < 0.8}


def loaded(chance: Random) -> dict[str, Any]:
    """Into the server that was backed up, which is too old for the tools of the host, or into a new one."""
    said = maybe(chance, redis_restore_match=["key:1*"], redis_restore_backup=["latest", "latest", "latest_verified"])
    return {**said, **(NEW if chance.random() < 0.8 else {}), "redis_restore_replace": chance.random() < 0.5}


POSTGRESQL_VERBS = [
    Verb("postgresql", "main", lambda chance: maybe(chance, postgresql_ca_certificate=[""], postgresql_encryption_key=[""]), gives=TOOLS),
    Verb(
        "postgresql",
        "backup",
        lambda chance: maybe(chance, postgresql_jobs=[1, 3], postgresql_max_age=[3600], postgresql_encryption_key=[""], postgresql_staging_mib=[128]),
        gives=POSTGRESQL,
    ),
    Verb("postgresql", "verify", checked, needs=POSTGRESQL),
    Verb("postgresql", "restore", restored, needs=POSTGRESQL),
    Verb("postgresql", "restore", lambda _chance: {"postgresql_restore_target": "shop", "postgresql_restore_replace": "shop"}, needs=POSTGRESQL),
    Verb("postgresql", "maintain", tables),
    Verb(
        "postgresql",
        "audit",
        lambda chance: {"postgresql_audit_fail_on": "never", "postgresql_audit_superusers": some(chance, ["postgres", "doadmin"])},
        needs=TOOLS,
    ),
    Verb("postgresql", "diagnose", lambda chance: maybe(chance, postgresql_diagnose_latency_ms=[1, 500], postgresql_diagnose_slow_seconds=[1]), needs=TOOLS),
]
REDIS_VERBS = [
    Verb("redis", "main", lambda chance: maybe(chance, redis_ca_certificate=[""]), gives=REDIS_TOOLS),
    Verb(
        "redis",
        "backup",
        lambda chance: maybe(chance, redis_method=["snapshot", "keys"], redis_max_age=[3600], redis_encryption_key=[""]),
        gives=CACHE,
    ),
    Verb("redis", "verify", lambda _chance: {}, needs=CACHE),
    Verb("redis", "restore", loaded, needs=CACHE),
    Verb("redis", "restore", lambda _chance: {**NEW, "redis_restore_replace": True}, needs=CACHE),
    Verb("redis", "maintain", lambda chance: maybe(chance, redis_keep=[{"daily": 7}, {"within_days": 3}], redis_limits=[{"newest_hours": 26}])),
    Verb("redis", "audit", lambda chance: {"redis_audit_fail_on": "never", "redis_audit_admins": some(chance, ["default", "cloud"])}, needs=REDIS_TOOLS),
    Verb("redis", "diagnose", lambda chance: maybe(chance, redis_diagnose_queues=[["mails"]], redis_diagnose_latency_ms=[1, 500]), needs=REDIS_TOOLS),
]
DATA_VERBS = [*POSTGRESQL_VERBS, *REDIS_VERBS]
