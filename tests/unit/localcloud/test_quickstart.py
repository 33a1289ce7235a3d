# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import quickstart as subject

from tests import figures as written


class Application(BaseHTTPRequestHandler):
    """An application that answers as the test says."""

    release = "1.0.0-aa"
    status = "processed"

    def answer(self, body: Any, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("X-Release", self.release)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer({"version": "1.0.0", "release": self.release})
        else:
            self.answer({"id": "7", "status": self.status, "processed_by": "w", "processed_release": self.release})

    def do_POST(self) -> None:
        self.answer({"id": "7", "status": "pending"}, 201)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def report(*releases: str) -> dict[str, Any]:
    steps = [{"name": "deploy", "changed": 3, "hosts": ["app-1"], "facts": {"app-1": {"compose_app_result": {"release": release}}}} for release in releases]
    return {"steps": [*steps, {"name": "backup", "changed": 9, "hosts": ["app-1"], "facts": {}}]}


def test_the_release_served_has_to_be_the_last_one_deployed(address: str) -> None:
    assert subject.prove_release("app-1", address, report("1.0.0-old", "1.0.0-aa"))["holds"]
    assert not subject.prove_release("app-1", address, report("1.0.0-aa", "1.0.0-new"))["holds"]
    assert not subject.prove_release("app-1", address, report())["holds"]
    assert not subject.prove_release("app-1", "127.0.0.1:1", report("1.0.0-aa"))["holds"]


def test_an_order_has_to_be_processed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert subject.prove_order("app-1", address)["holds"]
    monkeypatch.setattr(Application, "status", "pending")
    monkeypatch.setattr(subject, "ORDER_SECONDS", 0.3)
    stuck = subject.prove_order("app-1", address)
    assert not stuck["holds"] and "still pending" in stuck["detail"]
    assert not subject.prove_order("app-1", "127.0.0.1:1")["holds"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subject.Quickstart:
    monkeypatch.setattr(subject, "ROOT", tmp_path)
    monkeypatch.setattr(written, "FOLDER", tmp_path / "build" / "figures")
    made = subject.Quickstart("one", 0)
    made.output.mkdir(parents=True)
    return made


def figures(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (folder / "build" / "figures").glob("*.json")}


def test_each_run_writes_the_figure_that_it_measured(here: subject.Quickstart, tmp_path: Path) -> None:
    subject.write_figures(here, report("a"), first=False, before=None)
    assert figures(tmp_path) == {}, "a run that went on after a kill measures neither"
    subject.write_figures(here, report("a"), first=True, before=None)
    assert set(figures(tmp_path)) == {"quickstart.seconds"}
    subject.write_figures(here, report("a"), first=False, before={"changed": 41})
    second = figures(tmp_path)["quickstart.second_run_changed"]
    assert (second["value"], second["holds"], second["control"]["value"], second["control"]["red"]) == (3, False, 41, True)


def test_a_failure_names_host_task_message_and_log(here: subject.Quickstart) -> None:
    failed = {"name": "deploy", "failures": [{"host": "app-1", "task": "Release", "message": "no such image"}]}
    here.log.write_text("one\ntwo\n")
    assert "two" in subject.failure(here), "without a report the log says it"
    here.report.write_text(json.dumps({"steps": [failed]}))
    said = subject.failure(here)
    assert all(word in said for word in ("app-1", "deploy", "Release", "no such image", "build/one/ansible.log", "same command again"))


def test_the_vault_password_is_made_once(here: subject.Quickstart) -> None:
    subject.prepare_state(here)
    password = (here.state / "vault-password").read_text()
    subject.prepare_state(here)
    assert (here.state / "vault-password").read_text() == password and len(password) > 32
    assert (here.state / "vault-password").stat().st_mode & 0o077 == 0
    here.sockets.rmdir()


def test_a_second_one_is_refused(here: subject.Quickstart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOCK_SECONDS", 0)
    with subject.alone(here), pytest.raises(subject.QuickstartError, match="Another quickstart named one"), subject.alone(here):
        pass
    with subject.alone(here):
        pass
