# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No job is lost or run twice while workers change their release. Every job is accounted for, in a real BullMQ queue.

Ten teams of workers, each an application of its own, take from one queue and are released at once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import figures
from tests.integration.release_host import ROOT, ReleaseHost

APP = Path(__file__).parent / "jobs_app"
REDIS = "redis://host.docker.internal:6380"
TEAMS = 10
ROUNDS = 5
LONGEST = 20.0  # seconds


class Jobs:
    """Worker-only applications on a host, and the account of their jobs in the host's Redis."""

    def __init__(self, host: ReleaseHost, image: str, registry: str) -> None:
        self._host = host
        self._image = image
        self.count = 0
        self._variables: dict[str, Any] = {
            "compose_app_image": image,
            "compose_app_version": "1.0.0",
            "compose_app_files": [str(APP / "compose.yml")],
            "compose_app_slots": {"a": 21000, "b": 21100},
            "compose_app_services": [{"name": "worker", "kind": "worker", "job_timeout": 25}],
            "compose_app_secrets": [],
            "compose_app_registry": {"plain_http": [registry]},
            "compose_app_bake_seconds": 0,
            "compose_app_environment_rules": [{"id": "redis-tls", "disabled": "it is on the host itself"}],
        }

    def release(self, number: int) -> None:
        """A new release of every team, side by side."""
        told = {"JOBS_IMAGE": f"{self._image}:1.0.0", "REDIS_URL": REDIS, "NUMBER": str(number)}
        variables = {**self._variables, "compose_app_environment": told}
        runs = [self._host.start("main", **variables, compose_app_name=f"jobs{team}") for team in range(TEAMS)]
        for done in [self._host.ended(each) for each in runs]:
            assert not done.failed, done.message

    def remove(self) -> None:
        for team in range(TEAMS):
            removed = self._host.run("remove", **self._variables, compose_app_name=f"jobs{team}")
            assert not removed.failed, removed.message

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Jobs keep coming while the body runs, so that some are at work whenever a worker is told to end."""
        self.redis("DEL", "enough")
        command = f"docker run --rm --network host --env REDIS_URL=redis://127.0.0.1:6380 {self._image}:1.0.0 node producer.js"
        with ThreadPoolExecutor(1) as pool:
            produced = pool.submit(self._host.ssh, f"{command} {self.count} {LONGEST * 1000:.0f}")
            try:
                self.wait("HLEN", "began", at_least=int(self.redis("HLEN", "began")[0]) + TEAMS)
                yield
            finally:
                self.redis("SET", "enough", "1")
            self.count = int(produced.result())

    def stop_and_start(self) -> None:
        """What somebody does by hand, with a second for the jobs."""
        workers = "$(docker ps --quiet --filter label=groundcrew.service=worker)"
        self._host.ssh(f"workers={workers}; docker stop --time 1 $workers && docker start $workers")

    def redis(self, *command: str) -> list[str]:
        return self._host.ssh(f"redis-cli -p 6380 {' '.join(command)}").split()

    def wait(self, *question: str, at_least: int) -> None:
        deadline = time.monotonic() + 300
        while (seen := int(self.redis(*question)[0])) < at_least:
            assert time.monotonic() < deadline, f"{question}: {seen} of {at_least}"
            time.sleep(1)

    def settle(self) -> None:
        """Wait until every job has ended, at least once."""
        self.wait("HLEN", "ended", at_least=self.count)

    def wrong(self) -> int:
        """Jobs that did not begin and end exactly once."""
        began, ended = (dict(zip(*[iter(self.redis("HGETALL", name))] * 2, strict=True)) for name in ("began", "ended"))
        names = {f"job-{number}" for number in range(self.count)}
        return sum(1 for name in names if (began.get(name), ended.get(name)) != ("1", "1"))

    def forget(self) -> None:
        self.redis("FLUSHALL")
        self.count = 0


@pytest.fixture(scope="module")
def jobs(cloud: Any, host: ReleaseHost) -> Iterator[Jobs]:
    push, registry = cloud.env["GROUNDCREW_LOCAL_REGISTRY_PUSH"], cloud.env["GROUNDCREW_LOCAL_REGISTRY"]
    subprocess.run([sys.executable, str(ROOT / "tests/sample_app/build.py"), "--registry", push, "--versions", "1.0.0"], check=True, capture_output=True)
    build = ["build", "-q", "--build-arg", f"BASE={push}/shop:1.0.0", "-t", f"{push}/jobs:1.0.0", str(APP)]
    for command in (build, ["push", "-q", f"{push}/jobs:1.0.0"]):
        subprocess.run(["docker", *command], check=True, capture_output=True)
    host.ssh("DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends redis-server")
    # Debian's own unit asks for more than a host in a container has.
    options = "--port 6380 --bind 0.0.0.0 --protected-mode no --save '' --maxmemory-policy noeviction"
    host.ssh(f"systemd-run --quiet --unit jobs-redis redis-server {options} && sleep 1")
    host.ssh(f"docker pull -q {registry}/jobs:1.0.0")
    made = Jobs(host, f"{registry}/jobs", registry)
    made.release(0)
    yield made
    made.remove()
    host.ssh("systemctl stop jobs-redis")


@pytest.mark.slow
def test_no_job_is_lost_or_run_twice_over_fifty_releases(jobs: Jobs) -> None:
    began = time.monotonic()
    for number in range(1, ROUNDS + 1):
        with jobs.coming():
            jobs.release(number)
    jobs.settle()
    wrong, count, releases = jobs.wrong(), jobs.count, len(jobs.redis("HKEYS", "releases"))
    jobs.forget()
    # The control: the same workers, stopped and started by hand.
    with jobs.coming():
        jobs.stop_and_start()
    jobs.settle()
    control = jobs.wrong()
    figures.record(
        "release.jobs_lost",
        wrong,
        unit="jobs",
        of=count,
        target="== 0",
        seconds=time.monotonic() - began,
        command="make load",
        control={"what": "docker stop with a second for the jobs", "value": control, "red": control > 0},
    )
    assert wrong == 0
    assert control > 0
    # The first ones and those of each round: each was given work.
    assert releases == ROUNDS + 1
