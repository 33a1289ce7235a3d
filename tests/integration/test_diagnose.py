# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault is made for real - on servers on loopback, on a host, in an application with engine and proxy - and the verdict names it and no other."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._audit import way
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import diagnose as managed
from ansible_collections.groundcrew.ops.plugins.module_utils._host import diagnose as on_host
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import diagnose as postgresql
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import diagnose as redis
from ansible_collections.groundcrew.ops.plugins.module_utils._release import diagnose_checks as application
from tests import figures
from tests.integration import checkmode
from tests.integration import diagnose_faults as faults
from tests.integration.backup_servers import PASSWORD, folder, free_port
from tests.integration.conftest import TestCloud
from tests.integration.do_inprocess import Account
from tests.integration.release_host import APP, ReleaseHost, environment
from tests.integration.test_audit_servers import ROOT, certificate, database, ids, redis_server, sql, wait_for_redis

__all__ = ["certificate", "database"]
# A server that still loads needs gigabytes; tests/unit has what it answers.
ELSEWHERE = {"diagnose.redis.loaded"}
CATALOGS = (postgresql.CATALOG, redis.CATALOG, redis.QUEUE, managed.CATALOG, on_host.CATALOG, application.CATALOG)
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
# Seconds that ten hosts may take.
LONGEST = 30
# What was made wrong, and what the verdicts then named, over all tests of this file.
MADE: dict[str, bool] = {}
# What was named though nothing was wrong.
RIGHT: set[str] = set()
BEGAN = time.monotonic()


def failing(answer: Mapping[str, Any]) -> set[str]:
    assert PASSWORD not in str(answer)
    return {each["id"] for each in answer["findings"] if each["verdict"] == "fail"}


def names(answer: Mapping[str, Any], *faults: str) -> None:
    """The verdict names these faults and no others."""
    found = failing(answer)
    MADE.update({fault: fault in found for fault in faults})
    RIGHT.update(set() if faults else found)
    assert found == set(faults), answer["findings"]


