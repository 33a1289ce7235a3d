# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of workers alone: there is no proxy to tell, and what runs is what serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Answer, Health, Server
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Engine
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._release.traffic import Counters


class NoProxy:
    """The proxy port of an application that has no backend."""

    def servers(self) -> dict[str, Server]:
        return {}

    def sessions(self) -> dict[str, int]:
        return {}

    def counters(self) -> dict[str, Counters]:
        return {}

    def set_states(self, states: Mapping[str, str], weights: Mapping[str, int] | None = None) -> None:
        """There is nothing to set."""

    def save(self) -> None:
        """There is nothing to save."""

    def saved(self) -> dict[str, str]:
        return {}

    def lingering(self) -> float:
        return 0.0


class RunningProbe:
    """The probe port of an application that answers no requests: the machine itself waits for its workers to run."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    def verify(self, ports: Sequence[int], health: Health, release: str) -> None:
        """No replica has a port that could be asked."""

    def measure(self, port: int, health: Health, release: str) -> tuple[bool, float]:
        raise OpsError(f"An application of workers alone has no port {port} to ask.")

    def serving(self) -> Answer:
        active = self._store.read().active
        if active is None:
            return Answer(0, error="no release is active")
        running = [each for each in self._engine.containers() if (each.slot, each.release, each.running) == (active.slot, active.release, True)]
        wanted = sum(active.replicas.values())
        if len(running) < wanted:
            return Answer(503, error=f"{len(running)} of {wanted} containers run")
        return Answer(200, active.release)
