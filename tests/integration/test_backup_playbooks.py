# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles postgresql and redis as production uses them, by the playbooks: a fresh host, two managed databases, a bucket."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from tests.integration import backup_servers, checkmode
from tests.integration.dryrun_worlds import droplet

ROOT = Path(__file__).resolve().parents[2]
POSTGRESQL, REDIS = "groundcrew.ops.postgresql", "groundcrew.ops.redis"
HOST = "backups-13"
BUCKET = f"role-backups-{uuid.uuid4().hex[:8]}"
SERVER = "Install the server that checks are made in"


@pytest.fixture(scope="module")
def servers(cloud: Any) -> Iterator[dict[str, Any]]:
    """The address of a fresh host, and two databases that are online, made side by side."""
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        made = {
            "pg": backup_servers.managed(cloud, "backups-pg", "pg", "17"),
            "valkey": backup_servers.managed(cloud, "backups-valkey", "valkey", "8"),
            "host": droplet(cloud, HOST),
        }
        ready = {name: pool.submit(stack.enter_context, each) for name, each in made.items()}
        yield {name: future.result() for name, future in ready.items()}


@pytest.fixture(scope="module")
def variables(cloud: Any, servers: dict[str, Any]) -> dict[str, Any]:
    pg, valkey = servers["pg"], servers["valkey"]
    with psycopg2.connect(pg["uri"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS item FROM generate_series(1, 5000) n")
    store = {"endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"], "access_key": cloud.env["AWS_ACCESS_KEY_ID"], "secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"]}
    made = backup_servers.module("backup_repository", {**store, "bucket": BUCKET})
    assert not made.get("failed"), made
    common = {**store, "bucket": BUCKET, "addressing_style": "path", "signing_key": "0123456789abcdef0123456789abcdef", "ssl_mode": "verify-full"}
    return {
        **{f"{role}_{name}": value for role in ("postgresql", "redis") for name, value in common.items()},
        **{
            f"postgresql_{name}": pg[key]
            for name, key in (("login_host", "host"), ("login_port", "port"), ("login_user", "user"), ("login_password", "password"))
        },
        "postgresql_ca_certificate": pg["ca"],
        "postgresql_database": "defaultdb",
        "postgresql_maintenance_database": "defaultdb",
        "postgresql_version": 17,
        "postgresql_restore_target": "restored",
        "postgresql_restore_drop": True,
        **{
            f"redis_{name}": valkey[key]
            for name, key in (("login_host", "host"), ("login_port", "port"), ("login_user", "user"), ("login_password", "password"))
        },
        "redis_ca_certificate": valkey["ca"],
        "redis_name": "cache",
        "maintenance_code": True,
        "maintenance_presets": ["quarterly", "redis-backup", "redis-retain", "redis-report"],
    }


@pytest.fixture
def cache(servers: dict[str, Any], tmp_path: Path) -> Any:
    """A client of the managed Redis."""
    there = servers["valkey"]
    authority = tmp_path / "ca.pem"
    authority.write_text(there["ca"])
    return redis.Redis(there["host"], there["port"], username=there["user"], password=there["password"], ssl=True, ssl_ca_certs=str(authority))


