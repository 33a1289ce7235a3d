# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud of records: the whole API, with nothing behind it. Thousands of droplets in a second, for tests and benchmarks of what asks it.

``with serving(directory) as cloud:`` serves one in a thread of this process, on a free port of loopback.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from localcloud.api.app import create_app
from localcloud.api.validation import Validator
from localcloud.certificates import Authority
from localcloud.client import Client
from localcloud.config import open_cloud
from localcloud.store import Store
from localcloud.world import World

# Addresses of loopback, so that a test can answer at the one of a droplet.
FIRST_ADDRESS = ip_address("127.64.0.1")
# Nobody waits an hour in a test, nor orders a higher limit.
SETTINGS = {"rate_limit": 1_000_000, "droplet_limit": 10_000}


class Records(World):
    """What is to be done later is done when its time has come and somebody asks.

    watcher: what a test wants to do at each moment of a request, until the next reset.
    """

    watcher: Callable[[str, str, str], None] | None

    def __init__(self, directory: Path, **settings: Any) -> None:
        cloud = open_cloud("records", 9, directory, records_only=True)
        super().__init__(cloud, Store(cloud.database))
        self._given = {**SETTINGS, **settings}
        self._due: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._turn = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the settings that it was made with."""
        with self._turn:
            self._due.clear()
            self.watcher = None
            self.store.clear()
            self.store.put("setting", "all", {**self.settings(), **self._given})

    def later(self, work: Callable[..., Any], *arguments: Any, seconds: float = 0.0) -> None:
        with self._turn:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), work, arguments))

    def catch_up(self) -> None:
        with self._turn:
            while self._due and self._due[0][0] <= time.monotonic():
                _when, _order, work, arguments = heapq.heappop(self._due)
                work(*arguments)

    def watch(self, moment: str, method: str, path: str) -> None:
        if self.watcher:
            self.watcher(moment, method, path)

    def boot_out(self, started: float) -> None:
        """The time has passed before the work."""

    def free_address(self, first: int, last: int) -> str:
        return str(FIRST_ADDRESS + self.store.number("address", 0))

    def finish_removals(self) -> None:
        for removal in self.store.all("removal"):
            self.store.delete("removal", removal["name"])


@dataclass(frozen=True)
class Served:
    """A cloud of records that answers.

    request: (method, path, body) to (status, body).
    """

    world: Records
    url: str
    request: Callable[..., tuple[int, Any]]

    @property
    def env(self) -> dict[str, str]:
        return {"DIGITALOCEAN_TOKEN": self.world.cloud.token, "DIGITALOCEAN_API_URL": self.url}

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for what only this cloud has: faults, settings, calls, violations."""
        status, answer = self.request(method, f"/_localcloud/{path}", body)
        if status >= 300:
            raise ValueError(f"{method} {path}: {status} {answer}")
        return answer


@contextmanager
def serving(directory: Path, *, validate: bool = False, **settings: Any) -> Iterator[Served]:
    """Serve a new cloud of records. With ``validate`` each request and answer is checked against the specification.

    settings: those of /_localcloud/settings, such as latency_seconds and boot_seconds; ``reset()`` of the world goes back to them.
    """
    world = Records(directory, **settings)
    Authority(world.cloud.dir)  # made before two databases ask for it at once
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # The address has to be known before there is a validator for it.
    server = make_server("127.0.0.1", 0, lambda *_request: [], threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    server.app = create_app(world, Validator(url) if validate else None)
    thread = threading.Thread(target=server.serve_forever, name="records", daemon=True)
    thread.start()
    try:
        yield Served(world, url, Client(world.cloud, port=server.server_port).request)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
