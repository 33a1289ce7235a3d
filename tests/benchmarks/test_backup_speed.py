# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup's speed, disk and memory beside what the guides recommend and beside the most that pg_dump can do, on the same data in one run.

The recipe's last part, ``aws s3 cp -``, is boto3's ``upload_fileobj``, which is what that command is made of. The store runs on the same cores, and
takes as much of them as it needs for the bytes it is sent, which no local dump has to share: what it took is printed, and beside the limit a second
one, the local dump whose files the same client then uploads.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings, upkeep
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import environment
from tests import figures
from tests.integration import backup_servers

COMMAND = "make bench"
KEY = "0123456789abcdef0123456789abcdef"
JOBS = 2
TURNS = 3
MIB = 1024 * 1024
STAGING = 96
CLI = "ansible_collections.groundcrew.ops.plugins.module_utils._backup.cli"
# Python's own way: what it has loaded once is compiled, as the packages of a distribution are. A virtual environment may forbid it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": os.pathsep.join(sys.path)}
# Words, numbers and identifiers in the mixture of a shop: what compresses as real rows do.
ROWS = """
    SET search_path = public;
    CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, name text, street text, created timestamptz);
    CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL, state text, total numeric(10, 2), placed timestamptz, note text);
    CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL, sku text, quantity int, price numeric(10, 2));
    CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, kind text, session uuid, data jsonb);
    INSERT INTO customers SELECT n, 'user' || n || '@example.com', initcap(substr(md5(n::text), 1, 9)), (n % 300) || ' ' || substr(md5((n * 7)::text), 1, 12)
        || ' Street', '2020-01-01'::timestamptz + n * interval '5 minutes' FROM generate_series(1, {customers}) n;
    INSERT INTO orders SELECT n, n % {customers} + 1, (ARRAY['new', 'paid', 'sent', 'done'])[n % 4 + 1], (n % 90000) / 100.0, '2024-01-01'::timestamptz +
        n * interval '20 seconds', CASE WHEN n % 3 = 0 THEN repeat('please deliver to the back door ', (n % 4)::int) END FROM generate_series(1, {orders}) n;
    INSERT INTO items SELECT n, n / 3 + 1, 'SKU-' || lpad((n % 50000 * 7919 % 50000)::text, 6, '0'), n % 5 + 1,
        (n % 20000) / 100.0 FROM generate_series(1, {items}) n;
    INSERT INTO events SELECT n, '2025-01-01'::timestamptz + n * interval '7 seconds', (ARRAY['view', 'click', 'cart', 'pay'])[n % 4 + 1],
        md5((n / 8)::text)::uuid,
        jsonb_build_object('page', '/shop/' || n % 5000, 'agent', 'Mozilla/5.0 (X11; Linux x86_64)', 'ref', md5(n::text), 'ms', n % 977)
        FROM generate_series(1, {events}) n;
    CREATE INDEX ON orders (customer); CREATE INDEX ON items (order_id); CREATE INDEX ON events (at);
    ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers;
"""
CLIENT = """
import boto3, json, pathlib, sys
from botocore.config import Config
store, where = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])
sums = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, **sums), **store)
"""
UPLOAD = CLIENT + "client.upload_fileobj(sys.stdin.buffer, 'backups', str(where))"
UPLOAD_FILES = CLIENT + "[client.upload_file(str(path), 'backups', path.name) for path in sorted(where.iterdir())]"


