# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What diagnose says about hosts on which something is wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import diagnose as diagnoses
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


class Host:
    """The engine's command line and the proxy, as scripted."""

    def __init__(self, tmp_path: Path) -> None:
        self.containers: list[dict[str, Any]] | None = [container(number=1), container(number=2), container("worker")]
        self.logs = "line"
        self.states = {"a1": "ready", "a2": "ready", "b1": "maint", "b2": "maint"}
        self.saved = dict(self.states)
        self.answer = Answer(200, RELEASE.id)
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
        said = {"ps": "\n".join(each["Id"] for each in self.containers), "inspect": json.dumps(self.containers), "logs": self.logs}
        return Completed(tuple(argv), 0, said[argv[1]], "")

    def servers(self) -> dict[str, Server]:
        return {name: Server(name, state, {"a": 19999, "b": 20099}[name[0]] + int(name[1])) for name, state in self.states.items()}

    def look(self) -> dict[str, Any]:
        proxy = {"backend": None, "socket": "", "state_file": "", "url": "", "host": None}
        options = {"slots": {"a": 20000, "b": 20100}, "proxy": proxy, "health": {}, "proxy_config": str(self.config), "journal_lines": 5, "log_lines": 5}
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

        def serving(self) -> Answer:
            return made.answer

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
    assert host.look()["application"]["findings"] == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda host: host.states.update(a2="maint"), "Server a2 of the proxy is maint and should be ready"),
        (lambda host: host.saved.update(a1="maint"), "A restart of the proxy would make server a1 maint"),
        (lambda host: host.states.pop("a2"), "The proxy has no server a2"),
        (lambda host: host.config.write_text(CONFIG.replace("20001", "20009")), "Server a2 runs at port 20001, and the proxy's configuration says 20009"),
        (lambda host: host.config.write_text(""), "has no backend app_shop"),
        (lambda host: host.config.unlink(), "cannot be read"),
        (lambda host: break_container(host, Status="exited", Running=False, ExitCode=1), "1 of 2 containers of api run"),
        (lambda host: break_container(host, Status="exited", Running=False, ExitCode=1), "shop-a-api-2 of api (slot a) is exited with code 1"),
        (lambda host: break_container(host, OOMKilled=True), "out of memory"),
        (lambda host: break_container(host, Health={"Status": "unhealthy"}), "running, unhealthy"),
        (lambda host: host.containers.append({**container(number=3), "RestartCount": 4}), "was started anew 4 times"),
        (break_engine, "The engine cannot be asked: docker is not there"),
        (break_journal, "journal"),
        (lambda host: setattr(host, "answer", Answer(503)), "Through the proxy came HTTP 503"),
        (lambda host: setattr(host, "answer", Answer(200, "other")), "from release other"),
    ],
)
def test_a_fault_is_named(host: Host, fault: Any, said: str) -> None:
    fault(host)
    assert said in " ".join(host.look()["application"]["findings"])


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
