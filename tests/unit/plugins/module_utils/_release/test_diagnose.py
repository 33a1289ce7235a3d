# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What diagnose says about hosts on which something is wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import diagnose as diagnoses
from ansible_collections.groundcrew.ops.plugins.module_utils._release.diagnose_checks import CATALOG, errors_in
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Answer, Pending, Server, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from tests.unit.plugins.module_utils._release.worlds import make

CONFIG = "frontend x\n\nbackend app_other\n    server a1 127.0.0.1:1\n\nbackend app_shop\n    balance leastconn\n" + "".join(
    f"    server {slot}{number} 127.0.0.1:{port + number - 1}\n" for slot, port in (("a", 20000), ("b", 20100)) for number in (1, 2)
)
RELEASE = make("1.0.0")


def container(service: str = "api", number: int = 1, **state: Any) -> dict[str, Any]:
    labels = {"groundcrew.slot": "a", "groundcrew.service": service, "groundcrew.release": RELEASE.id}
    return {
        "Id": f"{service}{number}" * 8,
        "Name": f"/shop-a-{service}-{number}",
        "Config": {"Labels": labels, "Image": "r/shop@sha256:1"},
        "State": {"Status": "running", "Running": True, "ExitCode": 0, "OOMKilled": False, **state},
        "RestartCount": 0,
    }


def in_mode(service: str, number: int, mode: str) -> dict[str, Any]:
    made = container(service, number)
    made["Config"]["Env"] = ["PATH=/bin", f"MODE={mode}"]
    return made


class Host:
    """The engine's command line and the proxy, as scripted."""

    def __init__(self, tmp_path: Path) -> None:
        self.containers: list[dict[str, Any]] | None = [container(number=1), container(number=2), container("worker")]
        self.logs = "line"
        self.asked_logs: list[Sequence[str]] = []
        self.killed = ""
        self.direct_ms = self.proxy_ms = 3.0
        self.good = True
        self.states = {"a1": "ready", "a2": "ready", "b1": "maint", "b2": "maint"}
        self.saved = dict(self.states)
        self.answer = Answer(200, RELEASE.id)
        tmp_path.mkdir(exist_ok=True)
        self.config = tmp_path / "haproxy.cfg"
        self.config.write_text(CONFIG)
        self.store = Store(tmp_path / "shop")
        with self.store.open("run"):
            self.store.add(RELEASE, None)
            self.store.seat(RELEASE.occupy("a"))
            self.store.write(State(active=RELEASE.occupy("a"), committed=(RELEASE.id,)))

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        if self.containers is None:
            raise OpsError("docker is not there")
        if argv[1] == "logs":
            self.asked_logs.append(argv)
        said = {"events": self.killed, "ps": "\n".join(each["Id"] for each in self.containers), "inspect": json.dumps(self.containers), "logs": self.logs}
        return Completed(tuple(argv), 0, said[argv[1]], "")

    def servers(self) -> dict[str, Server]:
        return {name: Server(name, state, {"a": 19999, "b": 20099}[name[0]] + int(name[1])) for name, state in self.states.items()}

    def look(self) -> dict[str, Any]:
        proxy = {"backend": None, "socket": "", "state_file": "", "url": "", "host": None}
        options = {"slots": {"a": 20000, "b": 20100}, "proxy": proxy, "health": {}, "proxy_config": str(self.config), "journal_lines": 5, "log_lines": 5}
        options |= {"max_latency_ms": 500.0, "mode_variable": "MODE"}
        return diagnoses.diagnose({"name": "shop", "root": str(self.store.root), **options}, self)  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)

    class Proxy:
        def __init__(self, *_arguments: Any) -> None: ...

        def servers(self) -> dict[str, Server]:
            return made.servers()

        def saved(self) -> dict[str, str]:
            return made.saved

        def sessions(self) -> dict[str, int]:
            return {"a1": 3}

    class Probe:
        def __init__(self, *_arguments: Any) -> None: ...

        def through_proxy(self) -> tuple[Answer, float]:
            return made.answer, made.proxy_ms

        def measure(self, *_arguments: Any) -> tuple[bool, float]:
            return made.good, made.direct_ms

    monkeypatch.setattr(diagnoses, "make_proxy", Proxy)
    monkeypatch.setattr(diagnoses, "HttpProbe", Probe)
    return made