def test_from_a_fresh_host_to_proven_backups(cloud: Any, servers: dict[str, Any], variables: dict[str, Any], cache: Any, tmp_path: Path) -> None:
    login = {"ansible_user": "root", "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlPersist=60"}
    there = {"ansible_host": servers["host"], "ansible_ssh_private_key_file": cloud.env["GROUNDCREW_LOCAL_SSH_KEY"], **login}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {HOST: there}, "vars": variables, "children": {"app": {"hosts": {HOST: {}}}}}}))
    collection = tmp_path / "ansible_collections" / "groundcrew" / "ops"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(ROOT)
    env = {"ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")}

    def on_host(command: str) -> str:
        ssh = ["ssh", "-i", there["ansible_ssh_private_key_file"], *login["ansible_ssh_common_args"].split(), f"root@{there['ansible_host']}", command]
        return subprocess.run(ssh, check=True, capture_output=True, text=True).stdout

    def by_timer(name: str) -> str:
        """What the unit of a timer leaves in its record."""
        on_host(f"systemctl start groundcrew-{name}.service || true")
        return str(json.loads(on_host(f"cat /var/lib/groundcrew/maintenance/{name}.json"))["outcome"])

    def run(*playbooks: str, **more: Any) -> checkmode.Run:
        book = tmp_path / "all.json"
        book.write_text(json.dumps([{"name": name, "ansible.builtin.import_playbook": str(ROOT / name)} for name in playbooks]))
        return checkmode.run(book, inventory, "--extra-vars", json.dumps({"backup_hosts": HOST, **more}), env=env)

    def changed(done: checkmode.Run) -> set[str]:
        assert done.rc == 0, done.failed
        return {task for _host, task in done.changed}

    cache.mset({f"key:{number}": number for number in range(3000)})
    first = changed(run("playbooks/backup.yml"))
    backups = {f"{POSTGRESQL} : Back the database up", f"{REDIS} : Back the server up"}
    assert backups < first
    assert f"{REDIS} : Install the client tools and the libraries" in first

    checks = {f"{POSTGRESQL} : Restore the newest backup and compare it", f"{REDIS} : Load the newest backup into a server made for this and compare it"}
    timers = {f"{role} : Write the configuration of the timers" for role in (POSTGRESQL, REDIS)}
    proven = changed(run("playbooks/verify.yml", "playbooks/maintain.yml"))
    assert checks | timers < proven and f"{POSTGRESQL} : {SERVER}" in proven
    assert not proven & first, "what was installed for the backup is there"
    assert changed(run("playbooks/verify.yml", "playbooks/maintain.yml")) == checks, "each run proves the backup anew, and changes nothing else"

    store = {name: variables[f"redis_{name}"] for name in ("endpoint_url", "access_key", "secret_key", "addressing_style")}
    told = backup_servers.module("backup_info", {**store, "bucket": BUCKET, "signing_key": variables["redis_signing_key"]})
    assert not told.get("failed"), told
    assert {(one["engine"], one["proven"]) for one in told["databases"]} == {("postgresql", 1), ("redis", 1)}, told

    # What the timers run: a night of Redis, and the drills of a quarter. A night of PostgreSQL is part of the quickstart.
    units = ["redis-backup", "redis-drill", "redis-retain", "redis-report", "postgresql-drill"]
    waiting = on_host("systemctl list-timers --all --no-legend 'groundcrew-*'")
    assert all(f"groundcrew-{unit}.timer" in waiting for unit in units), waiting
    assert {unit: by_timer(unit) for unit in units} == dict.fromkeys(units, "ok")

    # Into a scratch database, and into a new server of the host's own version.
    target = "ln -s /usr/bin/redis-check-rdb /tmp/redis-server && /tmp/redis-server --port 7000 --bind 127.0.0.1 --dir /tmp --daemonize yes"
    on_host(target)
    new = {"redis_login_host": "127.0.0.1", "redis_login_port": 7000, "redis_login_password": "", "redis_ca_certificate": "", "redis_ssl_mode": "disable"}
    restores = {f"{POSTGRESQL} : Restore the backup and compare it", f"{REDIS} : Restore the chosen backup and compare it"}
    assert changed(run("playbooks/restore.yml", restore_engines=["postgresql", "redis"], **new)) == restores
    assert on_host("redis-cli -p 7000 dbsize; redis-cli -p 7000 get key:2999").split() == ["3000", "2999"]

    # The control: one changed byte in each backup, and neither check hides the other's.
    s3 = backup_servers.client({**store, "bucket": BUCKET, "region": "us-east-1"})
    for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        if item["Key"].endswith(("/data/toc.dat", "/data/dump.rdb", "/data/keys.resp")):
            content = s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            s3.put_object(Bucket=BUCKET, Key=item["Key"], Body=content[:-1] + bytes([content[-1] ^ 1]))
    damaged = run("playbooks/verify.yml")
    assert damaged.rc != 0
    assert {task for _host, task, said in damaged.failed if "is not what it should be" in said} == checks, damaged.failed
    assert (by_timer("postgresql-drill"), by_timer("redis-drill")) == ("failed", "failed")
