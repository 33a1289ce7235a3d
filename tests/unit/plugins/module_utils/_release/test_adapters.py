# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapters against scripted answers: registry, HAProxy's socket, HTTP probes, the store, Compose's command line."""

from __future__ import annotations

import base64
import dataclasses
import errno
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Response
from ansible_collections.groundcrew.ops.plugins.module_utils._release.compose import Compose
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import Haproxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.headless import NoProxy, RunningProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.host import LocalHost
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    ComposeFile,
    Health,
    Occupant,
    Pending,
    Server,
    Service,
    State,
    SupportFile,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import HttpProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.registry import Registry, parse
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, override, render_environment
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters
from tests.unit.plugins.module_utils._release.worlds import SLOTS, ManualClock, make

DIGEST = "sha256:" + "0" * 64


class ScriptedRegistry:
    """Answers requests in order and remembers what was asked, and with which headers."""

    def __init__(self, *answers: Response | OpsError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str, Mapping[str, str]]] = []

    def connect(self, base: str, headers: Mapping[str, str]) -> Any:
        outer = self

        class Client:
            def request(self, method: str, path: str, body: Any = None) -> Any:
                outer.asked.append((method, base, path, headers))
                answer = outer.answers.pop(0)
                if isinstance(answer, OpsError):
                    raise answer
                return answer

        return Client()


FOUND = Response(200, {"docker-content-digest": DIGEST}, None)


@pytest.mark.parametrize(
    ("reference", "base", "path", "pinned"),
    [
        ("localhost:5000/shop:1", "http://localhost:5000", "/v2/shop/manifests/1", f"localhost:5000/shop@{DIGEST}"),
        ("r.example/team/shop", "https://r.example", "/v2/team/shop/manifests/latest", f"r.example/team/shop@{DIGEST}"),
        ("redis:8", "https://registry-1.docker.io", "/v2/library/redis/manifests/8", f"docker.io/library/redis@{DIGEST}"),
    ],
)
def test_a_tag_is_pinned(reference: str, base: str, path: str, pinned: str) -> None:
    registry = ScriptedRegistry(FOUND)
    assert Registry(registry.connect, plain=["localhost:5000"]).pin(reference) == pinned
    assert registry.asked[0][:3] == ("HEAD", base, path)


def test_a_digest_needs_no_question() -> None:
    assert Registry(ScriptedRegistry().connect).pin(f"r.example/shop:1@{DIGEST}") == f"r.example/shop@{DIGEST}"