def test_a_healthy_host_has_no_finding(host: Host) -> None:
    answer = host.look()
    assert answer["application"]["findings"] == []
    assert answer["table"][0].strip() == "nothing is wrong"
    assert answer["application"]["proxy"]["a1"] == {
        "port": 20000,
        "configured": 20000,
        "state": "ready",
        "saved": "ready",
        "wanted": "ready",
        "in_flight": 3,
    }


def break_container(host: Host, **state: Any) -> None:
    host.containers = [container(number=1), container(number=2, **state), container("worker")]


def break_engine(host: Host) -> None:
    host.containers = None


def break_journal(host: Host) -> None:
    path = host.store.root / "journal.jsonl"
    path.write_text('{"seq": 1}\n')


def test_a_release_that_was_stopped_is_no_failure(host: Host) -> None:
    """Its containers keep the health that they had when they ended."""
    assert host.containers is not None
    stopped = container(number=3, Status="exited", Running=False, ExitCode=0, Health={"Status": "unhealthy"})
    stopped["Config"]["Labels"]["groundcrew.slot"] = "b"
    host.containers.append(stopped)
    for number, end in ((4, {"ExitCode": 137, "OOMKilled": True}), (5, {"ExitCode": 1})):
        host.containers.append(container("worker", number, Status="exited", Running=False, **end))
        host.containers[-1]["Config"]["Labels"]["groundcrew.slot"] = "b"
    assert host.look()["application"]["findings"] == []


FAULTS: list[tuple[Callable[[Any], object], str]] = [
    (lambda host: host.states.update(a2="maint"), "Server a2 of the proxy is maint and should be ready"),
    (lambda host: host.saved.update(a1="maint"), "A restart of the proxy would make server a1 maint"),
    (lambda host: host.states.pop("a2"), "The proxy has no server a2"),
    (lambda host: host.config.write_text(CONFIG.replace("20001", "20009")), "Server a2 runs at port 20001, and the proxy's configuration says 20009"),
    (lambda host: host.config.write_text(""), "has no backend app_shop"),
    (lambda host: host.config.unlink(), "cannot be read"),
    (lambda host: break_container(host, Status="exited", Running=False, ExitCode=1), "1 of 2 containers of api run"),
    (lambda host: break_container(host, Status="exited", Running=False, ExitCode=1), "shop-a-api-2 of api (slot a) is exited with code 1"),
    (lambda host: break_container(host, OOMKilled=True), "shop-a-api-2 of api was killed for want of memory, 1 times"),
    # One that was started anew runs, and has forgotten why it ended.
    (lambda host: setattr(host, "killed", f"{'worker1' * 8}\n" * 3), "shop-a-worker-1 of worker was killed for want of memory, 3 times"),
    (lambda host: break_container(host, Status="restarting", Restarting=True), "shop-a-api-2 of api was started anew 0 times; it is restarting"),
    (lambda host: host.containers.__setitem__(2, in_mode("worker", 1, "web")), "shop-a-worker-1 of worker is a worker and has MODE=web"),
    (lambda host: host.containers.__setitem__(0, in_mode("api", 1, "Worker")), "shop-a-api-1 of api is a web service and has MODE=Worker"),
    (lambda host: setattr(host, "logs", 'fine\n{"level":50,"msg":"no"}\n'), "shop-a-worker-1 of worker logged 1 errors of late"),
    (lambda host: setattr(host, "direct_ms", 501.0), "The container at port 20000 answers after 501 ms; the limit is 500 ms"),
    # It takes connections and never answers.
    (lambda host: vars(host).update(direct_ms=5000.0, good=False), "The container at port 20001 answers after 5000 ms"),
    (lambda host: setattr(host, "proxy_ms", 504.0), "Through the proxy it takes 504 ms, directly 3 ms"),
    (lambda host: break_container(host, Health={"Status": "unhealthy"}), "running, unhealthy"),
    (lambda host: host.containers.append({**container(number=3), "RestartCount": 4}), "was started anew 4 times"),
    (break_engine, "The engine cannot be asked: docker is not there"),
    (break_journal, "journal"),
    (lambda host: setattr(host, "answer", Answer(503)), "Through the proxy came HTTP 503"),
    (lambda host: setattr(host, "answer", Answer(200, "other")), "from release other"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_a_fault_is_named(host: Host, fault: Any, said: str) -> None:
    fault(host)
    assert said in " ".join(host.look()["application"]["findings"])


def verdicts(host: Host, word: str) -> set[str]:
    return {each["id"].rpartition(".")[2] for each in host.look()["application"]["verdicts"] if each["verdict"] == word}


def test_each_fault_is_a_verdict_of_its_own(host: Host, tmp_path: Path) -> None:
    every = {rule.check.id.rpartition(".")[2] for rule in CATALOG.rules}
    assert verdicts(host, "pass") == every
    seen: set[str] = set()
    for number, (fault, _said) in enumerate(FAULTS):
        vars(host).update(vars(Host(tmp_path / str(number))))
        fault(host)
        seen |= verdicts(host, "fail")
    assert seen == every


def test_a_mode_that_nobody_knows_and_none_at_all_are_no_fault(host: Host) -> None:
    host.containers = [in_mode("api", 1, "all"), in_mode("api", 2, ""), in_mode("worker", 1, "batch")]
    assert verdicts(host, "fail") == set()


def test_what_the_engine_does_not_tell_is_unknown(host: Host) -> None:
    break_engine(host)
    assert verdicts(host, "fail") == {"running"}
    assert verdicts(host, "unknown") == {"out_of_memory", "restarts", "mode", "logs"}


def test_no_answer_tells_no_time(host: Host) -> None:
    """A refused connection comes quickly."""
    host.good, host.answer = False, Answer(0, error="refused")
    assert verdicts(host, "fail") == {"serves"} and verdicts(host, "unknown") == {"latency", "proxy_latency"}


def test_only_what_workers_said_of_late_is_looked_at(host: Host) -> None:
    host.logs = "connecting failed: Error: redis://u:hunter2@cache password=hunter3"
    answer = host.look()
    assert [("--since" in argv, argv[-1]) for argv in host.asked_logs] == [(True, "worker1worke")]
    assert "logged 1 errors of late, at last: connecting failed" in answer["application"]["findings"][0]
    assert "hunter" not in str(answer)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"level":"error","msg":"x"}', True),
        ('{"level":60,"msg":"x"}', True),
        ('{"level":30,"msg":"50 jobs"}', False),
        ("TypeError: x is undefined", True),
        ("connect ECONNREFUSED 10.0.0.2:6379", True),
        ("2026-01-01 ERROR no such table", True),
        ("job finished, 0 errors", False),
        ("INFO no Error here", False),
    ],
)
def test_an_error_is_known_by_how_loggers_write_it(line: str, error: bool) -> None:
    assert bool(errors_in([line])) is error


