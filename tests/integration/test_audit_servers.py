# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audits of databases, caches, answers over HTTP and secrets, on real servers on loopback: the same server right, then broken."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis as redis_client

from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import audit as postgresql
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import audit as redis
from ansible_collections.groundcrew.ops.plugins.module_utils._web import audit as web
from tests.integration.audit_seen import Seen, ids
from tests.integration.backup_servers import PASSWORD, folder, free_port, module, postgres, redis_program

ROOT = Path(__file__).resolve().parents[2]
# Only another version or months of traffic would break these; tests/unit has facts that do.
POSTGRESQL_ELSEWHERE = {"postgresql.version", "postgresql.wraparound"}
REDIS_ELSEWHERE = {"redis.version", "redis.saved"}


def verdicts(answer: Mapping[str, Any]) -> dict[str, set[str]]:
    assert not answer.get("failed") and answer["changed"] is False, answer
    return {word: {each["id"] for each in answer["findings"] if each["verdict"] == word} for word in ("pass", "fail", "unknown", "unjudged")}


def red(answer: Mapping[str, Any]) -> set[str]:
    """The checks that make an audit fail which looks for nothing less than what is critical."""
    return {each["id"] for each in module("audit_report", {"findings": answer["findings"], "fail_on": "critical"})["failing"]}


def critical(catalog: Any) -> set[str]:
    return {rule.check.id for rule in catalog.rules if rule.check.severity == "critical"}


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """Of 127.0.0.1, for 30 days."""
    with folder() as made:
        made.chmod(0o755)
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"]
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made / "key.pem"), "-out", str(made / "cert.pem")]
        subprocess.run([*make, *names], check=True, capture_output=True)
        yield made


@pytest.fixture(scope="module")
def database(certificate: Path) -> Iterator[dict[str, Any]]:
    with folder() as place:
        place.chmod(0o755)
        shutil.copy(certificate / "key.pem", place / "key.pem")
        shutil.chown(place / "key.pem", "postgres")
        (place / "key.pem").chmod(0o600)
        settings = f"-c ssl=on -c ssl_cert_file={certificate}/cert.pem -c ssl_key_file={place}/key.pem"
        with postgres(place, settings=settings) as login:
            yield {**login, "data": str(place / f"pg-{login['login_port']}")}


def sql(database: Mapping[str, Any], *statements: str) -> None:
    connection = psycopg2.connect(host="127.0.0.1", port=database["login_port"], user="groundcrew", password=PASSWORD, dbname="postgres")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_postgresql(database: dict[str, Any], checks: Seen) -> None:
    login = {name: value for name, value in database.items() if name != "data"}
    asked = {**login, "superusers": ["groundcrew"]}
    good = {"log_connections": "on", "log_disconnections": "on", "idle_in_transaction_session_timeout": "10min", "password_encryption": "scram-sha-256"}
    sql(database, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in good.items()), "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    sql(database, "SELECT pg_reload_conf()")
    time.sleep(0.3)
    right = verdicts(module("postgresql_audit", {**asked, "ssl_mode": "require"}))
    assert ids(postgresql.CATALOG) - right["pass"] == set(), right

    bad = {**dict.fromkeys(good, "off"), "idle_in_transaction_session_timeout": "0", "password_encryption": "md5", "ssl_min_protocol_version": "TLSv1"}
    sql(database, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in bad.items()))
    sql(database, "CREATE ROLE boss SUPERUSER", "CREATE ROLE copier LOGIN REPLICATION", "GRANT CREATE ON SCHEMA public TO PUBLIC")
    hba = Path(database["data"], "pg_hba.conf")
    was = hba.read_text()
    hba.write_text(was + "host all all 10.0.0.0/8 trust\n")
    sql(database, "SELECT pg_reload_conf()")
    time.sleep(0.3)
    busy = [psycopg2.connect(host="127.0.0.1", port=database["login_port"], user="groundcrew", password=PASSWORD, dbname="postgres") for _ in range(25)]
    try:
        wrong = verdicts(module("postgresql_audit", asked))
    finally:
        for each in busy:
            each.close()
        hba.write_text(was)
    checks.add(right, wrong)
    assert ids(postgresql.CATALOG) - POSTGRESQL_ELSEWHERE - wrong["fail"] == set(), wrong
    nobody = module("postgresql_audit", {**asked, "login_password": "wrong"})
    assert verdicts(nobody)["unknown"] == ids(postgresql.CATALOG) and red(nobody) == critical(postgresql.CATALOG) != set()


