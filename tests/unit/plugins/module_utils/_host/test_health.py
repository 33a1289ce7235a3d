# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a host that is not as well as it was, over a scripted systemd, a scripted engine and a server that answers."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._host.health import Machine, prove


def container(name: str, status: str = "running", health: str | None = None, code: int = 0, **labels: str) -> dict[str, Any]:
    state = {"Status": status, "ExitCode": code, **({"Health": {"Status": health}} if health else {})}
    return {"Name": f"/{name}", "State": state, "Config": {"Labels": {key.replace("__", "."): value for key, value in labels.items()} or None}}


def compose(name: str, service: str, **state: Any) -> dict[str, Any]:
    return container(name, com__docker__compose__project="shop", com__docker__compose__service=service, **state)


def released(name: str, slot: str, **state: Any) -> dict[str, Any]:
    ours: dict[str, Any] = {"groundcrew__application": "shop", "groundcrew__service": "api", "groundcrew__slot": slot}
    return container(name, com__docker__compose__project=f"shop-{slot}", com__docker__compose__service="api", **ours, **state)


@dataclass
class Host(Runner):
    """A host in words. meanwhile: what happens while the prover sleeps."""

    containers: list[dict[str, Any]] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    state: str = "running"
    engine: str = ""
    installed: bool = True
    gone: tuple[str, ...] = ()

    def run(self, argv: Sequence[str], *, check: bool = True, **_options: Any) -> Completed:
        done = Completed(tuple(argv), *self._say(list(argv)))
        if check and done.rc != 0:
            raise failed(done)
        return done

    def _say(self, argv: list[str]) -> tuple[int, str, str]:
        if argv[:2] == ["systemctl", "is-system-running"]:
            return (0 if self.state == "running" else 1), f"{self.state}\n", ""
        if argv[0] == "systemctl":
            return 0, "".join(f"{unit} loaded failed failed A unit\n" for unit in self.units), ""
        if self.engine:
            return 1, "", self.engine
        if argv[1] == "ps":
            return 0, "\n".join(each["Name"][1:] for each in self.containers), ""
        there = [each for each in self.containers if each["Name"][1:] not in self.gone]
        return (1 if self.gone else 0), json.dumps(there), "".join(f"Error: No such container: {name}\n" for name in self.gone)


class Moving(Clock):
    def __init__(self, meanwhile: Callable[[], None] | None = None) -> None:
        self.time = 0.0
        self._meanwhile = meanwhile

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self._meanwhile:
            self._meanwhile()


def ask(host: Host, before: dict[str, Any] | None = None, urls: Sequence[str] = (), clock: Clock | None = None) -> dict[str, Any]:
    params = {"before": before, "urls": urls, "timeout": 10, "validate_certs": True}
    machine = Machine(host, lambda _program: "/usr/bin/docker" if host.installed else None)
    return dict(prove(params, machine, clock or Moving())["health"])


def why(host: Host, before: dict[str, Any], urls: Sequence[str] = ()) -> list[str]:
    with pytest.raises(OpsError) as refused:
        ask(host, before, urls)
    assert refused.value.message == f"Not well within 10 s: {'; '.join(refused.value.details['reasons'])}."
    return list(refused.value.details["reasons"])


BEFORE = ask(Host([container("db"), compose("shop-api-1", "api", health="healthy"), compose("shop-api-2", "api"), container("ended", "exited")]))
ILL = "containers that ran before and are not well: "


def test_what_runs_is_told() -> None:
    assert BEFORE == {
        "failed_units": [],
        "containers": [
            {"name": "db", "service": "", "well": True},
            {"name": "shop-api-1", "service": "shop/api", "well": True},
            {"name": "shop-api-2", "service": "shop/api", "well": True},
        ],
    }