@contextmanager
def dropping(address: str = "127.0.0.1") -> Iterator[int]:
    """A port whose packets come to nothing, as behind a firewall: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((address, 0))
        server.listen(0)
        for _client in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_the_way_to_a_database(database: dict[str, Any], certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "TIMEOUT", 1.0)
    login = {**database, "subject": "here", "ca_cert": None, "slow_seconds": 30.0, "max_latency_ms": 2000.0}

    def ask(**change: Any) -> dict[str, Any]:
        return postgresql.diagnose_postgresql({**login, **change})

    right = ask(ssl_mode="verify-full", ca_cert=f"{certificate}/cert.pem")
    names(right)
    assert {each["verdict"] for each in right["findings"]} == {"pass"}
    names(ask(login_host="no-such-host.invalid"), "diagnose.postgresql.dns")
    # Nobody may send to everybody: there is no way.
    names(ask(login_host="255.255.255.255"), "diagnose.postgresql.route")
    with dropping() as port:
        names(ask(login_port=port), "diagnose.postgresql.trusted_sources")
    names(ask(login_port=free_port()), "diagnose.postgresql.port")
    stranger = ask(login_host="localhost", ssl_mode="verify-full", ca_cert=f"{certificate}/cert.pem")
    names(stranger, "diagnose.postgresql.tls")
    behind = {each["id"]: each for each in stranger["findings"]}["diagnose.postgresql.credentials"]
    assert behind["verdict"] == "unknown" and "tls has to be right first" in behind["evidence"]
    names(ask(login_password="wrong"), "diagnose.postgresql.credentials")
    names(ask(login_db="nothing"), "diagnose.postgresql.database")


def test_a_database_that_is_reached_and_does_not_work(database: dict[str, Any]) -> None:
    login = {**database, "subject": "here", "ca_cert": None, "slow_seconds": 1.0, "max_latency_ms": 2000.0}
    open_one = {"host": "127.0.0.1", "port": database["login_port"], "user": "groundcrew", "password": PASSWORD, "dbname": "postgres"}
    sql(database, "CREATE TABLE held (id int)")
    with ExitStack() as stack:
        holder, waiter = (stack.enter_context(contextlib.closing(psycopg2.connect(**open_one))) for _session in range(2))
        holder.cursor().execute("LOCK TABLE held")

        def wait() -> None:
            with contextlib.suppress(psycopg2.Error):
                waiter.cursor().execute("SELECT * FROM held")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(1.6)
        names(postgresql.diagnose_postgresql(login), "diagnose.postgresql.locks", "diagnose.postgresql.slow", "diagnose.postgresql.left_open")
        holder.rollback()
        thread.join()
    sql(database, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    time.sleep(0.3)
    names(postgresql.diagnose_postgresql({**login, "max_latency_ms": 0.0}), "diagnose.postgresql.writes", "diagnose.postgresql.latency")
    sql(database, "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    with ExitStack() as stack:
        for _session in range(27):
            stack.enter_context(contextlib.closing(psycopg2.connect(**open_one)))
        names(postgresql.diagnose_postgresql(login), "diagnose.postgresql.connections")
        for _session in range(3):
            stack.enter_context(contextlib.closing(psycopg2.connect(**open_one)))
        names(postgresql.diagnose_postgresql(login), "diagnose.postgresql.state")


def test_a_cache_and_its_queues(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "TIMEOUT", 1.0)
    plain, tls = free_port(), free_port()
    login: dict[str, Any] = {"login_host": "127.0.0.1", "login_port": plain, "login_user": "default", "login_password": PASSWORD, "ssl_mode": "disable"}
    login |= {"ca_cert": None, "subject": "here", "queues": ["mails"], "queue_prefix": "bull", "max_latency_ms": 2000.0, "max_wait_seconds": 60.0}
    login |= {"max_job_seconds": 30.0}

    def ask(**change: Any) -> dict[str, Any]:
        return redis.diagnose_redis({**login, **change})

    secure = ["--tls-port", str(tls), "--tls-cert-file", f"{certificate}/cert.pem", "--tls-key-file", f"{certificate}/key.pem", "--tls-auth-clients", "no"]
    with folder() as place, redis_server(place, "--port", str(plain), *secure, "--requirepass", PASSWORD):
        client = wait_for_redis(plain, password=PASSWORD)
        names(ask())
        names(ask(login_port=tls, ssl_mode="verify-full", ca_cert=f"{certificate}/cert.pem"))
        names(ask(login_host="no-such-host.invalid"), "diagnose.redis.dns")
        names(ask(login_host="255.255.255.255"), "diagnose.redis.route")
        with dropping() as port:
            names(ask(login_port=port), "diagnose.redis.trusted_sources")
        names(ask(login_port=free_port()), "diagnose.redis.port")
        names(ask(login_host="localhost", login_port=tls, ssl_mode="verify-full", ca_cert=f"{certificate}/cert.pem"), "diagnose.redis.tls")
        names(ask(login_password="wrong"), "diagnose.redis.credentials")
        names(ask(max_latency_ms=0.0), "diagnose.redis.latency")

        client.hset("bull:mails:7", "timestamp", int(1000 * (time.time() - 600)))
        client.lpush("bull:mails:wait", "7")
        client.lpush("bull:mails:active", "6")
        client.hset("bull:mails:meta", "paused", 1)
        names(ask(), *(f"diagnose.queue.{name}" for name in ("running", "workers", "stalled", "waits")))
        # Somebody works on it: BullMQ names the connections of its workers so.
        client.client_setname("bull:bWFpbHM=:w:one")
        client.set("bull:mails:6:lock", "somebody")
        client.hdel("bull:mails:meta", "paused")
        names(ask(), "diagnose.queue.waits")
        now = int(1000 * time.time())
        client.hset("bull:mails:6", "processedOn", now - 31_000)
        for job, taken in (("3", 90_000), ("4", 31_000), ("5", 1_000)):
            client.hset(f"bull:mails:{job}", mapping={"processedOn": now - taken - 5_000, "finishedOn": now - 5_000})
            client.zadd("bull:mails:completed", {job: now})
        names(ask(), "diagnose.queue.waits", "diagnose.queue.overdue", "diagnose.queue.slow")
        # One job that took long is none of the rule.
        client.hset("bull:mails:4", "finishedOn", now - 35_000)
        client.hset("bull:mails:6", "processedOn", now - 9_000)
        names(ask(), "diagnose.queue.waits")

        client.config_set("maxclients", 12)
        others = [wait_for_redis(plain, password=PASSWORD) for _client in range(10)]
        client.config_set("maxmemory", int(client.info()["used_memory"] * 1.02))
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        names(ask(queues=[]), "diagnose.redis.connections", "diagnose.redis.memory", "diagnose.redis.writes")
        for each in [client, *others]:
            each.close()


def test_a_managed_cluster_that_is_not_as_it_should_be(account: Account) -> None:
    """As DigitalOcean's API tells it; the stand-in is asked, and what no request brings about is written into its state."""
    account.request("POST", "/v2/databases", {"name": "shop-pg", "engine": "pg", "version": "17", "size": "db-s-1vcpu-1gb", "num_nodes": 1, "region": "fra1"})
    [cluster] = account.request("GET", "/v2/databases")[1]["databases"]
    declared = {"name": "shop-pg", "trusted_sources": [{"ip_addr": "192.0.2.1"}]}
    before = account.writes()

    def ask(*faults: str, **change: Any) -> None:
        answer = account.module("do_database_diagnose", {"clusters": [{**declared, **change}]})
        assert not answer.get("failed"), answer
        names(answer, *faults)

    ask()
    assert account.writes() == before
    ask("diagnose.managed_database.exists", name="another")
    account.request("PUT", f"/v2/databases/{cluster['id']}/firewall", {"rules": [{"type": "ip_addr", "value": "192.0.2.2"}]})
    ask("diagnose.managed_database.trusted_sources")
    account.request("PUT", f"/v2/databases/{cluster['id']}/firewall", {"rules": [{"type": "ip_addr", "value": "192.0.2.1"}]})
    now = dt.datetime.now(dt.timezone.utc)
    with account.world.store.edit("database", cluster["id"]) as current:
        assert current is not None
        current["maintenance"] = {"day": f"{now:%A}".lower(), "hour": f"{now:%H:%M}:00", "pending": True, "description": ["Update PostgreSQL"]}
    ask("diagnose.managed_database.maintenance")
    with account.world.store.edit("database", cluster["id"]) as current:
        assert current is not None
        current |= {"maintenance": cluster["maintenance_window"], "status": "resizing"}
    ask("diagnose.managed_database.online")


