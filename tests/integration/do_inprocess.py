# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of DigitalOcean inside the test's own process: the stand-in's API on loopback, modules run as functions.

No container is behind it, so a call takes milliseconds. The API, its answers and the check of both against the specification are those of
the local cloud; each test finds it empty.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from localcloud.api.validation import SPECIFICATION
from localcloud.records import Served, serving

PLUGINS = "ansible_collections.groundcrew.ops.plugins"


def main_of(env: Mapping[str, str], name: str, arguments: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Run a module's main() with diff on, as a task with ``no_log``, and return its result, also that of a failure (``failed``, ``msg``)."""
    main = importlib.import_module(f"{PLUGINS}.modules.{name}").main
    said = io.StringIO()
    flags = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": True}
    with (
        # Ansible reads every certificate of the machine for each request, for one over plain HTTP too, which takes longer than the request.
        mock.patch.dict(os.environ, {**env, "SSL_CERT_FILE": os.devnull}),
        patch_module_args({**flags, **arguments}),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        main()
    return dict(json.loads(said.getvalue()))


class Account:
    """An account that nobody else uses.

    world: the stand-in's state, for what no request can bring about. request: (method, path, body) to (status, body).
    control: the same for what only the stand-in has: faults, settings, calls, violations.
    """

    def __init__(self, served: Served) -> None:
        self.world = served.world
        self.env = served.env
        self.request = served.request
        self.control = served.control

    def module(self, name: str, arguments: Mapping[str, Any], *, check: bool = False, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The result of a module that is run on this account."""
        return main_of({**self.env, **(env or {})}, name, arguments, check=check)

    def both(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Dry run, then run: the second does what the first said, and the first wrote nothing. Returns the run's result."""
        before = self.writes()
        said = self.module(name, arguments, check=True)
        assert not said.get("failed"), said
        assert self.writes() == before, f"the dry run of {name} wrote"
        done = self.module(name, arguments)
        assert not done.get("failed"), done
        assert (said["changed"], said["diff"]) == (done["changed"], done["diff"]), (said, done)
        if not done["changed"]:
            assert self.writes() == before, f"{name} wrote without a change"
        return done

    def calls(self) -> dict[str, int]:
        """How often each method and path was called."""
        return dict(self.control("GET", "calls")["calls"])

    def writes(self) -> dict[str, int]:
        return {call: count for call, count in self.calls().items() if not call.startswith("GET ")}

    def violations(self) -> list[dict[str, Any]]:
        """Where requests or answers broke the specification; empty where that is not there to be checked against."""
        return list(self.control("GET", "violations")["violations"]) if SPECIFICATION.exists() else []


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests: to read the specification takes seconds."""
    with serving(tmp_path_factory.mktemp("records"), validate=SPECIFICATION.exists()) as served:
        yield served


@pytest.fixture
def account(records: Served) -> Iterator[Account]:
    """An empty account; no request and no answer of the test may break DigitalOcean's specification."""
    records.world.reset()
    opened = Account(records)
    opened.control("DELETE", "calls")
    yield opened
    broken = opened.violations()
    if broken:
        opened.control("DELETE", "violations")
    assert broken == [], broken


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses pass at once, for the modules only: the cloud keeps the time."""
    slept = [0.0]

    def sleep(_clock: Clock, seconds: float) -> None:
        slept[0] += seconds

    monkeypatch.setattr(Clock, "sleep", sleep)
    monkeypatch.setattr(Clock, "monotonic", lambda _clock: time.monotonic() + slept[0])