class Bench:
    """A database, a store, and commands that are timed."""

    def __init__(self, params: dict[str, Any], folder: Path, binaries: Path) -> None:
        self.params = {**params, "prefix": "bench", "signing_key": KEY, "jobs": JOBS, "bin_dir": str(binaries), "staging_mib": STAGING}
        self.params.update(allow_vulnerable_client=True, staging_dir=str(folder))
        self.folder = folder
        self.binaries = binaries
        self.dump = folder / "local"
        self.size = 0  # of the tables, in bytes
        self.environment = {**ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}

    def tool(self, name: str) -> str:
        return str(self.binaries / name)

    def settle(self) -> None:
        """Write what earlier work left to be written, so that nobody pays for his neighbor."""
        with Session(settings.database({**self.params, "login_db": "postgres"})) as session:
            session.rows("CHECKPOINT")

    def timed(self, argv: list[str], database: str | None = None) -> tuple[float, int]:
        """Seconds and the most memory, in bytes, of a command."""
        self.settle()
        login = settings.database({**self.params, **({"login_db": database} if database else {})})
        started = time.monotonic()
        process = subprocess.Popen(argv, env={**self.environment, **environment(login)})
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, argv
        return time.monotonic() - started, usage.ru_maxrss * 1024

    def shell(self, line: str) -> float:
        return self.timed(["bash", "-c", f"set -o pipefail; {line}"])[0]

    def upload(self, code: str, what: str) -> str:
        keys = {"endpoint_url": "endpoint_url", "region": "region_name", "access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key"}
        return shlex.join([sys.executable, "-c", code, json.dumps({theirs: self.params[our] for our, theirs in keys.items()}), what])

    def limit(self) -> float:
        """The most that pg_dump can do: a dump that goes nowhere."""
        subprocess.run(["rm", "-rf", self.dump], check=True)
        argv = [self.tool("pg_dump"), "--format=directory", f"--jobs={JOBS}", "--compress=zstd:1", f"--file={self.dump}", "shop"]
        return self.timed(argv)[0]

    def ours(self, **more: Any) -> tuple[float, int, dict[str, Any]]:
        """Back up with the command line, as a timer does: seconds, memory, and what it left in its record."""
        config, state = self.folder / "config.json", self.folder / "state"
        config.unlink(missing_ok=True)
        config.write_text(json.dumps({**self.params, **more}))
        config.chmod(0o400)
        seconds, memory = self.timed([sys.executable, "-m", CLI, "backup", "--config", str(config), "--state", str(state)])
        [record] = state.glob("*backup.json")
        return seconds, memory, json.loads(record.read_text())["backup"]

    def restore(self, staging_mib: int | None = None) -> float:
        """With the disk that there is, as by default; with less than the dump takes, every object is read twice and restored by itself."""
        self.settle()
        started = time.monotonic()
        into = {"login_db": "postgres", "database": "shop", "target_database": "ours", "verify": False, "staging_mib": staging_mib}
        operation = settings.restore({**self.params, **into})
        operation.apply(operation.plan())
        spent = time.monotonic() - started
        self.drop("ours")
        return spent

    def verify(self) -> float:
        """A check of level V5, with the server that is made for it."""
        self.settle()
        started = time.monotonic()
        operation = upkeep.verification({**self.params, "database": "shop", "level": "V5", "staging_mib": None})
        operation.apply(operation.plan())
        return time.monotonic() - started

    def peer_restore(self) -> float:
        with Session(settings.database({**self.params, "login_db": "postgres"})) as session:
            session.rows("CREATE DATABASE peer")
        restored, _memory = self.timed([self.tool("pg_restore"), f"--jobs={JOBS}", "--exit-on-error", "--dbname=peer", str(self.dump)], "peer")
        started = time.monotonic()
        with Session(settings.database({**self.params, "login_db": "peer"})) as session:
            session.analyze()
        spent = restored + time.monotonic() - started
        self.drop("peer")
        return spent

    def drop(self, database: str) -> None:
        with Session(settings.database({**self.params, "login_db": "postgres"})) as session:
            session.drop(database)

    def store_seconds(self) -> float:
        """The processor's time that the store has taken so far."""
        for process in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            words = Path(f"/proc/{process}/stat").read_text().split()
            if words[1] == "(weed)":
                return (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")
        raise AssertionError("the store is a child of this process")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[dict[str, Any], Path]]:
    binaries = backup_servers.newer_folder()
    tuned = "-c shared_buffers=512MB -c max_wal_size=8GB -c autovacuum=off -c maintenance_work_mem=256MB -c synchronous_commit=off"
    with (
        backup_servers.folder() as folder,
        backup_servers.postgres(folder, binaries, settings=tuned) as database,
        backup_servers.seaweed(folder) as store,
    ):
        yield {**database, **store}, folder


def fill(params: dict[str, Any], scale: float) -> int:
    """Make the database ``shop``; the bytes of its tables."""
    with Session(settings.database(params)) as session:
        session.rows("DROP DATABASE IF EXISTS shop")
        session.rows("CREATE DATABASE shop")
    many = {name: int(count * scale) for name, count in (("customers", 500_000), ("orders", 2_000_000), ("items", 4_500_000), ("events", 2_600_000))}
    with Session(settings.database({**params, "login_db": "shop"})) as session:
        session.rows(ROWS.format(**many))
        session.rows("VACUUM ANALYZE")
        return int(session.value("SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"))


@pytest.fixture(scope="module")
def bench(servers: tuple[dict[str, Any], Path]) -> Bench:
    params, folder = servers
    made = Bench({**params, "login_db": "shop"}, folder, backup_servers.newer_folder())
    made.size = fill(params, 1.0)
    assert made.size >= 1_000_000_000
    made.ours(hash_limit=0)  # what Python loads is compiled once
    return made


