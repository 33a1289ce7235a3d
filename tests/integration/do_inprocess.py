# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of DigitalOcean inside the test's own process: the stand-in's API on loopback, modules run as functions.

No container is behind it, so a call takes milliseconds. The API, its answers and the check of both against the specification are those of
the local cloud; each test has an account of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils.testing import patch_module_args
from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud.api.app import create_app
from localcloud.api.validation import SPECIFICATION, Validator
from localcloud.config import open_cloud
from localcloud.store import Store
from localcloud.world import World

PLUGINS = "ansible_collections.groundcrew.ops.plugins"


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nobody reads a line for each request."""


class Endpoint:
    """A server on a free port of loopback, which lives as long as the session; each test puts its own application behind it."""

    def __init__(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(64)
            port = listening.getsockname()[1]
            self._server = make_server("127.0.0.1", port, self._answer, threaded=True, request_handler=_Silent, fd=os.dup(listening.fileno()))
        self.url = f"http://127.0.0.1:{port}"
        # Reading the specification takes seconds, so it is read once.
        self.validator = Validator(self.url) if SPECIFICATION.exists() else None
        self.app: Callable[..., Iterable[bytes]] | None = None
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self.app is not None, "a request came when no test was running"
        return self.app(environ, start_response)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Account:
    """An account that nobody else uses.

    world: the stand-in's state, for what no request can bring about.
    """

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        self.url = endpoint.url
        self._validator = endpoint.validator
        self.cloud = open_cloud("inprocess", 0, folder)
        self.world = World(self.cloud, Store(folder / "state.sqlite"))
        app = create_app(self.world, self._validator)
        endpoint.app = app
        self._client = app.test_client()
        self.env = {"DIGITALOCEAN_TOKEN": self.cloud.token, "DIGITALOCEAN_API_URL": self.url}

    def module(self, name: str, arguments: Mapping[str, Any], *, check: bool = False, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run a module's main() with diff on, and return its result, also that of a failure (``failed``, ``msg``)."""
        main = importlib.import_module(f"{PLUGINS}.modules.{name}").main
        said = io.StringIO()
        flags = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": True}
        with (
            mock.patch.dict(os.environ, {**self.env, **(env or {})}),
            patch_module_args({**arguments, **flags}),
            contextlib.redirect_stdout(said),
            contextlib.suppress(SystemExit),
        ):
            main()
        return dict(json.loads(said.getvalue()))

    def both(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Dry run, then run: the second does what the first said, and the first wrote nothing. Returns the run's result."""
        before = self.writes()
        said = self.module(name, arguments, check=True)
        assert not said.get("failed"), said
        assert self.writes() == before, f"the dry run of {name} wrote"
        done = self.module(name, arguments)
        assert not done.get("failed"), done
        assert (said["changed"], said["diff"]) == (done["changed"], done["diff"])
        if not done["changed"]:
            assert self.writes() == before, f"{name} wrote without a change"
        return done

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask the API itself: (status, decoded body)."""
        answer = self._client.open(path, method=method, json=body, base_url=self.url, headers={"Authorization": f"Bearer {self.cloud.token}"})
        return answer.status_code, answer.get_json(silent=True)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the stand-in for what only it has: faults, settings, calls."""
        status, answer = self.request(method, f"/_localcloud/{path}", body)
        assert status < 300, answer
        return answer

    def calls(self) -> dict[str, int]:
        """How often each method and path was called."""
        return dict(self.control("GET", "calls")["calls"])

    def writes(self) -> dict[str, int]:
        return {call: count for call, count in self.calls().items() if not call.startswith("GET ")}

    def violations(self) -> list[dict[str, Any]]:
        """Where requests or answers broke the specification; empty where that is not there to be checked against."""
        return self._validator.violations if self._validator else []


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.close()


@pytest.fixture
def account(endpoint: Endpoint, tmp_path: Path) -> Iterator[Account]:
    """An empty account; no request and no answer of the test may break DigitalOcean's specification."""
    opened = Account(endpoint, tmp_path / "account")
    yield opened
    broken = [*opened.violations()]
    opened.violations().clear()
    assert broken == []
