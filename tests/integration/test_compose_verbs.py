# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other verbs of an application on a real host, and Compose files of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.release_host import FOLDER, ReleaseHost, environment

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
QUICK: dict[str, Any] = {"compose_app_bake_seconds": 0}
ALL_IN_ONE = """
x-base: &base
  image: ${RUDE_IMAGE:?}
  env_file: [.env, extra.env]
services:
  api:
    <<: *base
    expose: ["3000"]
    depends_on: {store: {condition: service_healthy}}
    volumes: ["./conf:/conf:ro", "uploads:/uploads"]
    healthcheck: {test: [CMD, python3, -c, "pass"], interval: 1s}
  worker:
    <<: *base
    environment: {MODE: worker}
    depends_on: [api]
    profiles: [background]
    stop_grace_period: 12s
  store:
    image: ${RUDE_IMAGE:?}
    container_name: the-one-store
    healthcheck: {test: [CMD, python3, -c, "pass"], interval: 1s}
    volumes: ["data:/data"]
    networks: [inner]
volumes: {data: {}, uploads: {}}
networks: {inner: {}}
"""


@pytest.fixture(scope="module")
def all_in_one(host: ReleaseHost, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not host.ssh("ls /etc/haproxy/haproxy.cfg", check=False):  # after the tests of releases it is there
        assert not host.play(PROXY).failed
    folder = tmp_path_factory.mktemp("all")
    (folder / "compose.yml").write_text(ALL_IN_ONE)
    (folder / "extra.env").write_text("EXTRA=yes\n")
    (folder / "conf").mkdir()
    (folder / "conf" / "app.conf").write_text("the configuration\n")
    services = [
        {"name": "api", "kind": "web", "port": 3000},
        {"name": "worker", "kind": "worker", "job_timeout": 10},
        {"name": "store", "kind": "data"},
    ]
    return {"compose_app_files": [str(folder / "compose.yml")], "compose_app_services": services, "compose_app_profiles": ["background"], **QUICK}


def test_one_file_with_everything_is_released_as_it_is(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    first = host.deploy("1.0.0", **all_in_one)
    assert not first.failed, first.message
    store = host.ssh("docker inspect --format '{{.Id}} {{.State.StartedAt}}' the-one-store")
    api = "docker exec $(docker ps -q --filter label=groundcrew.service=api)"
    host.ssh(f"{api} sh -c 'echo kept > /uploads/file'")
    again = host.deploy("1.0.0", **all_in_one)
    assert (again.failed, again.changed) == (False, 0), again.message

    second = host.deploy("1.1.0", **all_in_one)
    assert not second.failed, second.message
    # The release found its files, its volume, and the store, which nobody touched.
    seen = host.ssh(f"{api} sh -c 'cat /conf/app.conf /uploads/file; echo $EXTRA; getent hosts store && echo found'")
    assert seen.startswith("the configuration\nkept\nyes\n") and seen.endswith("found\n")
    assert host.ssh("docker inspect --format '{{.Id}} {{.State.StartedAt}}' the-one-store") == store
    assert host.ssh("docker inspect --format '{{.Config.StopTimeout}}' $(docker ps -q --filter label=groundcrew.service=worker)").strip() == "12"


def test_scale_takes_the_release_s_way_and_is_remembered(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    def to(replicas: int) -> dict[str, Any]:
        return {"compose_app_scale_rules": [{"service": name, "replicas": replicas} for name in ("api", "worker")]}

    with host.load() as report:
        predicted = host.run("scale", check=True, **to(3))
        more = host.play(APPLICATION, verb="scale", **to(3))
        assert not more.failed, more.message
        assert (predicted.changed, more.changed, host.run("scale", **to(3)).changed) == (1, 1, 0)
        assert more.result["replicas"] == {"api": 3, "worker": 3}
        assert len(host.ssh("docker ps -q --filter label=groundcrew.application=rude").split()) == 6
        assert host.deploy("1.1.0", **all_in_one).changed == 0
        bands = {name: {"up": 0.0, "down": 0.0} for name in ("cpu", "memory", "latency_ms", "requests")}
        busy = [{"service": "api", "maximum": 3, "signals": {**bands, "requests": {"up": 100000.0, "down": 0.0}}}]
        seen = host.run("scale", check=True, compose_app_scale_rules=busy)
        fewer = host.run("scale", **to(1))
    assert seen.changed == 0 and all(name in seen.result["reasons"]["api"] for name in bands), seen.result
    assert not fewer.failed, fewer.message
    assert len(host.ssh("docker ps -q --filter label=groundcrew.application=rude").split()) == 2
    assert report.failed == 0, report.as_dict()


@pytest.mark.slow
def test_a_timer_scales_by_what_it_sees_and_holds_what_it_cannot_see(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    rules = [{"service": "worker", "minimum": 2, "maximum": 4, "queue": {"names": ["orders"]}}]
    options: dict[str, Any] = {"compose_app_scale_rules": rules, "compose_app_scale_redis": {"url": "redis://:never-shown@127.0.0.1:1"}}
    made = host.play(APPLICATION, verb="scale", compose_app_scale_every="1h", **options)
    assert not made.failed, made.message
    # Redis is not there: fewer than the minimum run, so two come, and more is not known.
    assert made.result["replicas"] == {"worker": 2} and "1 is outside of 2 to 4" in made.result["reasons"]["worker"]
    again = host.play(APPLICATION, verb="scale", compose_app_scale_every="1h", **options)
    assert (again.failed, again.changed) == (False, 0), again.message
    assert "is not known" in again.result["reasons"]["worker"] and "cannot be asked" in again.result["reasons"]["worker"]
    assert "never-shown" not in str([made.tasks, again.tasks])
    host.ssh("systemctl start groundcrew-scale-rude.service && systemctl is-active groundcrew-scale-rude.timer")
    said = host.ssh("journalctl --unit groundcrew-scale-rude --output cat")
    assert '"worker": 2' in said and "never-shown" not in said
    assert host.ssh("stat -c %a /etc/groundcrew/compose_app/rude-scale.json").strip() == "400"
    gone = host.play(APPLICATION, verb="scale", compose_app_scale_rules=[{"service": "worker", "replicas": 1}])
    assert not gone.failed and host.ssh("ls /etc/systemd/system/groundcrew-scale-*", check=False) == ""


def test_diagnose_names_what_is_wrong(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    well = host.play(APPLICATION, verb="diagnose")
    assert not well.failed, well.message
    assert well.result["findings"] == [] and well.changed == 0
    slot = well.result["active"]["slot"]
    command = f"set server app_rude/{slot}1 state maint"
    program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); s.sendall(b'{command}\\n'); s.recv(9)"
    host.ssh(f'python3 -c "{program}"')
    host.ssh("docker kill $(docker ps -q --filter label=groundcrew.service=worker)")
    ill = host.run("diagnose")
    said = " ".join(ill.result["application"]["findings"])
    assert "0 of 1 containers of worker" in said and f"Server {slot}1 of the proxy is maint and should be ready" in said, said
    assert "Through the proxy came HTTP 503" in said
    assert "a value that is never shown" not in json.dumps(ill.tasks)
    assert not host.deploy("1.1.0", **all_in_one).failed
    assert host.run("diagnose").result["application"]["findings"] == []


@pytest.mark.slow
def test_a_failed_release_is_told_with_its_reason(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    sick = {**all_in_one, "compose_app_environment": environment(SICK="yes"), "compose_app_health": {"timeout": 3.0}}
    assert host.deploy("1.0.0", **sick).failed
    failure = host.run("diagnose").result["application"]["last_failure"]
    assert failure["state"] == "VERIFIED" and "HTTP 503" in failure["reason"]


@pytest.mark.slow
def test_maintain_removes_only_what_no_release_needs(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    image = host.ssh("docker inspect --format '{{.Image}}' the-one-store").strip()
    host.ssh(f"printf 'FROM {image}\\nLABEL old=1\\n' | docker build -q -t $(docker image ls --format '{{{{.Repository}}}}' | grep rude | head -1):old -")
    predicted = host.play(APPLICATION, verb="maintain", check=True)
    pruned = host.play(APPLICATION, verb="maintain")
    assert (pruned.failed, predicted.changed, pruned.changed) == (False, 1, 1), pruned.message
    assert [name for names in pruned.result["removed"] for name in names if name.endswith(":old")]
    assert host.play(APPLICATION, verb="maintain").changed == 0
    # The release before is still there, without the registry.
    back = host.play(APPLICATION, verb="rollback", **QUICK)
    assert not back.failed, back.message


def test_what_is_refused_names_file_line_and_remedy_and_touches_nothing(host: ReleaseHost, tmp_path: Path) -> None:
    journal = host.ssh(f"cat {FOLDER}/journal.jsonl")
    bad = tmp_path / "compose.yml"
    bad.write_text("services:\n  api:\n    image: x\n    network_mode: host\n    env_file: gone.env\n  worker:\n    stop_grace_period: 5s\n")
    refused = host.deploy("1.1.0", compose_app_files=[str(bad)], compose_app_environment={"REDIS_URL": "redis://:hunter2@cache"}, **QUICK)
    for said in (
        "compose.yml:4: services.api.network_mode",
        "compose.yml:5: services.api.env_file: gone.env is not beside",
        "(rule redis-tls)",
    ):
        assert said in refused.message
    assert "hunter2" not in refused.message
    assert host.ssh(f"cat {FOLDER}/journal.jsonl") == journal


@pytest.mark.slow
def test_a_canary_gets_its_share_and_a_bad_one_goes_back(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    assert not host.deploy("1.0.0", **all_in_one).failed
    old, entries = host.serves(), len(host.journal())
    canary = {**all_in_one, "compose_app_canary": {"weight": 20, "seconds": 6}}
    with host.load(connections=32, pause=0.0) as report:
        done = host.deploy("1.1.0", **canary)
    assert not done.failed, done.message
    assert report.failed == 0, report.as_dict()
    samples = [entry for entry in host.journal()[entries:] if (entry["kind"], entry.get("state")) == ("sample", "CANARY")]
    new, rest = (sum(side["requests"] for side in sides) for sides in (samples, [entry["beside"] for entry in samples]))
    assert new + rest > 500 and 15 < 100 * new / (new + rest) < 25, (new, rest)
    assert host.deploy("1.1.0", **all_in_one).changed == 0

    # Slower than the one beside it, and not slow enough for its health probe to mind.
    with host.load(connections=32) as report:
        refused = host.deploy("1.0.0", **{**canary, "compose_app_environment": environment(DELAY_SECONDS="0.8")})
    assert refused.failed and "(CANARY)" in refused.message and "ms beside it" in refused.message, refused.message
    assert report.failed == 0 and host.serves() == done.result["release"] != old
    assert host.deploy("1.1.0", **all_in_one).changed == 0


@pytest.mark.slow
def test_a_gate_without_data_takes_the_release_back_and_says_so(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    before = host.serves()
    blind = {**all_in_one, "compose_app_bake_seconds": 8, "compose_app_gate": {"metrics": {"path": "/metrics"}}}
    refused = host.deploy("1.0.0", **blind)
    assert refused.failed and "no data from the application's metrics, 4 times in a row" in refused.message, refused.message
    assert host.serves() == before


def test_removing_leaves_nothing_and_again_changes_nothing(host: ReleaseHost, all_in_one: dict[str, Any]) -> None:
    predicted = host.run("remove", check=True)
    removed = host.play(APPLICATION, PROXY, verb="remove")
    assert (removed.failed, predicted.changed) == (False, 1), removed.message
    assert {"groundcrew.ops.compose_app : Remove the application", "groundcrew.ops.proxy : Remove HAProxy and its configuration"} <= removed.changed_tasks
    assert host.ssh(f"docker ps -aq; docker network ls -q --filter name=rude; ls -d {FOLDER} /etc/haproxy", check=False) == ""
    # Data outlives the application.
    assert host.ssh("docker volume ls -q").split() == ["rude_data", "rude_uploads"]
    assert host.play(APPLICATION, PROXY, verb="remove").changed == 0
