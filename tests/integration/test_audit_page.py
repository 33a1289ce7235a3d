# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/audit.yml with everything that it can audit, in one run over a whole system: a host with an application, one that somebody broke, their fleet,
a fleet of EC2, a managed database, a managed cache, secrets, a bucket.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import figures
from tests.integration import backup_servers, moto_ec2
from tests.integration.dryrun_worlds import droplet
from tests.integration.moto_world import REGION, TAG, Ec2, answering
from tests.integration.release_host import SSH_OPTIONS, ReleaseHost

ROOT = Path(__file__).resolve().parents[2]
BROKEN = "touch /etc/open && chmod 666 /etc/open && printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n' > /etc/ssh/sshd_config.d/00-broken.conf"
LIMIT = 60  # seconds
# What each part of the playbook finds begins with one of these. There is no backup, so nothing of backups is right; the managed cache and the secret are.
BRANCHES = {
    *("droplet", "vm", "managed_database", "secret", "repository", "backup"),
    *("host", "docker_engine", "compose_app", "container", "web", "postgresql", "redis"),
}
ELSEWISE = {"pass": {"backup"}, "fail": {"redis", "secret"}}
# What an inventory says of the fleet of EC2.
INSTANCES: dict[str, Any] = {
    "vm_fleet_tag": "audited",
    "vm_names": ["made", "by-hand"],
    "vm_region": REGION,
    "vm_tags": ["app"],
    "vm_monitoring": True,
    "vm_public_address": False,
    "vm_firewall_inbound_rules": [{"protocol": "tcp", "ports": "22", "sources": {"addresses": ["192.0.2.0/24"]}}],
}


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[Ec2]:
    """An account whose fleet has an instance that the role vm made, and one that somebody made by hand."""
    where = {"vm_vpc": "shop", "vm_subnet": "app", "vm_address": "private", "vm_size": "t3.small", "vm_image": "amzn2-ami-hvm-*", "vm_image_owners": ["amazon"]}
    (tmp_path / "ec2").mkdir()
    with moto_ec2.serving() as moto, answering() as port:
        account = Ec2(moto.url, tmp_path / "ec2")
        account.changed("main", {**INSTANCES, "vm_names": ["made"], **where, "vm_ssh_port": port, "vm_ssh_timeout": 10})
        account.add(1, {"Name": "by-hand", TAG: "audited"})
        yield account


@pytest.fixture
def servers(cloud: Any) -> Iterator[dict[str, dict[str, Any]]]:
    """A managed database and a managed cache that trust everybody."""
    paths: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    try:
        for engine, version in (("pg", "17"), ("valkey", "8")):
            body = {"name": f"audited-{engine}", "engine": engine, "version": version, "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
            status, answer = cloud.request("POST", "/v2/databases", body)
            assert status == 201, answer
            paths.append(f"/v2/databases/{answer['database']['id']}")
            seen = cloud.wait(f"{engine} to be online", paths[-1], lambda _status, seen: seen["database"]["status"] == "online")
            authority = base64.b64decode(cloud.request("GET", f"{paths[-1]}/ca")[1]["ca"]["certificate"]).decode()
            found[engine] = {**seen["database"]["connection"], "ca": authority}
        yield found
    finally:
        for path in paths:
            cloud.request("DELETE", path)


def login(role: str, there: dict[str, Any]) -> dict[str, Any]:
    given = {f"{role}_login_{name}": there[name] for name in ("host", "port", "user", "password")}
    return {**given, f"{role}_ca_certificate": there["ca"], f"{role}_ssl_mode": "verify-full"}


def declared(cloud: Any, servers: dict[str, dict[str, Any]], work: Path) -> dict[str, Any]:
    """What an inventory says of all of it. A fleet of another size, servers that trust everybody and a database without a backup are to be found."""
    store = {"endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"], "access_key": cloud.env["AWS_ACCESS_KEY_ID"], "secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"]}
    made = backup_servers.module("backup_repository", {**store, "bucket": "audited", "addressing_style": "path"})
    assert not made.get("failed"), made
    (work / "password").write_text("audited\n")
    secrets = {"store_path": str(work / "secrets"), "vault_password_file": str(work / "password")}
    kept = cloud.module("groundcrew.ops.secret", {**secrets, "name": "shop/jwt", "entropy_bits": 256})
    assert not kept.get("failed"), kept
    clusters = [{"name": f"audited-{engine}", "engine": engine, "trusted_sources": [{"tag": "app"}]} for engine in servers]
    return {
        **{f"backup_repository_{name}": value for name, value in {**store, "bucket": "audited", "addressing_style": "path"}.items()},
        "backup_repository_signing_key": "0123456789abcdef0123456789abcdef",
        "backup_repository_databases": [{"database": "defaultdb"}],
        **{f"secret_{name}": value for name, value in secrets.items()},
        "secret_items": [{"name": "shop/jwt"}],
        "droplet_fleet_tag": "audited",
        "droplet_names": ["release-1"],
        **INSTANCES,
        "managed_database_clusters": clusters,
        **login("postgresql", servers["pg"]),
        **login("redis", servers["valkey"]),
        "postgresql_database": "defaultdb",
        "findings_folder": str(work / "report"),
    }