def test_a_token_is_fetched_where_the_registry_asks_for_one() -> None:
    challenge = 'Bearer realm="https://auth.example/token",service="r.example",scope="repository:shop:pull"'
    registry = ScriptedRegistry(Response(401, {"www-authenticate": challenge}, None), Response(200, {}, {"token": "t"}), FOUND)
    assert Registry(registry.connect, username="u", password="p").pin("r.example/shop:1").endswith(DIGEST)
    assert registry.asked[1][1:3] == ("https://auth.example", "/token?service=r.example&scope=repository%3Ashop%3Apull")
    assert registry.asked[2][3]["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([Response(404, {}, None)], r"Image r\.example/shop:1 does not exist: registry r\.example"),
        ([Response(403, {}, None)], "refuses access"),
        ([Response(401, {"www-authenticate": "Basic"}, None), Response(401, {}, None)], "refuses access"),
        ([Response(200, {}, None)], "without a digest"),
        ([OpsError("connection refused")], r"Cannot look up image r\.example/shop:1 at registry r\.example: connection refused"),
    ],
)
def test_an_image_that_cannot_be_pinned_is_named(answers: list[Response | OpsError], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        Registry(ScriptedRegistry(*answers).connect).pin("r.example/shop:1")


@pytest.mark.parametrize("reference", ["", "Shop:1", "shop:a b", "r.example/"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(OpsError, match="is not an image reference"):
        parse(reference)


STATES = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port
3 app_shop 1 a1 127.0.0.1 2 0 1 1 20000
3 app_shop 2 a2 127.0.0.1 2 4 13 1 20001
3 app_shop 3 b1 127.0.0.1 0 5 1 1 20100
3 app_shop 4 b2 127.0.0.1 2 8 1 1 20101

"""
STATS = """# pxname,svname,qcur,scur,status,hrsp_2xx,hrsp_5xx,rtime,
app_shop,a1,0,3,UP,10,2,7,
app_shop,b1,0,0,MAINT,,,,
other,a1,0,9,UP,5,0,1,

"""


@pytest.fixture
def proxy_socket(tmp_path: Path) -> Iterator[tuple[Path, list[str], dict[str, str]]]:
    """A socket that answers like HAProxy's: one line in, text out, closed."""
    path, asked, answers = tmp_path / "admin.sock", [], {"show servers state": STATES, "show stat": STATS}
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                connection, _address = server.accept()
            except OSError:
                return
            line = connection.recv(65536).decode().strip()
            asked.append(line)
            connection.sendall(next((answer for start, answer in answers.items() if line.startswith(start)), "\n").encode())
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield path, asked, answers
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_the_proxys_socket(proxy_socket: tuple[Path, list[str], dict[str, str]], tmp_path: Path) -> None:
    path, asked, answers = proxy_socket
    proxy = Haproxy("app_shop", str(path), str(tmp_path / "state"))
    assert proxy.servers() == {
        "a1": Server("a1", "ready", 20000),
        "a2": Server("a2", "ready", 20001, weighted=True),
        "b1": Server("b1", "maint", 20100),
        "b2": Server("b2", "drain", 20101),
    }
    assert proxy.sessions() == {"a1": 3, "b1": 0}
    assert proxy.counters() == {"a1": Counters(12, 2, 7.0), "b1": Counters()}
    proxy.set_states({"b1": "ready", "a1": "drain"}, {"b1": 13})
    commands = ("b1 weight 13", "b1 state ready", "a1 weight 100%", "a1 state drain")
    assert asked[-1] == "; ".join(f"set server app_shop/{command}" for command in commands)
    assert proxy.saved() == {}
    proxy.save()
    assert proxy.saved() == {"a1": "ready", "a2": "ready with a weight", "b1": "maint", "b2": "drain"}
    answers["set server"] = "No such server.\n"
    with pytest.raises(OpsError, match="refused to change servers of app_shop: No such server"):
        proxy.set_states({"x": "ready"})
    answers["show servers state"] = "Can't find backend.\n"
    with pytest.raises(OpsError, match="has no backend app_shop"):
        proxy.servers()


def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="HAProxy does not answer"):
        Haproxy("app_shop", str(tmp_path / "none"), "").servers()


@pytest.fixture
def application() -> Iterator[tuple[int, dict[str, Any]]]:
    """An application whose answers a test sets."""
    says: dict[str, Any] = {"status": 200, "release": "r1", "header": True, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            says["asked"].append((self.path, self.headers["Host"]))
            self.send_response(says["status"])
            if says["header"]:
                self.send_header("X-Release", says["release"])
            self.end_headers()
            self.wfile.write(json.dumps({"release": says["release"]}).encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], says
    server.shutdown()
    server.server_close()


def probe(port: int) -> HttpProbe:
    return HttpProbe(f"http://127.0.0.1:{port}", "shop.example.com", Health(), ManualClock())  # type: ignore[arg-type]


@pytest.mark.parametrize("header", [True, False])
def test_a_slot_proves_itself_by_answers_in_a_row_from_its_release(application: tuple[int, dict[str, Any]], header: bool) -> None:
    port, says = application
    says["header"] = header
    probe(port).verify([port], Health(successes=3), "r1")
    assert [path for path, _host in says["asked"]].count("/health/ready") == 3


@pytest.mark.parametrize(("change", "said"), [({"status": 503}, "HTTP 503"), ({"release": "r0"}, "HTTP 200 from release r0")])
def test_a_slot_that_is_ill_or_serves_something_else_is_refused(application: tuple[int, dict[str, Any]], change: dict[str, Any], said: str) -> None:
    port, says = application
    says |= change
    with pytest.raises(OpsError, match=said):
        probe(port).verify([port], Health(timeout=1.0), "r1")


def test_one_question_to_a_replica(application: tuple[int, dict[str, Any]]) -> None:
    port, says = application
    assert probe(port).measure(port, Health(), "r1")[0]
    says["status"] = 503
    assert not probe(port).measure(port, Health(), "r1")[0]
    assert not probe(port).measure(1, Health(), "r1")[0]


def test_what_the_proxy_serves(application: tuple[int, dict[str, Any]]) -> None:
    port, says = application
    assert str(probe(port).serving()) == "HTTP 200 from release r1"
    assert says["asked"][-1] == ("/health/ready", "shop.example.com")
    assert "ConnectionRefusedError" in str(probe(1).serving())


def test_ports_and_space(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OpsError, match=f"Port {port} on 127.0.0.1 is in use"):
            LocalHost((tmp_path,), 0).require_free_ports([port])
    LocalHost((tmp_path,), 0).require_free_ports([port])
    LocalHost((tmp_path / "not" / "there",), 1).require_free_space()
    with pytest.raises(OpsError, match="MiB are free at"):
        LocalHost((tmp_path,), 10**9).require_free_space()


def test_the_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    store, release = Store(tmp_path / "shop"), make("1.0.0")
    assert store.read() == State() and not store.root.exists()
    with store.open("run"):
        store.add(release, "origin")
        assert store.load(release.id) == release
        assert store.origin(release.id) == "origin"
        state = State(Occupant("a", "r", "api", {"api": 2}), Pending("run", "STARTED", release.occupy("b"), True), ("r",), ("r",))
        store.write(state)
        assert store.read() == state
        with pytest.raises(OpsError, match=r"Another run works on .*: run run of "), Store(tmp_path / "shop").open("second"):
            pass
    folder = store.folder(release.id)
    assert [oct((folder / name).stat().st_mode & 0o777) for name in ("secrets/key", ".env", "release.json")] == ["0o400", "0o600", "0o600"]
    assert "vvv" not in (folder / "release.json").read_text()
    (store.root / "state.json").write_text("{")
    with pytest.raises(OpsError, match=r"state\.json is damaged"):
        store.read()
    with pytest.raises(OpsError, match="is not stored"):
        store.load("other")


def test_a_disk_that_fills_up_in_a_run_is_said_and_the_next_run_has_the_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OpsError, match=r"shop cannot be written: No space left on device\. Make room there"), Store(tmp_path / "shop").open("run"):
        monkeypatch.setattr(os, "fsync", full)
        Store(tmp_path / "shop").write(State())
    monkeypatch.undo()
    with Store(tmp_path / "shop").open("run"):
        pass
    # The control: another error is not taken for it.
    with pytest.raises(PermissionError), Store(tmp_path / "shop").open("third"):
        raise PermissionError


def test_the_override_pins_maps_and_mounts(tmp_path: Path) -> None:
    release = make("1.0.0")
    services = override("shop", release, SLOTS["b"], tmp_path)["services"]
    assert services["api"]["image"] == release.images["api"]
    assert services["api"]["ports"] == [{"target": 3000, "published": "20100-20101", "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "host"}]
    assert "ports" not in services["worker"] and services["worker"]["stop_grace_period"] == "30s"
    assert services["api"]["environment"] == {"RELEASE_ID": release.id}
    assert services["api"]["volumes"] == [f"{tmp_path}/secrets/key:/run/secrets/key:ro"]


def test_values_of_the_environment_are_literal() -> None:
    assert render_environment({"B": "it's $5", "A": "x # y"}) == "A='x # y'\nB='it\\'s $5'\n"


class ScriptedRunner:
    """Answers commands by what they contain and remembers them."""

    def __init__(self, **answers: Completed) -> None:
        self.answers = answers
        self.argv: list[Sequence[str]] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        self.argv.append(argv)
        return next((answer for word, answer in self.answers.items() if word in argv), Completed(tuple(argv), 0, "", ""))


def compose(tmp_path: Path, **answers: Completed) -> tuple[Compose, ScriptedRunner]:
    runner = ScriptedRunner(**answers)
    return Compose("shop", Store(tmp_path), SLOTS, runner), runner  # type: ignore[arg-type]


def test_a_slot_starts_in_its_own_project(tmp_path: Path) -> None:
    engine, runner = compose(tmp_path)
    engine.start(make("1.0.0"), "b", "web")
    engine.start(make("1.0.0"), "b", "worker")
    web, worker = (" ".join(argv) for argv in runner.argv)
    assert web.startswith("docker compose --project-name shop-b --project-directory ") and web.endswith("--remove-orphans --scale api=2 api")
    assert worker.startswith("docker compose --project-name shop-b-worker ") and worker.endswith("--scale worker=1 worker")


def test_only_the_named_services_of_a_slot_are_stopped(tmp_path: Path) -> None:
    def row(service: str, slot: str) -> str:
        labels = f"groundcrew.slot={slot},groundcrew.service={service},groundcrew.release=r,com.docker.compose.container-number=1"
        return json.dumps({"ID": f"{service}-{slot}", "Labels": labels, "Ports": "", "State": "running"})

    listed = "\n".join([row("cron", "a"), row("worker", "a"), row("cron", "b")])
    engine, runner = compose(tmp_path, ps=Completed(("docker",), 0, listed, ""))
    engine.stop("a", "worker", ["cron"])
    assert list(runner.argv[-1]) == ["docker", "stop", "cron-a"]


def test_data_services_start_once_in_a_project_of_their_own(tmp_path: Path) -> None:
    engine, runner = compose(tmp_path)
    (tmp_path / "slots").mkdir()
    files = (ComposeFile("compose.yml", "", {"services": {"db": {"networks": ["inner"]}, "api": {}}, "volumes": {"pg": None, "own": {"name": "x"}}}),)
    release = dataclasses.replace(make("1.0.0"), files=files, services=(*make("1.0.0").services, Service("db", "data", "")))
    engine.start(release, "a", "web")
    data, web = (" ".join(argv) for argv in runner.argv)
    assert data.startswith("docker compose --project-name shop-data ") and data.endswith("up --detach --no-deps --no-recreate --wait --wait-timeout 300 db")
    assert web.endswith("--scale api=2 api")
    told = json.loads((tmp_path / "slots" / "data.override.json").read_text())
    assert told["services"]["db"]["networks"] == {"inner": {}, "groundcrew-data": {}} and told["networks"] == {"groundcrew-data": {"name": "shop-data"}}
    slot = override("shop", release, SLOTS["a"], tmp_path)
    assert set(slot["services"]) == {"api", "worker"} and slot["services"]["api"]["networks"] == {"default": {}, "groundcrew-data": {}}
    assert slot["volumes"] == told["volumes"] == {"pg": {"name": "shop_pg"}}
    assert slot["networks"] == {"groundcrew-data": {"name": "shop-data", "external": True}}


def test_support_files_are_stored_with_their_mode_and_path(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.open("run"):
        release = dataclasses.replace(make("1.0.0"), support=(SupportFile("conf/run.sh", base64.b64encode(b"\xff").decode(), 0o755),))
        store.add(release, None)
    path = store.folder(release.id) / "conf" / "run.sh"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"\xff", 0o755)
    assert store.load(release.id) == release


def test_workers_alone_serve_when_they_run(tmp_path: Path) -> None:
    labels = "groundcrew.application=shop,groundcrew.release=r,groundcrew.service=worker,groundcrew.slot=a"
    row = json.dumps({"State": "running", "Labels": labels})
    engine, _runner = compose(tmp_path, ps=Completed((), 0, f"{row}\n", ""))
    store = Store(tmp_path)
    probe = RunningProbe(engine, store)
    assert probe.serving().status == 0
    for wanted, status in ((1, 200), (2, 503)):
        with store.open("run"):
            store.write(State(active=Occupant("a", "r", None, {"worker": wanted})))
        assert probe.serving().status == status
    proxy = NoProxy()
    assert (proxy.servers(), proxy.sessions(), proxy.saved()) == ({}, {}, {})


def test_failures_of_the_engine_say_what_failed(tmp_path: Path) -> None:
    bad = Completed(("docker",), 1, "", "no space left on device")
    engine, _runner = compose(tmp_path, inspect=bad, pull=bad, up=bad, run=bad)
    release = make("1.0.0")
    for act, said in [
        (lambda: engine.pull("r/shop@sha256:1"), "Pulling r/shop@sha256:1 failed"),
        (lambda: engine.start(release, "a", "web"), "Starting the web services"),
        (lambda: engine.migrate(release, "a"), "The migration of release"),
    ]:
        with pytest.raises(OpsError, match=f"{said}.*no space left on device"):
            act()


def test_a_migration_that_takes_too_long_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    engine, runner = compose(tmp_path, ps=Completed((), 0, "one-off\n", ""))
    answer = runner.run

    def run(argv: Sequence[str], **options: Any) -> Completed:
        if "run" in argv:
            raise OpsError("docker did not end within 3 s and was killed.")
        return answer(argv, **options)

    runner.run = run  # type: ignore[method-assign]
    with pytest.raises(OpsError, match=r"The migration of release .* was stopped: .* within 3 s"):
        engine.migrate(make("1.0.0"), "b")
    assert "label=com.docker.compose.project=shop-b" in runner.argv[0]
    assert runner.argv[-1] == ["docker", "stop", "one-off"]


def test_containers_are_read_by_their_labels(tmp_path: Path) -> None:
    labels = "groundcrew.application=shop,groundcrew.release=r,groundcrew.service=api,groundcrew.slot=a"
    rows = [{"State": "running", "Labels": labels}, {"State": "running", "Labels": labels + ",com.docker.compose.oneoff=True"}]
    engine, _runner = compose(tmp_path, ps=Completed((), 0, "\n".join(json.dumps(row) for row in rows) + "\n", ""))
    (container,) = engine.containers()
    assert (container.slot, container.service, container.release, container.running) == ("a", "api", "r", True)


PROCESSES = """#<PID>          <type>          <reloads>       <uptime>        <version>
8014            master          1 [failed: 0]   0d00h00m03s     2.6.12-1+deb12u4
# workers
8038            worker          0               {age}     2.6.12-1+deb12u4
# old workers
{former}# programs

"""
FORMER = "8019            worker          1               0d01h00m02s     2.6.12-1+deb12u4\n"


@pytest.mark.parametrize(
    ("age", "former", "left"),
    [("0d00h00m12s", FORMER, 48.0), ("0d00h01m01s", FORMER, 0.0), ("1d00h00m00s", FORMER, 0.0), ("0d00h00m12s", "", 0.0)],
)
def test_how_long_a_worker_from_before_a_reload_matters(proxy_socket: tuple[Path, list[str], dict[str, str]], age: str, former: str, left: float) -> None:
    path, _asked, answers = proxy_socket
    answers["show proc"] = PROCESSES.format(age=age, former=former)
    assert Haproxy("app_shop", "", "", master=str(path), idle=60.0).lingering() == left


def test_a_proxy_without_a_master_has_no_workers_to_wait_for(tmp_path: Path) -> None:
    assert Haproxy("app_shop", "", "", master=str(tmp_path / "missing"), idle=60.0).lingering() == 0.0