def test_what_is_remembered_is_compared_with_what_is_stored(host: Host) -> None:
    with host.store.open("other"):
        host.store.write(State(RELEASE.occupy("a"), Pending("run", "DRAINED", make("2.0.0").occupy("b")), ("gone", RELEASE.id)))
        said = " ".join(host.look()["application"]["findings"])
        assert "while DRAINED" in said and "A rollback to gone is not possible" in said
        host.store.write(State())
    assert "No release is active" in host.look()["application"]["findings"][0]


def test_the_last_failure_is_told_with_its_logs_and_no_secret(host: Host) -> None:
    value = "v" * 10
    host.logs = f"connecting to redis://u:hunter2@cache with {value}"
    with host.store.open("other"):
        host.store.note("failed", run="x", state="VERIFIED", release="bad", slot="b", reason=f"it said {value}")
    host.store.log_path("b.log").write_text(f"old\nkey is {value}\n")
    break_container(host, Status="exited", Running=False, ExitCode=1)
    answer = host.look()
    failure = answer["application"]["last_failure"]
    assert (failure["release"], failure["state"], failure["logs"]) == ("bad", "VERIFIED", ["old", "key is <secret key>"])
    assert value not in str(answer) and "hunter2" not in str(answer)
    assert "redis://u:<secret>@cache with <secret key>" in str(answer["application"]["containers"])


def test_secrets_are_replaced_as_they_are_written() -> None:
    release = dataclasses.replace(make("1.0.0"), environment={"API_TOKEN": 'a"b\\c-token', "PLAIN": "visible"})
    secrets = diagnoses.secrets_of([release])
    shown = diagnoses.redact({"a": ['say a"b\\c-token', json.dumps('a"b\\c-token')], "b": 1, "c": "visible"}, secrets)
    assert shown == {"a": ["say <secret API_TOKEN>", '"<secret API_TOKEN>"'], "b": 1, "c": "visible"}