@contextmanager
def redis_server(place: Path, *options: str) -> Iterator[None]:
    # Debian's redis-check-rdb is the server, when it is called so.
    process = subprocess.Popen(["redis-server", "--dir", str(place), "--save", "", "--bind", "127.0.0.1", *options], executable=redis_program())
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def test_redis(certificate: Path, checks: Seen) -> None:
    plain, tls = free_port(), free_port()
    login = {"login_host": "127.0.0.1"}
    tls_options = ["--tls-port", str(tls), "--tls-cert-file", f"{certificate}/cert.pem", "--tls-key-file", f"{certificate}/key.pem", "--tls-auth-clients", "no"]
    with folder() as place, redis_server(place, "--port", "0", *tls_options, "--requirepass", "long-enough", "--maxmemory", "100mb"):
        asked = {**login, "login_port": tls, "login_password": "long-enough", "ca_cert": f"{certificate}/cert.pem"}
        wait_for_redis(tls, password="long-enough", ssl=True, ssl_ca_certs=f"{certificate}/cert.pem")
        right = verdicts(module("redis_audit", asked))
        assert ids(redis.CATALOG) - right["pass"] == set(), right
        nobody = module("redis_audit", {**asked, "login_password": "wrong"})
        assert verdicts(nobody)["unknown"] == ids(redis.CATALOG) and red(nobody) == critical(redis.CATALOG) != set()
    with folder() as place, redis_server(place, "--port", str(plain), "--maxmemory-policy", "allkeys-lru"):
        client = wait_for_redis(plain)
        client.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~*", "+@all")
        client.config_set("maxclients", 12)
        others = [redis_client.Redis(port=plain) for _ in range(9)]
        assert all(each.ping() for each in others)
        client.config_set("maxmemory", int(client.info()["used_memory"] * 1.02))
        wrong = verdicts(module("redis_audit", {**login, "login_port": plain, "ssl_mode": "disable"}))
        for each in [client, *others]:
            each.close()
    checks.add(right, wrong)
    assert ids(redis.CATALOG) - REDIS_ELSEWHERE - wrong["fail"] == set(), wrong


def wait_for_redis(port: int, **options: Any) -> redis_client.Redis:
    client = redis_client.Redis(host="127.0.0.1", port=port, **options)
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
            return client
        except redis_client.exceptions.ConnectionError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)


GOOD_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'self'",
    "Referrer-Policy": "no-referrer",
    "Set-Cookie": "session=1; Secure; HttpOnly; SameSite=Lax",
}


class Good(BaseHTTPRequestHandler):
    """A service as the guides ask for."""

    server_version, sys_version, protocol_version = "shop", "", "HTTP/1.1"
    asked: dict[str, int] = {}

    def do_GET(self) -> None:
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        known = self.path.startswith("/health/") or self.path in ("/", "/limited")
        self.answer(429 if self.path == "/limited" and self.asked[self.path] > 5 else 200 if known else 404, GOOD_HEADERS)

    def do_OPTIONS(self) -> None:
        self.answer(204, {})

    def answer(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: Any) -> None:
        pass


class Bad(Good):
    """A service as it comes out of a framework's first steps."""

    server_version = "Express/4.17"

    def do_GET(self) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Set-Cookie": "session=1", "X-Powered-By": "Express"}
        trace = "Error\n    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)"
        self.answer(503 if self.path == "/health/ready" else 500 if "does-not-exist" in self.path else 200, headers, trace)

    do_TRACE = do_GET


class Redirect(Good):
    def do_GET(self) -> None:
        self.answer(301, {"Location": "https://127.0.0.1/"})


