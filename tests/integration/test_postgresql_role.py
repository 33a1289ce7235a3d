# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles postgresql and backup_repository as production uses them: a fresh host, a managed database, a bucket."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.integration import checkmode

ROLE = "groundcrew.ops.postgresql"


@pytest.fixture(scope="module")
def address(cloud: Any) -> Iterator[str]:
    key = Path(cloud.env["GROUNDCREW_LOCAL_SSH_KEY"] + ".pub").read_text()
    assert not cloud.module("groundcrew.ops.do_ssh_key", {"name": "backups", "public_key": key}).get("failed")
    fleet = {"fleet_tag": "backups", "names": ["backups-13"]}
    made = cloud.module("groundcrew.ops.do_droplet", {**fleet, "size": "s-1vcpu-1gb", "region": "fra1", "ssh_keys": ["backups"], "image": "debian-13-x64"})
    assert not made.get("failed"), made
    [made_address] = [droplet["public_address"] for droplet in made["droplets"] if droplet["name"] == "backups-13"]
    yield made_address
    cloud.module("groundcrew.ops.do_droplet", {**fleet, "state": "absent"})
    cloud.module("groundcrew.ops.do_ssh_key", {"name": "backups", "state": "absent"})


@pytest.fixture(scope="module")
def variables(cloud: Any) -> Iterator[dict[str, Any]]:
    body = {"name": "backups-pg", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
    status, answer = cloud.request("POST", "/v2/databases", body)
    assert status == 201, answer
    path = f"/v2/databases/{answer['database']['id']}"
    made = cloud.wait("the database to be online", path, lambda _status, seen: seen["database"]["status"] == "online")["database"]["connection"]
    with psycopg2.connect(made["uri"]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS item FROM generate_series(1, 5000) n")
    store = {"endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"], "access_key": cloud.env["AWS_ACCESS_KEY_ID"], "secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"]}
    yield {
        **{f"{role}_{name}": value for role in ("postgresql", "backup_repository") for name, value in {**store, "bucket": "role-backups"}.items()},
        "postgresql_addressing_style": "path",
        "postgresql_login_host": made["host"],
        "postgresql_login_port": made["port"],
        "postgresql_login_user": made["user"],
        "postgresql_login_password": made["password"],
        "postgresql_database": "defaultdb",
        "postgresql_maintenance_database": "defaultdb",
        "postgresql_ssl_mode": "verify-full",
        "postgresql_ca_certificate": base64.b64decode(cloud.request("GET", f"{path}/ca")[1]["ca"]["certificate"]).decode(),
        "postgresql_version": 17,
        "postgresql_signing_key": "0123456789abcdef0123456789abcdef",
        "postgresql_restore_target": "restored",
    }
    cloud.request("DELETE", path)


def test_from_a_fresh_host_to_a_proven_backup(cloud: Any, address: str, variables: dict[str, Any], tmp_path: Path) -> None:
    login = {"ansible_user": "root", "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}
    there = {"ansible_host": address, "ansible_ssh_private_key_file": cloud.env["GROUNDCREW_LOCAL_SSH_KEY"], **login}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"backups-13": there, "localhost": here}}}))
    collection = tmp_path / "ansible_collections" / "groundcrew" / "ops"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(Path(__file__).resolve().parents[2])
    env = {"ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")}

    def run(role: str, hosts: str, *verbs: str) -> checkmode.Run:
        tasks: list[dict[str, Any]] = [{"name": "Apply the role", "ansible.builtin.include_role": {"name": role, "tasks_from": verb}} for verb in verbs]
        if "restore" in verbs:
            equal = ["postgresql_result.verdict == 'equal'", "postgresql_result.source_rows == 5000", "postgresql_result.restored_rows == 5000"]
            tasks.append({"name": "Require equality", "ansible.builtin.assert": {"that": equal}})
        if "verify" in verbs:
            proven = ["postgresql_result.verdict == 'equal'", "postgresql_result.checks | map(attribute='level') | list == ['V1', 'V5', 'V6']"]
            tasks.append({"name": "Require a proof", "ansible.builtin.assert": {"that": proven}})
        if "maintain" in verbs:
            tasks.append({"name": "Look at the configuration", "ansible.builtin.stat": {"path": "/etc/groundcrew/postgresql/backup.json"}, "register": "made"})
            tasks.append({"name": "Require that only root reads it", "ansible.builtin.assert": {"that": ["made.stat.mode == '0400'"]}})
        book = tmp_path / "play.json"
        book.write_text(json.dumps([{"name": "Apply one role", "hosts": hosts, "vars": variables, "tasks": tasks}]))
        done = checkmode.run(book, inventory, env=env)
        assert done.rc == 0, done.failed
        return done

    assert run("groundcrew.ops.backup_repository", "localhost", "main").changed
    assert not run("groundcrew.ops.backup_repository", "localhost", "main").changed, "the second run finds the bucket as it should be"
    assert run(ROLE, "backups-13", "main").changed
    assert not run(ROLE, "backups-13", "main").changed
    assert len(run(ROLE, "backups-13", "backup").changed) == 1
    assert ("backups-13", f"{ROLE} : Install the server that checks are made in") in run(ROLE, "backups-13", "verify").changed
    for verb in ("verify", "restore"):
        assert len(run(ROLE, "backups-13", verb).changed) == 1
    assert len(run(ROLE, "backups-13", "maintain").changed) == 1, "the configuration of the timers is all that is missing"
    assert not run(ROLE, "backups-13", "maintain").changed