@pytest.mark.slow
def test_a_host_on_which_everything_is_wrong(host: ReleaseHost) -> None:
    def ask(load: float) -> dict[str, Any]:
        ran = host.play("groundcrew.ops.host", verb="diagnose", host_diagnose_load=load)
        assert not ran.failed and not ran.changed, ran.message
        return next(facts["host_result"] for task in ran.tasks if "host_result" in (facts := task.get("ansible_facts", {})))

    host.ssh("systemctl reset-failed")
    # How busy the machine is says nothing here.
    names(ask(10000.0))
    with faults.ill(host) as load:
        answer = ask(load)
        names(answer, *ids(on_host.CATALOG))
    said = {each["id"].rpartition(".")[2]: each["evidence"] for each in answer["findings"]}
    for check, culprit in {
        "units": "broken.service",
        "restarts": "again.service",
        "out_of_memory": "hungry",
        "memory": "fat.service has 6",
        "open_files": "python3 has 61 of 64",
        "read_only": "/mnt/fixed",
        "disk": "/mnt/small",
        "inodes": "/mnt/small",
        "filling": "/mnt/filling",
    }.items():
        assert culprit in said[check], said[check]


@pytest.mark.slow
def test_an_application_that_is_ill(host: ReleaseHost, tmp_path: Path) -> None:
    """Each fault with the real engine and proxy. Deploying the version again repairs it."""

    def ask(*named: str) -> dict[str, str]:
        ran = host.run("diagnose")
        assert not ran.failed and not ran.changed and "a value that is never shown" not in json.dumps(ran.tasks), ran.message
        verdicts = ran.result["application"]["verdicts"]
        names({"findings": verdicts}, *(f"diagnose.compose_app.{name}" for name in named))
        return {each["id"].rpartition(".")[2]: each["evidence"] for each in verdicts}

    def deploy(version: str, **variables: Any) -> None:
        done = host.deploy(version, compose_app_bake_seconds=0, **variables)
        assert not done.failed, done.message

    assert not host.play("groundcrew.ops.proxy").failed
    deploy("1.0.0")
    try:
        ask()
        slot = host.run("diagnose").result["application"]["active"]["slot"]
        # Requests wait in the proxy, and not in the application.
        for server in (1, 2):
            faults.tell_proxy(host, f"set maxconn server app_rude/{slot}{server} 1")
        with host.load(path="/slow", connections=8, pause=0.0):
            ask("proxy_latency")
        for server in (1, 2):
            faults.tell_proxy(host, f"set maxconn server app_rude/{slot}{server} 0")

        (tmp_path / "compose.yml").write_text(faults.WORKERS)
        services = [{"name": "api", "kind": "web", "port": 3000}, *({"name": name, "kind": "worker"} for name in ("worker", "hungry", "failing"))]
        files = [str(APP / "compose.api.yml"), str(tmp_path / "compose.yml")]
        deploy("1.1.0", compose_app_files=files, compose_app_services=services, compose_app_environment=environment(DELAY_SECONDS="0.8"))
        host.ssh(faults.TOLD)
        said = ask("latency", "mode", "out_of_memory", "restarts", "logs")
        assert "has MODE=api" in said["mode"] and "of hungry was killed" in said["out_of_memory"] and "ConnectionError: queue" in said["logs"]

        deploy("1.0.0")
        ask()
        slot = host.run("diagnose").result["application"]["active"]["slot"]
        for server in (1, 2):
            faults.tell_proxy(host, f"set server app_rude/{slot}{server} state maint")
        host.ssh("docker kill $(docker ps -q --filter label=groundcrew.service=worker)")
        ask("running", "proxy", "serves")

        deploy("1.0.0")
        watcher = host.kill_at("STARTED")
        assert host.deploy("1.1.0", compose_app_bake_seconds=0).failed and watcher.wait(timeout=150) == 0
        assert "was interrupted" in ask("release")["release"]
    finally:
        host.play("groundcrew.ops.compose_app", "groundcrew.ops.proxy", verb="remove")


