# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of a host that backs up: a managed PostgreSQL and a managed Valkey with something in them, a managed Redis to restore into, and a bucket."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import redis
from psycopg2 import sql

from tests.integration import backup_servers
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet

NAME = "dryrun-backups"
SHOP = "shop"
# The server itself vacuums nothing while a walk looks.
QUIET = "WITH (autovacuum_enabled = false)"
SEED = [
    f"CREATE TABLE orders (id bigint PRIMARY KEY, item text UNIQUE, note text) {QUIET}",
    "INSERT INTO orders SELECT n, md5(n::text), repeat('x', 40) FROM generate_series(1, 20000) n",
    "CREATE SCHEMA reports",
    f"CREATE TABLE reports.figures (id serial PRIMARY KEY, of_order bigint REFERENCES orders ON DELETE CASCADE) {QUIET}",
    "INSERT INTO reports.figures (of_order) SELECT n FROM generate_series(1, 500) n",
    "CREATE VIEW reports.newest AS SELECT max(id) AS id FROM orders",
    "CREATE EXTENSION pgcrypto",
]
# What an application does, and what somebody does by hand.
WORK = ["UPDATE orders SET note = note || 'y' WHERE id % 3 = 0", "DELETE FROM orders WHERE id % 7 = 0"]
BY_HAND = [
    "DROP TABLE IF EXISTS reports.figures",
    "ALTER DATABASE shop SET work_mem = '8MB'",
    "DROP VIEW IF EXISTS reports.newest",
    f"CREATE TABLE IF NOT EXISTS by_hand (id int) {QUIET}",
    *WORK,
]
DATABASES = """
SELECT datname, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), (SELECT array_agg(setconfig) FROM pg_db_role_setting WHERE setdatabase = oid)
FROM pg_database WHERE NOT datistemplate
"""
# Also what VACUUM, ANALYZE and REINDEX leave behind them.
RELATIONS = """
SELECT relation.oid::regclass::text, relkind, pg_get_userbyid(relowner), relfilenode, vacuum_count, analyze_count
FROM pg_class relation LEFT JOIN pg_stat_user_tables ON relid = relation.oid
WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
"""
TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
CONTENT = "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {} t"


