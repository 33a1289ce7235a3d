# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample application's image on real managed databases, with verified TLS and secrets from files."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys

# The quickstart deploys it as well, with all that its users see.
pytestmark = pytest.mark.slow

SAMPLE_APP = Path(__file__).resolve().parents[1] / "sample_app"
USER = 10001
RELEASE = "1.0.0-0123456789"


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def until(what: str, check: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if seen := check():
                return seen
        except OSError:
            pass
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@dataclass(frozen=True)
class Answer:
    status: int
    release: str | None
    body: Any
    cache: str | None


class Container:
    """One process of the application."""

    def __init__(self, name: str, network: str) -> None:
        self.name = name
        self.address = json.loads(docker("inspect", name))[0]["NetworkSettings"]["Networks"][network]["IPAddress"]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, 3000, timeout=10)

    def ask(self, path: str, body: Any = None) -> Answer:
        connection = self.connect()
        try:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        kind = answer.headers["Content-Type"]
        return Answer(answer.status, answer.headers["X-Release"], json.loads(text) if kind == "application/json" else text, answer.headers["Cache-Control"])

    def ready(self) -> bool:
        return self.ask("/health/ready").status == 200

    def exit_code(self) -> int:
        return int(docker("wait", self.name))

    def log(self) -> str:
        return docker("logs", self.name)


def key_set(algorithm: str) -> tuple[keys.Jwk, list[keys.Jwk]]:
    """A key to sign with, and all that are accepted, as in the middle of a rotation."""
    old, new = (keys.make(algorithm, kid, 256) for kid in ("old", "new"))
    return old, [old, new]