@contextmanager
def serving(handler: type[Good], address: tuple[str, int], context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(address, handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def context(certificate: Path, *, old: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    made.minimum_version = ssl.TLSVersion.TLSv1 if old else ssl.TLSVersion.TLSv1_2
    if old:
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_web(certificate: Path, checks: Seen) -> None:
    ca = str(certificate / "cert.pem")
    limit = {"rate_limit_path": "/limited", "rate_limit_requests": 20}
    # An address of loopback that nobody else uses, so that its port 80 is this test's.
    with serving(Redirect, ("127.0.86.1", 80)), serving(Good, ("127.0.86.1", 0), context(certificate, old=False)) as port:
        asked = {"subject": "good", "url": f"https://127.0.86.1:{port}", "host": "127.0.0.1", "ca_cert": ca, **limit}
        right = verdicts(module("web_audit", asked))
        assert ids(web.CATALOG) - right["pass"] == set(), right
        unasked = verdicts(module("web_audit", {**asked, "rate_limit_requests": 0}))
        assert (unasked["unjudged"], unasked["unknown"]) == ({"web.rate_limit"}, set())
    with serving(Good, ("127.0.86.1", 80)), serving(Bad, ("127.0.86.1", 0), context(certificate, old=True)) as port:
        url = f"https://127.0.86.1:{port}"
        wrong = verdicts(module("web_audit", {"subject": "bad", "url": url, "host": "127.0.0.1", "ca_cert": ca, "min_certificate_days": 40, **limit}))
        strange = verdicts(module("web_audit", {"subject": "bad", "url": url, "host": "127.0.0.1"}))
    checks.add(right, {**wrong, "fail": wrong["fail"] | strange["fail"]})
    assert ids(web.CATALOG) - wrong["fail"] == {"web.certificate"}, wrong
    assert "web.certificate" in strange["fail"] and "web.certificate_expiry" in strange["unknown"]
    gone = verdicts(module("web_audit", {"subject": "gone", "url": f"http://127.0.86.1:{port}"}))
    assert gone["pass"] == set() and "web.hsts" in gone["unknown"] and "web.health" in gone["fail"]


@pytest.mark.slow
def test_one_page_over_all_hosts(database: dict[str, Any], tmp_path: Path) -> None:
    """playbooks/audit.yml: groundcrew.ops.postgresql, groundcrew.ops.redis, groundcrew.ops.proxy and others, verb audit; groundcrew.ops.findings (main and
    audit) puts them on one page. This machine is one host, and another one is gone."""
    port = free_port()
    (tmp_path / "c/ansible_collections/groundcrew").mkdir(parents=True)
    (tmp_path / "c/ansible_collections/groundcrew/ops").symlink_to(ROOT)
    variables = {
        "ansible_python_interpreter": sys.executable,
        **{f"postgresql_{name}": database[name] for name in ("login_host", "login_port", "login_user", "login_password")},
        **{"postgresql_database": "postgres", "redis_login_host": "127.0.0.1", "redis_login_port": port, "redis_ssl_mode": "disable"},
        **{"proxy_audit_services": [{"url": f"http://127.0.0.1:{port}"}], "findings_folder": str(tmp_path / "report")},
        "findings_waivers": [{"id": "redis.*", "subject": "*", "owner": "ann", "expires": "2999-01-01", "reason": "a test"}],
    }
    gone = {"ansible_host": "127.0.0.1", "ansible_port": free_port()}
    app = {"hosts": {"localhost": {"ansible_connection": "local"}, "gone": gone}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"vars": variables, "children": {"app": app}}}))
    collections = f"{tmp_path}/c:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
    with folder() as place, redis_server(place, "--port", str(port)):
        wait_for_redis(port)
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.json", str(ROOT / "playbooks/audit.yml")]
        done = subprocess.run(command, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections}, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    # The exit code is the severity's: something high failed, and a host's audit that never came is a failure, no silence.
    assert done.returncode == 2 and "changed=0" in said and PASSWORD not in said, said
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"audit.json", "audit.sarif", "audit.junit.xml", "audit.html", "audit.txt"}
    report = json.loads((tmp_path / "report" / "audit.json").read_text())
    found = {each["id"]: each for each in report["findings"]}
    silent = {each["subject"] for each in report["findings"] if each["id"] == "audit.answered"}
    assert silent == {f"gone {role}_result" for role in ("host", "docker_engine", "proxy")}, said
    assert {noun.partition(".")[0] for noun in found} == {"host", "docker_engine", "postgresql", "redis", "web", "audit"}
    assert found["redis.tls"]["waived"] and report["summary"]["waived"] >= 2
    assert "postgresql.tls" in found and found["web.https"]["verdict"] == "fail"
