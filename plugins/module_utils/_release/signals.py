# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the containers of a service are busy with: processor and memory from the engine, answers and their time from the proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Proxy

LOOK = 2.0
STATISTICS = ("cpu", "memory")


def measure(names: Sequence[str], containers: Sequence[str], servers: Sequence[str], runner: Runner, proxy: Proxy, clock: Clock) -> dict[str, float | None]:
    """The signals by name, each the mean of a container; None is not known."""
    seen: dict[str, float | None] = dict.fromkeys(names)
    if set(names) & set(STATISTICS):
        seen |= _statistics(containers, runner)
    if set(names) - set(STATISTICS):
        seen |= _answers(servers, proxy, clock)
    return {name: seen.get(name) for name in names}


def _statistics(containers: Sequence[str], runner: Runner) -> Mapping[str, float | None]:
    asked = runner.run(["docker", "stats", "--no-stream", "--format", "{{json .}}", *containers], check=False, timeout=60) if containers else None
    if asked is None or asked.rc != 0:
        return {}
    rows = [json.loads(line) for line in asked.stdout.splitlines()]
    if len(rows) != len(containers):
        return {}
    return {"cpu": _mean(rows, "CPUPerc"), "memory": _mean(rows, "MemPerc")}


def _mean(rows: Sequence[Mapping[str, str]], column: str) -> float | None:
    try:
        return fmean(float(row[column].rstrip("%")) for row in rows)
    except ValueError:  # the engine prints dashes for what it cannot tell
        return None


def _answers(servers: Sequence[str], proxy: Proxy, clock: Clock) -> Mapping[str, float | None]:
    try:
        before, began = proxy.counters(), clock.monotonic()
        clock.sleep(LOOK)
        after, seconds = proxy.counters(), clock.monotonic() - began
    except OpsError:
        return {}
    if not servers or not all(name in before and name in after for name in servers):
        return {}
    counts = {name: after[name].requests - before[name].requests for name in servers}
    total = sum(counts.values())
    if min(counts.values()) < 0:  # the proxy was started anew in between
        return {}
    return {
        "requests": total / seconds / len(servers),
        # Without an answer there is no time that an answer took; nothing waits.
        "latency_ms": sum(after[name].mean_ms * counts[name] for name in servers) / total if total else 0.0,
    }
