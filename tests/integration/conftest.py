# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud that integration tests work on, and how they run a module against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localcloud import lifecycle
from localcloud.client import Client
from localcloud.config import Cloud, load_cloud, open_cloud
from localcloud.shell import wait_until
from tests.integration import do_requests
from tests.integration.audit_seen import Seen
from tests.integration.do_inprocess import account, hurried, records
from tests.integration.release_host import ReleaseHost, launch

__all__ = ["account", "cloud", "hurried", "records"]
ROOT = Path(__file__).resolve().parents[2]


class TestCloud:
    """A running local cloud."""

    __test__ = False

    def __init__(self, cloud: Cloud, work: Path) -> None:
        self.cloud = cloud
        self.dir = cloud.dir
        self.api_url = cloud.api_url
        self.token = cloud.token
        self.env = cloud.environment()
        self.request = Client(cloud).request
        self._work = work
        self._collections = work / "collections"
        (self._collections / "ansible_collections" / "groundcrew").mkdir(parents=True)
        (self._collections / "ansible_collections" / "groundcrew" / "ops").symlink_to(ROOT)

    def module(self, name: str, arguments: Mapping[str, Any], *, check: bool = False, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run a module on this machine against the cloud and return its result, also that of a failure (``failed``, ``msg``)."""
        result = self._work / "result.json"
        result.unlink(missing_ok=True)
        tasks = [
            {"name": "Run", name: dict(arguments), "register": "result", "ignore_errors": True, "check_mode": check, "diff": True},
            {"name": "Keep", "ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"}},
        ]
        play = {"name": "One module", "hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        playbook = self._work / "module.yml"
        playbook.write_text(json.dumps([{**play, "vars": {"ansible_python_interpreter": sys.executable}}]))
        ansible = Path(sys.executable).parent / "ansible-playbook"
        collections = f"{self._collections}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
        }
        run = subprocess.run(
            [ansible, playbook], env={**os.environ, **self.env, **settings, **(env or {})}, cwd=self._work, capture_output=True, text=True, check=False
        )
        assert result.exists(), f"{name} gave no result:\n{run.stdout}{run.stderr}"
        return dict(json.loads(result.read_text()))

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the stand-in for what only it has: faults, settings, calls, violations."""
        status, answer = self.request(method, f"/_localcloud/{path}", body)
        assert status < 300, answer
        return answer

    def wait(self, what: str, path: str, check: Any, seconds: float = 120) -> Any:
        """Wait until the answer to a GET satisfies a check, and return it."""
        seen: list[Any] = []

        def satisfied() -> bool:
            seen.append(self.request("GET", path))
            return bool(check(*seen[-1]))

        wait_until(what, satisfied, seconds=seconds, pause=0.3)
        return seen[-1][1]

    def ssh_key(self) -> int:
        """The id of this cloud's own key in the account, which takes each key once: whoever comes first adds it, and it stays."""
        public = self.cloud.ssh_key.with_suffix(".pub").read_text().split()[:2]
        keys = self.request("GET", "/v2/account/keys?per_page=200")[1]["ssh_keys"]
        known = [int(each["id"]) for each in keys if each["public_key"].split()[:2] == public]
        if known:
            return known[0]
        status, answer = self.request("POST", "/v2/account/keys", {"name": "tests", "public_key": " ".join(public)})
        assert status == 201, answer
        return int(answer["ssh_key"]["id"])

    def restart(self) -> None:
        """Kill the API where it stands and serve it again from the same state."""
        lifecycle.kill_api(self.cloud)
        lifecycle.up(self.cloud)


@pytest.fixture(scope="session", autouse=True)
def recorded() -> Iterator[dict[str, do_requests.Request]]:
    """One request of each kind that modules made in this process so far; in the end in a file, where GROUNDCREW_RECORD_REQUESTS names one."""
    with do_requests.recording() as found:
        yield found
    if file := os.environ.get("GROUNDCREW_RECORD_REQUESTS"):
        do_requests.write(found, Path(file))


@pytest.fixture(scope="session")
def checks() -> Iterator[Seen]:
    """The checks that real parts have passed and failed; in the end a figure."""
    seen = Seen()
    yield seen
    seen.record()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCloud]:
    """The cloud in GROUNDCREW_CLOUD_DIR, else one named ``test``, which goes again when these tests brought it up."""
    named = os.environ.get("GROUNDCREW_CLOUD_DIR")
    own = load_cloud(Path(named)) if named else open_cloud("test", 1, ROOT / "build" / "localcloud" / "test")
    keep = bool(named) or Client(own).answers()
    lifecycle.up(own)
    yield TestCloud(own, tmp_path_factory.mktemp("cloud"))
    if not keep:
        lifecycle.down(own)


@pytest.fixture(scope="session")
def host(cloud: TestCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseHost]:
    """A host on which applications are released."""
    with launch(cloud, tmp_path_factory.mktemp("release")) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_violations(request: pytest.FixtureRequest) -> Iterator[None]:
    """No request and no answer of a test breaks DigitalOcean's specification, where it is there to be checked against."""
    if "cloud" not in request.fixturenames:
        yield
        return
    world: TestCloud = request.getfixturevalue("cloud")
    validates = world.request("DELETE", "/_localcloud/violations")[0] == 204
    yield
    if validates:
        assert world.control("GET", "violations")["violations"] == []