def test_the_same_is_well() -> None:
    assert ask(Host([container("db"), compose("shop-api-1", "api", health="healthy"), compose("shop-api-2", "api")]), BEFORE) == BEFORE


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            [compose("shop-api-1", "api", health="healthy"), compose("shop-api-2", "api", status="exited", code=137)],
            "db (there is none of this name any more), shop-api-2 (exited, exit code 137)",
        ),
        ([container("db"), compose("shop-api-1", "api", health="unhealthy"), compose("shop-api-2", "api")], "shop-api-1 (unhealthy)"),
        (
            [container("db"), compose("shop-api-1", "api", health="starting"), compose("shop-api-2", "api")],
            "shop-api-1 (its health check has not passed yet)",
        ),
        ([container("db"), compose("shop-api-1", "api"), compose("shop-api-2", "api", status="restarting", code=1)], "shop-api-2 (restarting, exit code 1)"),
        # All of a service are gone: nothing has replaced them.
        ([container("db")], "shop-api-1 (there is none of this name any more), shop-api-2 (there is none of this name any more)"),
        # What replaced it is not well itself.
        (
            [container("db"), compose("shop-api-3", "api", health="unhealthy")],
            "shop-api-3 (unhealthy)",
        ),
    ],
    ids=["missing", "unhealthy", "starting", "crashing", "a whole service", "replaced by an ill one"],
)
def test_containers_that_are_not_well_are_named(now: list[dict[str, Any]], said: str) -> None:
    assert why(Host(now), BEFORE) == [f"{ILL}{said}"]


def test_one_that_starts_is_waited_for() -> None:
    host = Host([container("db", health="starting")])
    clock = Moving(lambda: host.containers.__setitem__(0, container("db", health="healthy" if clock.time > 5 else "starting")))
    assert ask(host, ask(Host([container("db")])), clock=clock) and 5 < clock.time <= 8


def test_one_that_was_unhealthy_before_has_to_run() -> None:
    before = ask(Host([container("odd", health="unhealthy")]))
    assert ask(Host([container("odd", health="unhealthy")]), before)
    assert why(Host([container("odd", "exited", code=2)]), before) == [f"{ILL}odd (exited, exit code 2)"]


def test_a_release_since_then_is_as_well() -> None:
    """The record of a run that died is from before a deployment: the other slot has the service now, the former is stopped or gone."""
    before = ask(Host([released("shop-a-api-1", "a"), released("shop-a-api-2", "a")]))
    assert {each["service"] for each in before["containers"]} == {"shop/api"}
    assert ask(Host([released("shop-a-api-1", "a", status="exited"), released("shop-b-api-1", "b", health="healthy")]), before)
    assert ask(Host([released("shop-b-api-1", "b")]), before)
    # Scaled in.
    assert ask(Host([released("shop-a-api-1", "a")]), before)


def test_single_commands_of_compose_are_left_out() -> None:
    once = compose("shop-api-run-1", "api")
    once["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    assert ask(Host([once]))["containers"] == []


def test_one_that_goes_while_it_is_looked_at_is_gone() -> None:
    assert ask(Host([container("db"), container("job")], gone=("job",)))["containers"] == [{"name": "db", "service": "", "well": True}]


def test_units_that_failed_since_then_are_named() -> None:
    before = ask(Host(units=["old.service"]))
    assert ask(Host(units=["old.service"], state="degraded"), before)
    assert why(Host(units=["new.service", "old.service"], state="degraded"), before) == ["failed since then: new.service (journalctl --unit=UNIT says why)"]
    assert why(Host(state="starting"), before) == ["systemd is starting"]


def test_an_engine_that_cannot_be_asked_is_no_engine_without_containers() -> None:
    with pytest.raises(OpsError, match=r"Docker is installed here, and does not say .* Cannot connect to the Docker daemon"):
        ask(Host(engine="Cannot connect to the Docker daemon"))
    assert ask(Host(engine="Cannot run docker", installed=False))["containers"] == []
    [said] = why(Host(engine="Cannot connect to the Docker daemon"), BEFORE)
    assert said.startswith(f"{ILL}Docker does not tell them: ") and said.endswith("Cannot connect to the Docker daemon")


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path[1:]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def test_addresses_that_do_not_answer_are_named_with_the_reason(server: str) -> None:
    before = ask(Host())
    assert ask(Host(), before, [f"{server}/200"])
    nobody = "http://127.0.0.1:9/"
    first, second, third = why(Host(), before, [f"{server}/503", f"{server}/200", f"{server}/204", nobody])
    assert first == f"{server}/503 answered 503, not 200" and second == f"{server}/204 answered 204, not 200"
    assert third.startswith(f"{nobody} did not answer: ") and "refused" in third


def test_all_reasons_come_at_once(server: str) -> None:
    assert len(why(Host(units=["a.service"], state="starting"), BEFORE, [f"{server}/500"])) == 4