def test_one_page_over_all_hosts(database: dict[str, Any], tmp_path: Path) -> None:
    """playbooks/diagnose.yml: groundcrew.ops.host, groundcrew.ops.postgresql, groundcrew.ops.redis and groundcrew.ops.managed_database, verb diagnose;
    groundcrew.ops.findings puts it on one page. Nothing listens where the cache should be, and a host is gone."""
    hosts: dict[str, dict[str, Any]] = {"one": HERE, "gone": {"ansible_host": "127.0.0.1", "ansible_port": free_port()}}
    cache = {"redis_login_host": "127.0.0.1", "redis_login_port": free_port(), "redis_login_password": PASSWORD}
    page = diagnosed(tmp_path, database, hosts, managed_database_clusters=[{"name": "shop-pg"}], **cache)
    found = {(each["id"], each["subject"]): each for each in page["findings"]}
    assert found["diagnose.redis.port", "one"]["verdict"] == "fail" and "Start the server" in found["diagnose.redis.port", "one"]["remedy"]
    assert found["diagnose.postgresql.database", "one"]["verdict"] == "pass" and ("diagnose.host.disk", "one") in found
    # There is no token here.
    assert found["diagnose.managed_database.online", "shop-pg"]["verdict"] == "unknown"
    assert {subject for name, subject in found if name == "audit.answered"} == {f"gone {role}_result" for role in ("host", "postgresql", "redis")}


