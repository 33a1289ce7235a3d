# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database before, in and after a release: backed up, migrated once by a fleet of two, and a way back that its schema allows or refuses."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.integration import backup_servers
from tests.integration.release_host import ROOT, ReleaseHost

pytestmark = pytest.mark.slow

PROXY = "groundcrew.ops.proxy"
SERVER = "require('http').createServer((_, answer) => answer.end(JSON.stringify({release: process.env.RELEASE_ID}))).listen(3000)"
COMPOSE = {"services": {"api": {"image": "${SHOP_IMAGE:?}", "env_file": ".env", "expose": ["3000"], "command": ["node", "-e", SERVER]}}}
MIGRATE = """
const {readFileSync} = require('fs'), {Client} = require('pg');
const at = new URL(readFileSync('/run/secrets/database_url', 'utf8'));
const [user, password] = [at.username, at.password].map(decodeURIComponent);
const ssl = {ca: readFileSync('/run/secrets/ca', 'utf8'), host: at.hostname};
const client = new Client({host: at.hostname, port: at.port, user, password, database: at.pathname.slice(1), ssl});
client.connect()
  .then(() => client.query('CREATE TABLE IF NOT EXISTS migrations (release text)'))
  .then(() => client.query('INSERT INTO migrations VALUES ($1)', [process.env.RELEASE_ID]))
  .then(() => client.end());
"""
NAMES = ("one", "two")
PORTS = {"one": 8201, "two": 8202}


def slots(name: str) -> dict[str, int]:
    first = 23000 + 200 * NAMES.index(name)
    return {"a": first, "b": first + 100}


@pytest.fixture(scope="module")
def database(cloud: Any) -> Iterator[dict[str, Any]]:
    body = {"name": "migrated", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
    status, answer = cloud.request("POST", "/v2/databases", body)
    assert status == 201, answer
    path = f"/v2/databases/{answer['database']['id']}"
    try:
        seen = cloud.wait("the database to be online", path, lambda _status, seen: seen["database"]["status"] == "online")
        authority = base64.b64decode(cloud.request("GET", f"{path}/ca")[1]["ca"]["certificate"]).decode()
        yield {**seen["database"]["connection"], "ca": authority}
    finally:
        cloud.request("DELETE", path)


@pytest.fixture(scope="module")
def variables(cloud: Any, host: ReleaseHost, database: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the playbooks are told: a fleet of two on one machine, its database, and the bucket for backups."""
    push, registry = cloud.env["GROUNDCREW_LOCAL_REGISTRY_PUSH"], cloud.env["GROUNDCREW_LOCAL_REGISTRY"]
    subprocess.run([sys.executable, str(ROOT / "tests/sample_app/build.py"), "--registry", push, "--versions", "1.0.0"], check=True, capture_output=True)
    files = tmp_path_factory.mktemp("migrated") / "compose.yml"
    files.write_text(json.dumps(COMPOSE))
    applications = [{"name": name, "slots": slots(name), "port": PORTS[name], "replicas": 1} for name in NAMES]
    proxied = host.play(PROXY, proxy_applications=applications)
    assert not proxied.failed, proxied.message
    env = cloud.env
    store = {"endpoint_url": env["AWS_ENDPOINT_URL_S3"], "access_key": env["AWS_ACCESS_KEY_ID"], "secret_key": env["AWS_SECRET_ACCESS_KEY"]}
    bucket = f"migrated-{uuid.uuid4().hex[:8]}"
    made = backup_servers.module("backup_repository", {**store, "bucket": bucket})
    assert not made.get("failed"), made
    backup = {
        **store,
        "bucket": bucket,
        "addressing_style": "path",
        "signing_key": "0123456789abcdef0123456789abcdef",
        "login_host": database["host"],
        "login_port": database["port"],
        "login_user": database["user"],
        "login_password": database["password"],
        "ca_certificate": database["ca"],
        "ssl_mode": "verify-full",
        "database": database["database"],
        "maintenance_database": database["database"],
        "version": 17,
        "restore_target": "restored",
    }
    return {
        **{f"postgresql_{name}": value for name, value in backup.items()},
        "backup_hosts": "one",
        "compose_app_backup_before_migration": True,
        "compose_app_name": "{{ inventory_hostname }}",
        "compose_app_slots": "{{ own_slots }}",
        "compose_app_proxy": {"url": "http://127.0.0.1:{{ own_port }}"},
        "compose_app_image": f"{registry}/shop",
        "compose_app_version": "1.0.0",
        "compose_app_files": [str(files)],
        "compose_app_services": [{"name": "api", "kind": "web", "port": 3000}],
        "compose_app_secret_owner": 10001,
        "compose_app_secrets": [
            {"name": "database_url", "version": "1", "value": database["uri"]},
            {"name": "ca", "version": "1", "value": database["ca"]},
        ],
        "compose_app_migration": {"service": "api", "command": ["node", "-e", MIGRATE]},
        "compose_app_bake_seconds": 0,
    }


def test_the_database_is_backed_up_migrated_once_and_no_release_goes_back_past_its_schema(
    host: ReleaseHost, database: dict[str, Any], variables: dict[str, Any], tmp_path: Path
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(database["ca"])
    fleet = {name: {"own_slots": slots(name), "own_port": PORTS[name]} for name in NAMES}

    def migrated(name: str) -> list[str]:
        """The releases whose migration a database has seen, each as often as it ran."""
        login = {key: database[key] for key in ("host", "port", "user", "password")}
        with psycopg2.connect(**login, dbname=name, sslrootcert=str(authority), sslmode="verify-full") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT release FROM migrations ORDER BY ctid")
            return [row[0] for row in cursor.fetchall()]

    def serving() -> set[str]:
        return {str(json.loads(host.ssh(f"curl -sf http://127.0.0.1:{port}/health/status"))["release"]) for port in PORTS.values()}

    def deploy(version: int, oldest: int) -> str:
        told = {"SHOP_IMAGE": "{{ compose_app_image }}:{{ compose_app_version }}", "NUMBER": str(version)}
        schema = {"version": version, "oldest": oldest}
        done = host.playbook("playbooks/deploy.yml", fleet, **variables, compose_app_environment=told, compose_app_schema=schema)
        assert not done.failed, done.message
        [release] = serving()
        return release

    first, second = deploy(1, 1), deploy(2, 1)
    live = database["database"]
    assert migrated(live) == [first, second]
    # The newest backup is from before the second migration.
    restored = host.playbook("playbooks/restore.yml", fleet, **variables)
    assert not restored.failed, restored.message
    assert migrated("restored") == [first]

    third = deploy(3, 2)
    refused = host.playbook("playbooks/rollback.yml", fleet, **variables, compose_app_rollback_release=first)
    assert refused.failed and "knows version 1 of the database's schema, which is at 3" in refused.message, refused.message
    assert serving() == {third}
    # The control: the one before it knows the schema. A way back migrates nothing.
    back = host.playbook("playbooks/rollback.yml", fleet, **variables)
    assert not back.failed, back.message
    assert serving() == {second}
    assert migrated(live) == [first, second, third]
