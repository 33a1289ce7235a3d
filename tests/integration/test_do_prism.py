# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on the modules' requests: Prism's mock, which is made from the specification by a tool that is not ours."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.api.validation import SPECIFICATION
from localcloud.shell import wait_until
from tests.integration import npm
from tests.integration.do_requests import Request, read

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "tests" / "prism"
# Where every module goes through its life in one process.
LIVES = ("test_do_network.py", "test_do_database_modules.py", "test_do_droplet.py", "test_do_app.py", "test_do_certificate.py", "test_cloud_audits.py")
# The specification describes this action and gives it a schema, but leaves it out of the list of actions that the schema extends.
CONTRADICTED = '"type": "change_backup_policy"'
pytestmark = pytest.mark.skipif(not SPECIFICATION.exists(), reason="DigitalOcean's specification is not beside this repository")

Ask = Callable[[Request], tuple[int, list[dict[str, Any]]]]


def prism() -> list[str]:
    """How to call Prism."""
    return [str(npm.NODE), str(npm.installed(PINNED, "@stoplight/prism-cli/dist/index.js"))]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask the mock: the status of its answer, and what it found wrong with the request."""
    log = tmp_path_factory.mktemp("prism") / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*prism(), "mock", "--host", "127.0.0.1", "--port", str(port), "--errors", str(SPECIFICATION)]
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as server:

        def answers() -> bool:
            assert server.poll() is None, log.read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        def asked(request: Request) -> tuple[int, list[dict[str, Any]]]:
            headers = {"Authorization": "Bearer second-opinion", "Accept": "application/json"} | ({"Content-Type": "application/json"} if request.body else {})
            data = None if request.body is None else request.body.encode()
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(f"http://127.0.0.1:{port}{request.path}", data, headers, method=request.method), timeout=60
                ) as answer:
                    status, said = answer.status, answer.headers
            except urllib.error.HTTPError as refused:
                status, said = refused.code, refused.headers
            found = json.loads(said.get("sl-violations") or "[]")
            return status, [each for each in found if each["location"][0] == "request"]

        try:
            wait_until("Prism to answer", answers, seconds=180, pause=0.5)
            yield asked
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def requests(request: pytest.FixtureRequest, recorded: dict[str, Request], tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """One request of each kind that the modules make in their lives: before these tests, or in a process of its own."""
    if set(LIVES) <= {item.path.name for item in request.session.items}:
        return list(recorded.values())
    file = tmp_path_factory.mktemp("requests") / "requests.json"
    command = [sys.executable, "-m", "pytest", "-q", *(f"tests/integration/{name}" for name in LIVES), "-m", "not slow"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "GROUNDCREW_RECORD_REQUESTS": str(file)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return read(file)


def test_every_request_of_the_modules_is_what_the_specification_asks_for(ask: Ask, requests: list[Request]) -> None:
    assert {each.method for each in requests} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    wrong = {}
    for each in requests:
        status, found = ask(each)
        if status >= 400 or found:
            wrong[f"{each.method} {each.path} {each.body}"] = (status, found)
    assert {name: said for name, said in wrong.items() if CONTRADICTED not in name} == {}
    assert len(wrong) == 1, "the specification is consistent by now: take CONTRADICTED out"
    assert len(requests) > 100


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Request("POST", "/v2/vpcs", '{"name": 5, "region": "fra1"}'), "Request body property name must be string"),
        (Request("POST", "/v2/vpcs", '{"name": "a"}'), "must have required property 'region'"),
        (Request("DELETE", "/v2/vpcs/7", None), "must match format"),
        (Request("GET", "/v2/droplets?per_page=many", None), "must be integer"),
    ],
)
def test_a_wrong_request_is_refused(ask: Ask, wrong: Request, said: str) -> None:
    status, found = ask(wrong)
    assert status == 422
    assert any(said in each["message"] for each in found), found


def test_there_is_no_such_operation(ask: Ask) -> None:
    assert ask(Request("GET", "/v2/nothing", None))[0] == 404