@pytest.mark.slow
def test_ten_hosts_are_asked_at_once(cloud: TestCloud, ten: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Over SSH; the packets to an eleventh, and those of all of them to their database, come to nothing."""

    def asked(name: str, seconds_to_connect: int) -> float:
        with dropping() as nowhere, dropping(cloud.cloud.gateway) as database:
            place = tmp_path / name
            place.mkdir()
            lost = {"ansible_host": "127.0.0.1", "ansible_port": nowhere, "ansible_timeout": seconds_to_connect}
            login = {"login_host": cloud.cloud.gateway, "login_port": database, "login_user": "shop", "login_password": PASSWORD, "ssl_mode": "require"}
            began = time.monotonic()
            page = diagnosed(place, login, {**ten, "gone": lost})
            taken = time.monotonic() - began
        found = {(each["id"], each["subject"]): each["verdict"] for each in page["findings"]}
        for host in ten:
            assert (found["diagnose.postgresql.trusted_sources", host], found["diagnose.host.inodes", host]) == ("fail", "pass")
        assert {subject for check, subject in found if check == "audit.answered"} == {"gone host_result", "gone postgresql_result"}
        return taken

    # As Ansible has it, unless it is told otherwise.
    taken, patient = asked("usual", 10), asked("patient", 45)
    # How busy the machine is decides this as well, so the figure shows it, and the test holds what does not depend on that.
    figures.record(
        "diagnose.seconds",
        round(taken, 1),
        unit="s",
        of=len(ten),
        target=f"<= {LONGEST}",
        seconds=taken + patient,
        command="make test-full",
        control={"what": "with 45 s to connect to a host", "value": round(patient, 1), "red": patient > LONGEST},
    )
    assert patient > taken


@pytest.fixture
def ten(cloud: TestCloud) -> Iterator[dict[str, dict[str, Any]]]:
    """Ten droplets, as an inventory has them."""
    body = {"size": "s-1vcpu-1gb", "region": "fra1", "image": "debian-13-x64", "ssh_keys": [cloud.ssh_key()], "tags": ["ten"]}
    assert cloud.request("POST", "/v2/droplets", {**body, "names": [f"ten-{number}" for number in range(10)]})[0] == 202
    connection = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_private_key_file": str(cloud.cloud.ssh_key)}
    options = {"ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"}
    try:
        path = "/v2/droplets?tag_name=ten"
        droplets = cloud.wait("ten hosts", path, lambda _, answer: {each["status"] for each in answer["droplets"]} == {"active"}, 600)["droplets"]
        yield {each["name"]: {"ansible_host": each["networks"]["v4"][0]["ip_address"], **connection, **options} for each in droplets}
    finally:
        cloud.request("DELETE", "/v2/droplets?tag_name=ten")


def diagnosed(place: Path, database: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], **variables: Any) -> dict[str, Any]:
    """The page that the playbook writes about these hosts."""
    given = {
        **{f"postgresql_{name}": database[name] for name in ("login_host", "login_port", "login_user", "login_password", "ssl_mode")},
        **{"postgresql_database": "postgres", "findings_folder": str(place / "page"), "findings_formats": ["json"], **variables},
    }
    inventory = {"hosts": {"localhost": HERE}, "vars": given, "children": {"app": {"hosts": hosts}}}
    (place / "hosts.json").write_text(json.dumps({"all": inventory}))
    (place / "c/ansible_collections/groundcrew").mkdir(parents=True)
    (place / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
    collections = f"{place}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
    settings = {"ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_FORKS": "11", "DIGITALOCEAN_TOKEN": ""}
    ran = checkmode.run(ROOT / "playbooks/diagnose.yml", place / "hosts.json", env=settings)
    assert ran.rc == 0 and not ran.changed and PASSWORD not in ran.output, ran.output[-3000:]
    page: dict[str, Any] = json.loads((place / "page" / "diagnosis.json").read_text())
    return page


@pytest.mark.slow
def test_every_fault_was_named() -> None:
    """Behind all tests of this file."""
    every = {each for catalog in CATALOGS for each in ids(catalog)} - ELSEWHERE
    held = figures.record(
        "diagnose.faults_named",
        sum(MADE.values()),
        unit="faults",
        of=len(MADE),
        target=f"== {len(every)}",
        seconds=time.monotonic() - BEGAN,
        command="make test-full",
        control={"what": "servers, hosts and applications that are right", "value": len(RIGHT), "red": not RIGHT},
    )
    assert set(MADE) == every and held and not RIGHT