@pytest.mark.slow
def test_everything_is_on_one_page(cloud: Any, host: ReleaseHost, ec2: Ec2, servers: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    if not host.ssh("ls /etc/haproxy/haproxy.cfg", check=False):
        assert not host.play("groundcrew.ops.proxy").failed
    deployed = host.deploy("1.0.0", compose_app_bake_seconds=0)
    assert not deployed.failed, deployed.message
    # What the verbs main of both roles leave there.
    host.ssh("DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends python3-psycopg2 python3-redis")
    for role, engine in (("postgresql", "pg"), ("redis", "valkey")):
        host.ssh(f"mkdir -p /etc/groundcrew/{role} && cat > /etc/groundcrew/{role}/ca.pem", stdin=servers[engine]["ca"])
    (tmp_path / "c/ansible_collections/groundcrew").mkdir(parents=True)
    (tmp_path / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
    with droplet(cloud, "broken-1") as address:
        key = cloud.env["GROUNDCREW_LOCAL_SSH_KEY"]
        there = {"ansible_user": "root", "ansible_ssh_private_key_file": key, "ansible_ssh_common_args": SSH_OPTIONS}
        subprocess.run(["ssh", "-i", key, *SSH_OPTIONS.split(), f"root@{address}", BROKEN], check=True, capture_output=True)
        hosts = {
            "good": {**there, "ansible_host": host.address, "compose_app_name": "rude"},
            "broken": {**there, "ansible_host": address},
        }
        here = {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
        everything = {"vars": declared(cloud, servers, tmp_path), "hosts": here, "children": {"app": {"hosts": hosts}}}
        (tmp_path / "hosts.json").write_text(json.dumps({"all": everything}))
        collections = f"{tmp_path}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        env = {**os.environ, **ec2.env, **cloud.env, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_PIPELINING": "1"}

        def timed(playbook: Path) -> tuple[float, subprocess.CompletedProcess[str]]:
            command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.json", str(playbook)]
            began = time.monotonic()
            done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
            return time.monotonic() - began, done

        seconds, done = timed(ROOT / "playbooks/audit.yml")
        said = done.stdout + done.stderr
        assert done.returncode == 2, said
        report = json.loads((tmp_path / "report" / "audit.json").read_text())
        # The control: a task for each finding, as checklists are mostly written. These find nothing, so it is the least that they take.
        task = {"name": "Find nothing", "ansible.builtin.command": {"argv": ["true"]}, "changed_when": False}
        play = {"name": "Find nothing", "hosts": "good", "become": True, "gather_facts": False, "tasks": [task] * len(report["findings"])}
        (tmp_path / "one_by_one.json").write_text(json.dumps([play]))
        slow, nothing = timed(tmp_path / "one_by_one.json")
    assert nothing.returncode == 0, nothing.stdout + nothing.stderr
    found = {verdict: {(each["id"], each["subject"]) for each in report["findings"] if each["verdict"] == verdict} for verdict in ("pass", "fail")}
    # Each part found what is right and what is wrong; none of them was silent.
    for verdict, pairs in found.items():
        said_of = {name.partition(".")[0] for name, _subject in pairs}
        silent = BRANCHES - said_of - ELSEWISE[verdict]
        assert silent == set(), f"nothing of {sorted(silent)} is said to {verdict}: {said[-6000:]}"
    assert not [each for each in report["findings"] if each["id"] == "audit.answered"], said
    assert {("host.world_writable", "good"), ("host.ssh_root_login", "good")} <= found["pass"]
    assert {("host.world_writable", "broken"), ("host.ssh_root_login", "broken"), ("host.ssh_password", "broken")} <= found["fail"]
    by_hand = {f"vm.{name}" for name in ("firewall", "imds", "encrypted", "monitoring", "tags")}
    assert {name for name, subject in found["fail"] if subject == "by-hand"} == by_hand <= {name for name, subject in found["pass"] if subject == "made"}
    assert not {name for name, subject in found["fail"] if subject == "made"}
    written = [path.read_text() for path in (tmp_path / "report").iterdir()]
    assert written and not any(there["password"] in text for there in servers.values() for text in (said, *written))
    figures.record(
        "audit.seconds",
        round(seconds, 1),
        unit=f"s for {len(hosts)} hosts and all that they use, {len(report['findings'])} findings",
        target=f"<= {LIMIT}",
        seconds=seconds + slow,
        command="make test-full",
        control={"what": "a task that finds nothing for each of the findings, one after the other", "value": round(slow, 1), "red": slow > LIMIT},
    )