def test_a_backup_is_as_fast_as_pg_dump_allows(bench: Bench) -> None:
    started, size = time.monotonic(), bench.size
    staged = bench.folder / "staged.dump"
    limits, counted, hashed, memories = [], [], [], []
    made: dict[str, Any] = {}
    taken = bench.store_seconds()
    for _turn in range(TURNS):
        limits.append(bench.limit())
        seconds, memory, made = bench.ours(hash_limit=0)
        counted.append(seconds)
        memories.append(memory)
        seconds, memory, _made = bench.ours()
        hashed.append(seconds)
        memories.append(memory)
    taken = (bench.store_seconds() - taken) / (2 * TURNS)
    local = sum(path.stat().st_size for path in bench.dump.iterdir())
    files = bench.shell(bench.upload(UPLOAD_FILES, str(bench.dump)))
    recipe = bench.shell(f"{bench.tool('pg_dump')} shop | gzip | {bench.upload(UPLOAD, 'recipe.sql.gz')}")
    custom = bench.shell(f"{bench.tool('pg_dump')} -Fc -f {staged} shop && {bench.upload(UPLOAD, 'custom.dump')} < {staged}")

    spent = time.monotonic() - started
    limit, ours, with_hashes = min(limits), min(counted), min(hashed)
    print(f"\n{size / 1e9:.2f} GB in tables, {local / 1e6:.0f} MB dumped; limit {limits}, counted {counted}, hashed {hashed}")
    print(
        f"recipe {recipe:.1f}, -Fc and upload {custom:.1f}, limit and upload {limit + files:.1f}; the store took {taken:.1f} s of the processor for each backup"
    )
    print(f"memory {[memory // MIB for memory in memories]} MiB; staging {made['staging']}")
    custom_control = {"what": "pg_dump -Fc, staged, then uploaded", "value": round(recipe / custom, 2), "red": recipe / custom < 4}
    figures.record(
        "backup.recipe_ratio", round(recipe / ours, 2), unit="times the recipe's speed", target=">= 4", seconds=spent, command=COMMAND, control=custom_control
    )
    slow = {"what": "pg_dump -Fc, staged, then uploaded", "value": round(custom / limit, 2), "red": custom / limit > 1.25}
    figures.record("backup.limit_ratio", round(ours / limit, 2), unit="times a local dump", target="<= 1.25", seconds=spent, command=COMMAND, control=slow)
    slow_hashed = {**slow, "red": custom / limit > 2}
    figures.record(
        "backup.limit_ratio_hashed",
        round(with_hashes / limit, 2),
        unit="times a local dump",
        target="<= 2",
        seconds=spent,
        command=COMMAND,
        control=slow_hashed,
    )
    whole = {"what": "the dump staged whole", "value": local // MIB, "red": local > STAGING * MIB}
    peak = -(-made["staging"]["peak"] // MIB)
    figures.record("backup.staging_mib", peak, unit="MiB", target=f"<= {STAGING}", seconds=spent, command=COMMAND, of=local // MIB, control=whole)
    figures.record("backup.memory_mib", -(-max(memories) // MIB), unit="MiB", target="<= 200", seconds=spent, command=COMMAND, of=size // MIB)
    assert peak <= STAGING
    assert max(memories) <= 200 * MIB


def test_a_restore_is_as_fast_as_pg_restore_allows(bench: Bench) -> None:
    started = time.monotonic()
    bench.limit()
    bench.ours()
    peers, restores, checks = [], [], []
    for _turn in range(TURNS):
        peers.append(bench.peer_restore())
        restores.append(bench.restore())
        checks.append(bench.verify())
    bounded = bench.restore(STAGING)
    spent = time.monotonic() - started
    print(f"\nrestore {restores}, pg_restore {peers}, check {checks}; restore through {STAGING} MiB {bounded:.1f}")
    figures.record("backup.restore_ratio", round(min(restores) / min(peers), 2), unit="times pg_restore", target="<= 1.25", seconds=spent, command=COMMAND)
    figures.record("backup.verify_ratio", round(min(checks) / min(restores), 2), unit="times our restore", target="<= 1.2", seconds=spent, command=COMMAND)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_database(servers: tuple[dict[str, Any], Path]) -> None:
    params, folder = servers
    started = time.monotonic()
    size = fill(params, 4.0)
    assert size >= 4_000_000_000
    bench = Bench({**params, "login_db": "shop"}, folder, backup_servers.newer_folder())
    limit = bench.limit()
    seconds, memory, made = bench.ours()
    print(f"\n{size / 1e9:.2f} GB in {seconds:.1f} s with hashes, the limit {limit:.1f} s: {memory // MIB} MiB of memory, staging {made['staging']}")
    spent = time.monotonic() - started
    figures.record(
        "backup.memory_mib", -(-memory // MIB), unit="MiB", target="<= 200", seconds=spent, command="nox -s bench --no-venv -- -m slow", of=size // MIB
    )
    assert memory <= 200 * MIB
    assert made["staging"]["peak"] <= STAGING * MIB
