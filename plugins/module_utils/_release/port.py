# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the release machine needs from the outside, in its own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Answer, Container, Health, Release, Server
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters


class Engine(Protocol):
    """Containers, one Compose project for each slot and kind of service."""

    def pull(self, image: str) -> None:
        """Have an image that is pinned by digest."""

    def check(self, release: Release, slot: str) -> None:
        """Let Compose read the release as it would run it."""

    def migrate(self, release: Release, slot: str) -> None:
        """Run the release's migration to its end."""

    def start(self, release: Release, slot: str, kind: str) -> None:
        """Start the services of a kind."""

    def grow(self, release: Release, slot: str, kind: str) -> None:
        """Start what is missing of a kind, and touch nothing that runs."""

    def containers(self) -> list[Container]:
        """Every container of the application."""

    def stop(self, slot: str, kind: str, services: Sequence[str] = ()) -> None:
        """Tell the services of a kind, or only those named, to end, and wait for them as long as their grace allows."""

    def keep_logs(self, slot: str) -> str:
        """Store the logs of a slot that failed; where they are."""

    def remove(self) -> None:
        """Remove every container and network of the application."""


class Proxy(Protocol):
    """The application's backend in the reverse proxy, with servers that exist before any release."""

    def servers(self) -> dict[str, Server]:
        """The servers by name. Raises OpsError when the proxy or the backend is not there."""

    def sessions(self) -> dict[str, int]:
        """Requests in flight by server."""

    def counters(self) -> dict[str, Counters]:
        """What was counted by server."""

    def set_states(self, states: Mapping[str, str], weights: Mapping[str, int] | None = None) -> None:
        """Set servers to "ready", "drain" or "maint", in the order given, in one command line. Each gets its weight, or the usual one again."""

    def save(self) -> None:
        """Make the states survive a reload and a restart of the proxy."""

    def saved(self) -> Mapping[str, str]:
        """The states that a restarted proxy would begin with."""

    def lingering(self) -> float:
        """For how many seconds a process from before a reload may still send requests where it did then; 0 when there is none."""


class Probe(Protocol):
    """HTTP without the proxy's or anybody else's retries."""

    def verify(self, ports: Sequence[int], health: Health, release: str) -> None:
        """Raise OpsError unless each port proves that it serves the release."""

    def measure(self, port: int, health: Health, release: str) -> tuple[bool, float]:
        """Whether a port answers as the release, asked once, and in how many milliseconds."""

    def serving(self) -> Answer:
        """What answers through the proxy."""


class Host(Protocol):
    """The few things the machine asks of the operating system."""

    def require_free_ports(self, ports: Sequence[int]) -> None:
        """Raise OpsError naming the ports on loopback that somebody listens on."""

    def require_free_space(self) -> None:
        """Raise OpsError when the disk is too full to begin."""


# Calls that change nothing outside. Any other one passes a point before it: a new call does so from its first day.
QUESTIONS = frozenset(
    {
        *("read", "seats", "journal", "folder", "has", "load", "origin", "leave"),  # store
        *("containers", "servers", "sessions", "saved", "counters", "lingering", "verify", "measure", "serving"),  # engine, proxy, probe
    }
)


class Guarded:
    """A port that asks for leave before each call that changes something, by the name of the point."""

    def __init__(self, port: Any, leave: Callable[[str], None]) -> None:
        self._port = port
        self._leave = leave

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if name in QUESTIONS or not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._leave(f"{type(self._port).__name__}.{name}")
            return value(*args, **kwargs)

        return call
