# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request is lost while an application changes its version, its secrets, its replicas or its proxy."""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.release_host import ReleaseHost, environment, record_requests
from tests.load.client import Report
from tests.load.websocket import Listener

PROXY = "groundcrew.ops.proxy"
APPLICATION = "groundcrew.ops.compose_app"
PLAIN = "/root/plain"
CONNECTIONS = 64
WANTED = 100_000

# The gate has its own tests; here it would only make the load longer.
BAKE: dict[str, Any] = {"compose_app_bake_seconds": 0}

Step = Callable[[ReleaseHost], Any]


def deploy(version: str, **variables: Any) -> Step:
    return lambda host: host.deploy(version, **{**BAKE, **variables})


def rollback(**variables: Any) -> Step:
    return lambda host: host.play(APPLICATION, verb="rollback", **variables)


def new_secret(version: str) -> Step:
    return deploy("1.0.0", compose_app_secrets=[{"name": "api_key", "version": version, "value": f"another value {version}"}])


def reload_proxy(seconds: int) -> Step:
    """The role applied with another setting, which HAProxy takes over by a reload."""
    return lambda host: host.play(PROXY, proxy_timeout_server=seconds)


def scale(replicas: int) -> Step:
    return lambda host: host.play(APPLICATION, verb="scale", compose_app_scale_rules=[{"service": "api", "replicas": replicas}])


GRACEFUL = environment(GRACEFUL="1")
STEPS: dict[str, Step] = {
    "deploy": deploy("1.1.0"),
    "rollback": rollback(),
    "a new secret": new_secret("2"),
    "a reload of the proxy": reload_proxy(61),
    "more replicas": scale(3),
    "fewer replicas": scale(1),
    "deploy a graceful application": deploy("1.1.0", compose_app_environment=GRACEFUL),
    "deploy over a graceful application": deploy("1.0.0", compose_app_environment=GRACEFUL),
}


@pytest.fixture(scope="module", autouse=True)
def _serving(host: ReleaseHost) -> None:
    made = host.play(PROXY, APPLICATION, compose_app_version="1.0.0", **BAKE)
    assert not made.failed, made.message


def run_steps(host: ReleaseHost, names: list[str], **load: Any) -> Report:
    """The steps under one load; each has to succeed."""
    with host.load(connections=CONNECTIONS, **load) as report:
        for name in names:
            done = STEPS[name](host)
            assert not done.failed, f"{name}: {done.message}"
    return report


def stop_before_drain(host: ReleaseHost) -> Report:
    """Control: the containers stop before the proxy knows."""
    with host.load(connections=CONNECTIONS) as report:
        time.sleep(1)
        host.ssh("docker stop $(docker ps -q --filter label=groundcrew.service=api)")
    assert not host.deploy("1.0.0", **BAKE).failed
    return report


def no_health_gate(host: ReleaseHost) -> Report:
    """Control: traffic moves to a slot that never proved itself."""
    late = {**environment(START_SECONDS="6")}
    with host.load(connections=CONNECTIONS) as report:
        host.deploy("1.1.0", compose_app_environment=late, compose_app_health={"successes": 0}, **BAKE)
    assert not host.deploy("1.0.0", **BAKE).failed
    return report


def plain_compose(host: ReleaseHost) -> Report:
    """Control: the same application behind a port of the host, changed by docker compose up."""
    image = host.ssh("docker inspect --format '{{.Config.Image}}' $(docker ps -q --filter label=groundcrew.service=api | head -1)").strip()
    model = {"services": {"api": {"image": image, "ports": ["18080:3000"], "environment": {"VERSION": "${VERSION}"}}}}
    host.ssh(f"mkdir -p {PLAIN} && printf %s {shlex.quote(json.dumps(model))} > {PLAIN}/compose.yml")
    up = f"cd {PLAIN} && VERSION=%s docker compose --project-name plain up --detach"
    host.ssh(up % 1)
    time.sleep(1)
    try:
        with host.load(connections=CONNECTIONS, port=18080) as report:
            time.sleep(1)
            host.ssh(up % 2)
            time.sleep(1)
    finally:
        host.ssh(f"cd {PLAIN} && VERSION=2 docker compose --project-name plain down --timeout 1")
    return report


CONTROLS: dict[str, Callable[[ReleaseHost], Report]] = {
    "stop before drain": stop_before_drain,
    "no health gate": no_health_gate,
    "plain docker compose up -d": plain_compose,
}


@pytest.mark.slow
def test_a_hundred_thousand_requests(host: ReleaseHost) -> None:
    began = time.monotonic()
    requests, failed, releases = 0, Counter[str](), set()
    while requests < WANTED:
        report = run_steps(host, list(STEPS), seconds=600.0, pause=0.0)
        requests += report.requests
        failed += report.failures
        releases |= set(report.releases)
    reds = {name: control(host) for name, control in CONTROLS.items()}
    for name, control in reds.items():
        assert control.failed > 0, f"{name} is not red: {control.as_dict()}"
    least = min(reds, key=lambda name: reds[name].failed)
    record_requests(failed.total(), requests, f"{least} (least of {', '.join(reds)})", reds[least].failed, time.monotonic() - began, "make load")
    assert not failed, failed
    assert len(releases) >= 4, releases


def release_after_a_reload(host: ReleaseHost, version: str, **variables: Any) -> Report:
    """Clients that were idle at the reload use their connections again after the release: they are still with the proxy's former process."""
    with host.load(connections=CONNECTIONS, pause=50.0) as report:
        time.sleep(3)
        host.ssh("systemctl reload haproxy")
        done = host.deploy(version, **BAKE, **variables)
        assert not done.failed, done.message
        while report.requests < 2 * CONNECTIONS:
            time.sleep(1)
    return report


@pytest.mark.slow
def test_a_release_right_after_a_reload_waits_for_the_proxy_s_former_process(host: ReleaseHost) -> None:
    assert not host.deploy("1.0.0", **BAKE).failed
    report = release_after_a_reload(host, "1.1.0")
    assert report.failed == 0 and report.requests >= 2 * CONNECTIONS, report.as_dict()
    # The control: a proxy that is not asked for former processes.
    time.sleep(60)
    control = release_after_a_reload(host, "1.0.0", compose_app_proxy={"master_socket": "/none"})
    assert control.failures["HTTP 503"] > 0, control.as_dict()


@pytest.mark.slow
def test_a_websocket_lives_until_its_deadline(host: ReleaseHost) -> None:
    assert not host.deploy("1.0.0", **BAKE).failed
    listener = Listener(host.address)
    try:
        with host.load() as report:
            switched = host.deploy("1.1.0", compose_app_drain_timeout=8, **BAKE)
        assert not switched.failed, switched.message
        drained = switched.result["seconds"]["DRAINED"]
        assert 8 <= drained < 10, switched.result
        assert switched.result["forced"] == 1
        assert report.failed == 0, report.as_dict()
        # It heard the old release until the drain was over: at least eight seconds of ticks, ten of them a second.
        assert listener.messages >= 70
    finally:
        listener.close()