class BackupHost(Host):
    """servers: pg, valkey and redis, as the cloud tells of them. store: the options of our modules for a bucket of its own."""

    def __init__(self, address: str, key: Path, work: Path, servers: Mapping[str, Any], store: Mapping[str, Any]) -> None:
        self._pg, self._s3, self._bucket = servers["pg"], backup_servers.client({**store, "region": "us-east-1"}), store["bucket"]
        self._caches = {name: _client(servers[name], work / f"{name}.pem") for name in ("valkey", "redis")}
        super().__init__(NAME, address, key, work, _variables(servers, store))
        self._fill()

    def _fill(self) -> None:
        self.query(self._pg["database"], f"CREATE DATABASE {SHOP}")
        for statement in SEED:
            self.query(SHOP, statement)
        cache = self._caches["valkey"]
        cache.mset({f"key:{number}": f"value {number}" for number in range(500)})
        cache.rpush("list", *range(20))
        cache.hset("hash", mapping={f"field{number}": number for number in range(20)})
        cache.set("session", "token", ex=86400)

    def query(self, database: str, statement: Any) -> list[tuple[Any, ...]]:
        there = self._pg
        with closing(psycopg2.connect(host=there["host"], port=there["port"], user=there["user"], password=there["password"], dbname=database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def meanwhile(self, verb: Verb) -> None:
        """Rows come and go before tables are maintained."""
        if verb.name == "postgresql.maintain":
            for statement in WORK:
                self.query(SHOP, statement)

    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = super().snapshot()
        for row in self.query(self._pg["database"], "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles"):
            found[f"role {row[0]}"] = row
        for row in self.query(self._pg["database"], DATABASES):
            found[f"database {row[0]}"] = row
            found |= self._of_database(row[0])
        for item in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", []):
            found[f"object {item['Key']}"] = item["ETag"]
        for name, cache in self._caches.items():
            keys = list(cache.scan_iter(count=1000))
            pipeline = cache.pipeline(transaction=False)
            for key in keys:
                pipeline.dump(key).pexpiretime(key)
            told = pipeline.execute()
            found |= {f"key {name} {key.decode()}": each for key, *each in zip(keys, told[::2], told[1::2], strict=True)}
        return found

    def _of_database(self, name: str) -> dict[str, Any]:
        """Not of the server's own, which nobody but its superuser enters."""
        if name == "postgres":
            return {}
        found: dict[str, Any] = {f"relation {name} {row[0]}": row for row in self.query(name, RELATIONS)}
        found |= {f"extension {name} {row[0]}": row for row in self.query(name, "SELECT extname, extversion FROM pg_extension")}
        for table in self.query(name, TABLES):
            found[f"rows {name} {'.'.join(table)}"] = self.query(name, sql.SQL(CONTENT).format(sql.Identifier(*table)))
        return found

    def damage(self, chance: random.Random, written: Iterable[str]) -> str:
        """To the host, or to what it backs up, or to the backups."""
        names = list(written)
        how = chance.choice([self._damage_database, self._damage_cache, self._damage_bucket, super().damage])
        return how(chance, names)

    def _damage_database(self, chance: random.Random, written: list[str]) -> str:
        there = {row[0] for row in self.query(self._pg["database"], DATABASES)}
        made = [name.partition(" ")[2] for name in written if name.startswith("database ")]
        candidates = [(SHOP, statement) for statement in BY_HAND]
        candidates += [(self._pg["database"], f'DROP DATABASE "{name}"') for name in made if name in there and name != SHOP]
        database, statement = chance.choice(candidates)
        self.query(database, statement)
        return f"{database}: {statement}"

    def _damage_cache(self, chance: random.Random, _written: list[str]) -> str:
        command = chance.choice([("FLUSHDB",), ("SET", "key:1", "by hand"), ("DEL", "key:2", "list"), ("PERSIST", "session"), ("SET", "by hand", "1")])
        name = chance.choice(sorted(self._caches))
        self._caches[name].execute_command(*command)
        return f"{name}: {' '.join(command)}"

    def _damage_bucket(self, chance: random.Random, _written: list[str]) -> str:
        keys = [item["Key"] for item in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])]
        if not keys:
            return ""
        key = chance.choice(keys)
        self._s3.delete_object(Bucket=self._bucket, Key=key)
        return f"deleted {key}"

    def close(self) -> None:
        """Remove the bucket; the servers are somebody else's."""
        for cache in self._caches.values():
            cache.close()
        for item in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", []):
            self._s3.delete_object(Bucket=self._bucket, Key=item["Key"])
        self._s3.delete_bucket(Bucket=self._bucket)


def _client(there: Mapping[str, Any], authority: Path) -> Any:
    authority.write_text(there["ca"])
    return redis.Redis(there["host"], there["port"], username=there["user"], password=there["password"], ssl=True, ssl_ca_certs=str(authority))


def _variables(servers: Mapping[str, Any], store: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same for every verb."""
    common = {**store, "addressing_style": "path", "signing_key": "0123456789abcdef0123456789abcdef", "encryption_key": "f" * 32, "ssl_mode": "verify-full"}
    found = {f"{role}_{name}": value for role in ("postgresql", "redis") for name, value in common.items()}
    for role, server in (("postgresql", servers["pg"]), ("redis", servers["valkey"])):
        found |= {f"{role}_login_{name}": server[name] for name in ("host", "port", "user", "password")}
        found[f"{role}_ca_certificate"] = server["ca"]
    return {
        **found,
        "postgresql_version": 17,
        "postgresql_database": SHOP,
        "postgresql_maintenance_database": servers["pg"]["database"],
        "redis_name": "cache",
        "dryrun_new_cache": servers["redis"],
    }


@contextmanager
def backing_up(cloud: Any, work: Path) -> Iterator[BackupHost]:
    """A fresh one, and servers that have something to back up."""
    store = {
        "endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"],
        "access_key": cloud.env["AWS_ACCESS_KEY_ID"],
        "secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"],
        "addressing_style": "path",
        "bucket": f"{NAME}-{uuid.uuid4().hex[:8]}",
    }
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        made = {
            engine: pool.submit(stack.enter_context, backup_servers.managed(cloud, f"{NAME}-{engine}", engine, version))
            for engine, version in (("pg", "17"), ("valkey", "8"), ("redis", "8"))
        }
        address = pool.submit(stack.enter_context, droplet(cloud, NAME))
        backup_servers.client({**store, "region": "us-east-1"}).create_bucket(Bucket=store["bucket"])
        servers = {engine: future.result() for engine, future in made.items()}
        yield stack.enter_context(closing(BackupHost(address.result(), cloud.cloud.ssh_key, work, servers, store)))
