# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API acts on: the state, and the hosts and servers behind it."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from localcloud import docker
from localcloud.config import Cloud
from localcloud.store import Document, Store

log = logging.getLogger("localcloud")

SETTINGS: Document = {
    "latency_seconds": 0.0,
    "boot_seconds": 0.0,
    "settle_seconds": 0.0,
    "rate_limit": 5000,
    "rate_window_seconds": 3600,
    "droplet_limit": 25,
    "deployment_fails": "",
}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """One cloud while it is served."""

    def __init__(self, cloud: Cloud, store: Store) -> None:
        self.cloud = cloud
        self.store = store
        self.locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="work")

    def settings(self) -> Document:
        return {**SETTINGS, **(self.store.get("setting", "all") or {})}

    def later(self, work: Callable[..., Any], *arguments: Any, seconds: float = 0.0) -> None:
        """Do something in the background. What is to be done stands in the state before, so a restart takes it up again.

        seconds: how long it takes where nothing is really done; here it takes as long as it takes.
        """

        def attempt() -> None:
            try:
                work(*arguments)
            except Exception:
                log.exception("%s%r failed", getattr(work, "__name__", work), arguments)

        self._pool.submit(attempt)

    def boot_out(self, started: float) -> None:
        """Wait for what is left of the time that a boot takes at least."""
        time.sleep(max(0.0, self.settings()["boot_seconds"] - (time.monotonic() - started)))

    def catch_up(self) -> None:
        """Called before each request is answered; threads do the work here."""

    def watch(self, moment: str, method: str, path: str) -> None:
        """Called when a request was "asked", before anything is done, and when it is "answered", before anybody hears of it."""

    def free_address(self, first: int, last: int) -> str:
        """An address of the network for a new host; the one longest unused comes first."""
        taken = {document.get("address") for kind in ("droplet", "database", "removal") for document in self.store.all(kind)}
        for _turn in range(last - first + 1):
            address = self.cloud.address(first + self.store.number(f"address-{first}", 0) % (last - first + 1))
            if address not in taken:
                return address
        raise OverflowError(f"All addresses of {self.cloud.subnet} are taken.")

    def remove_container(self, name: str, address: str, volumes: list[str]) -> None:
        """Note that a container has to go, in the transaction that drops its record; ``finish_removals`` does it."""
        self.store.put("removal", name, {"name": name, "address": address, "volumes": volumes})

    def finish_removals(self) -> None:
        for removal in self.store.all("removal"):
            with self.locks[removal["name"]]:
                if docker.inspect("container", removal["name"]):
                    docker.docker("rm", "-fv", removal["name"])
                for volume in removal["volumes"]:
                    if docker.inspect("volume", volume):
                        docker.docker("volume", "rm", volume)
                self.store.delete("removal", removal["name"])