class Application:
    """Starts containers of the image and removes them."""

    def __init__(self, image: str, network: str, secrets: Path) -> None:
        self.image, self.network, self.secrets = image, network, secrets
        self._started: list[str] = []

    def arguments(self, **environment: str) -> list[str]:
        told = {
            "RELEASE_ID": RELEASE,
            "DRAIN_DELAY_MS": "300",
            "DATABASE_URL_FILE": "/run/secrets/database_url",
            "DATABASE_CA_FILE": "/run/secrets/ca",
            "REDIS_URL_FILE": "/run/secrets/redis_url",
            "REDIS_CA_FILE": "/run/secrets/ca",
            "RECEIPT_KEYS_FILE": "/run/secrets/receipt_keys",
            "PASS_KEYS_FILE": "/run/secrets/pass_keys",
            **environment,
        }
        variables = [word for name, value in told.items() for word in ("-e", f"{name}={value}")]
        # The label says whose it is: other clouds' tests look at what is on the machine.
        return [
            "--label",
            f"groundcrew.cloud={self.network.removeprefix('groundcrew-')}",
            "--network",
            self.network,
            "--read-only",
            "--cap-drop",
            "ALL",
            "-v",
            f"{self.secrets}:/run/secrets:ro",
            *variables,
            self.image,
        ]

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(["docker", "run", "--rm", *self.arguments(**environment), *command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self, mode: str, **environment: str) -> Container:
        name = f"sample-app-test-{os.getpid()}-{len(self._started)}"
        self._started.append(name)
        docker("run", "-d", "--name", name, *self.arguments(MODE=mode, **environment))
        return Container(name, self.network)

    def remove(self) -> None:
        while self._started:
            docker("rm", "-fv", self._started.pop(), check=False)


@pytest.fixture(scope="module")
def application(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    subprocess.run(
        [sys.executable, SAMPLE_APP / "build.py", "--registry", cloud.env["GROUNDCREW_LOCAL_REGISTRY_PUSH"], "--versions", "1.0.0"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    clusters = []
    for engine, version in (("pg", "17"), ("valkey", "8")):
        wanted = {"name": f"sample-app-{engine}", "engine": engine, "version": version, "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
        status, answer = cloud.request("POST", "/v2/databases", wanted)
        assert status == 201, answer
        clusters.append(answer["database"]["id"])
    database, redis = (
        cloud.wait("the database", f"/v2/databases/{cluster}", lambda status, body: status == 200 and body["database"]["status"] == "online")
        for cluster in clusters
    )
    authority = cloud.request("GET", f"/v2/databases/{clusters[0]}/ca")[1]["ca"]["certificate"]
    secrets = tmp_path_factory.mktemp("secrets")
    texts = {
        "database_url": database["database"]["connection"]["uri"],
        "redis_url": redis["database"]["connection"]["uri"],
        "ca": base64.b64decode(authority).decode(),
        **{name: keys.keyset(*key_set(algorithm)) for name, algorithm in (("receipt_keys", "HS256"), ("pass_keys", "ES256"))},
    }
    for name, text in texts.items():
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o400)
        os.chown(secrets / name, USER, USER)
    os.chown(secrets, USER, USER)
    started = Application(f"{cloud.env['GROUNDCREW_LOCAL_REGISTRY_PUSH']}/shop:1.0.0", cloud.cloud.network, secrets)
    yield started
    for cluster in clusters:
        cloud.request("DELETE", f"/v2/databases/{cluster}")


@pytest.fixture(scope="module")
def migrated_once(application: Application) -> Application:
    code, said = application.run("node", "migrate.js")
    assert code == 0, said
    return application


@pytest.fixture
def migrated(migrated_once: Application) -> Iterator[Application]:
    """On a schema that is up to date; a worker of one test takes no job of the next."""
    yield migrated_once
    migrated_once.remove()


def test_a_migration_runs_once(migrated: Application) -> None:
    code, said = migrated.run("node", "migrate.js")
    assert code == 0 and '"applied":0' in said


def test_an_order_goes_from_one_process_through_the_queue_to_another(migrated: Application) -> None:
    api, worker = migrated.start("api"), migrated.start("worker")
    until("ready", lambda: api.ready() and worker.ready())
    order = api.ask("/orders", {"item": "bolt", "quantity": 3})
    assert (order.status, order.release, order.body["status"]) == (201, RELEASE, "pending")
    done = until("processed", lambda: (seen := api.ask(f"/orders/{order.body['id']}").body)["status"] == "processed" and seen)
    assert done["processed_by"] == worker.ask("/health/status").body["hostname"] != api.ask("/health/status").body["hostname"]
    assert done["processed_release"] == RELEASE
    assert 'shop_jobs_total{outcome="processed"} 1' in worker.ask("/metrics").body
    assert api.ask("/version").body == {"version": "1.0.0", "release": RELEASE}
    assert worker.ask("/orders", {"item": "bolt", "quantity": 3}).status == 404
    refused: list[Any] = [{"item": "", "quantity": 1}, {"item": "bolt", "quantity": 0}, {"item": "bolt"}, []]
    for wrong in refused:
        assert api.ask("/orders", wrong).status == 400
    assert api.ask("/orders/999999999").status == 404


def test_receipts_are_verified_here_and_passes_by_the_keys_that_are_published(migrated: Application) -> None:
    api = migrated.start("api", JWKS_MAX_AGE="7")
    until("ready", api.ready)
    order = api.ask("/orders", {"item": "bolt", "quantity": 3}).body
    verified = api.ask("/receipts/verify", {"receipt": order["receipt"]})
    assert (verified.status, verified.body) == (200, {"order": int(order["id"])})
    published = api.ask("/.well-known/jwks.json")
    assert published.cache == "public, max-age=7"
    assert [key["kid"] for key in published.body["keys"]] == ["old", "new"] and not any("d" in key for key in published.body["keys"])
    assert jwt.decode(order["pass"], KeySet.import_key_set(published.body)).claims["sub"] == str(order["id"])
    with (migrated.secrets / "receipt_keys").open() as stream:
        old, new = json.load(stream)["keys"]
    claims = {"sub": str(order["id"]), "exp": time.time() + 60}
    shown = [jwt.encode({"alg": "HS256", "kid": key["kid"]}, claims, KeySet.import_key_set({"keys": [key]}).get_by_kid(key["kid"])) for key in (old, new)]
    assert [api.ask("/receipts/verify", {"receipt": token}).status for token in shown] == [200, 200]
    unknown: Any = {**keys.make("HS256", "another", 256), "kid": "old"}
    forged = jwt.encode({"alg": "HS256", "kid": "old"}, claims, KeySet.import_key_set({"keys": [unknown]}).get_by_kid("old"))
    late = jwt.encode({"alg": "HS256", "kid": "old"}, {**claims, "exp": time.time() - 1}, KeySet.import_key_set({"keys": [old]}).get_by_kid("old"))
    for refused in (forged, late, order["pass"], "nothing", 7):
        assert api.ask("/receipts/verify", {"receipt": refused}).status == 401


def test_a_stop_loses_neither_request_nor_job(migrated: Application) -> None:
    one = migrated.start("all", DRAIN_DELAY_MS="1500")
    until("ready", one.ready)
    job = one.ask("/orders", {"item": "slow", "quantity": 1, "work_ms": 2500}).body["id"]
    until("the job's start", lambda: one.ask("/health/status").body["jobs"]["active"] == 1)
    body = json.dumps({"item": "half sent", "quantity": 1}).encode()
    connection = one.connect()
    connection.putrequest("POST", "/orders")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    time.sleep(0.2)
    docker("kill", "--signal", "TERM", one.name)
    assert until("unready", lambda: (seen := one.ask("/health/ready")).status == 503 and seen).body["draining"]
    connection.send(body[10:])
    answer = connection.getresponse()
    order = json.load(answer)
    assert answer.status == 201
    assert one.exit_code() == 0, one.log()
    after = migrated.start("all")
    until("ready", after.ready)
    assert after.ask(f"/orders/{job}").body["processed_by"] != after.ask("/health/status").body["hostname"], "the process that was stopped finished its job"
    until("processed", lambda: after.ask(f"/orders/{order['id']}").body["status"] == "processed")


def test_a_server_that_the_authority_did_not_sign_is_not_talked_to(migrated: Application) -> None:
    one = migrated.start("api", DATABASE_CA_FILE="/etc/ssl/certs/ca-certificates.crt")
    seen = until("an answer", lambda: one.ask("/health/ready"))
    assert seen.status == 503 and seen.body["redis"] == "ok" and "certificate" in seen.body["database"]
    assert one.ask("/health/live").status == 200


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"DATABASE_URL_FILE": "/run/secrets/none"}, "DATABASE_URL_FILE names /run/secrets/none, which cannot be read: ENOENT"),
        ({"DATABASE_URL_FILE": ""}, "DATABASE_URL is missing"),
        ({"DATABASE_URL": "postgresql://u:hidden@h/d"}, "DATABASE_URL and DATABASE_URL_FILE are both set"),
        ({"RECEIPT_KEYS_FILE": "", "RECEIPT_KEYS": "hidden"}, "RECEIPT_KEYS is not JSON"),
        ({"RECEIPT_KEYS_FILE": "", "RECEIPT_KEYS": '{"sign": "hidden", "keys": []}'}, "RECEIPT_KEYS has no key to sign with"),
        ({"PASS_KEYS_FILE": "", "PASS_KEYS": '{"sign": "hidden", "keys": [{"kid": "hidden", "alg": "none"}]}'}, "PASS_KEYS has a key that is none of"),
        ({"MODE": "cron"}, "MODE must be one of api, worker, all"),
        ({"DATABASE_POOL": "many"}, "DATABASE_POOL must be a whole number"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(application: Application, environment: dict[str, str], message: str) -> None:
    code, said = application.run(**environment)
    assert code == 78 and message in said and "hidden" not in said and "at " + "file:" not in said


def test_the_image_does_not_run_as_root(application: Application) -> None:
    config = json.loads(docker("image", "inspect", application.image))[0]["Config"]
    assert config["User"] == f"{USER}:{USER}" and config["Healthcheck"]["Test"] == ["CMD", "node", "healthcheck.js"]
    assert application.run("node", "-p", "process.getuid()")[1].strip() == str(USER)
