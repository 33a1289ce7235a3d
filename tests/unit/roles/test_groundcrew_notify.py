# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that tells a webhook of a failed task."""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles" / "maintenance" / "files" / "groundcrew_notify.py"
RECORD = {"name": "backup", "outcome": "timed out", "exit_code": 124, "started": 1.0, "ended": 9.0, "failures": 3, "last_ok": None, "lines": ["password=x"]}


class Hook(HTTPServer):
    """Answers with one status after the other, the last one for good."""

    statuses: tuple[int, ...] = (204,)
    bodies: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status = self.server.statuses[min(len(self.server.bodies), len(self.server.statuses)) - 1]
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing is logged."""


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    with Hook(("127.0.0.1", 0), Handler) as server:
        server.bodies = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        (tmp_path / "webhook").write_text(f"http://127.0.0.1:{server.server_address[1]}/hook?token=sesame\n")
        (tmp_path / "backup.json").write_text(json.dumps(RECORD))
        yield server
        server.shutdown()


@pytest.fixture
def notify(hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the program and return its exit code, without its pauses."""
    main = runpy.run_path(str(PROGRAM))["main"]
    monkeypatch.setitem(main.__globals__, "PAUSES", (0.0, 0.0))
    return lambda name="backup": int(main(["--records", str(tmp_path), "--address", str(tmp_path / "webhook"), name]))


def test_it_says_what_failed_and_not_what_the_task_said(hook: Hook, notify: Callable[..., int]) -> None:
    assert notify() == 0
    [body] = hook.bodies
    assert body.pop("text") == f"backup on {body.pop('host')}: timed out, 3 times in a row"
    assert body == {name: value for name, value in RECORD.items() if name != "lines"}


def test_a_task_without_a_record_is_told_of_as_well(hook: Hook, notify: Callable[..., int]) -> None:
    assert notify("other") == 0
    assert (hook.bodies[0]["name"], hook.bodies[0]["outcome"]) == ("other", "failed")


def test_it_tries_again(hook: Hook, notify: Callable[..., int]) -> None:
    hook.statuses = (503, 204)
    assert notify() == 0
    assert len(hook.bodies) == 2


def test_an_address_that_moved_is_an_error_which_does_not_show_it(hook: Hook, notify: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    hook.statuses = (302,)
    assert notify() == 1
    said = "".join(capsys.readouterr())
    assert "it answered 302" in said
    assert "sesame" not in said
    assert len(hook.bodies) == 3
