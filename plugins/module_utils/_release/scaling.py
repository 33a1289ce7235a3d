# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many containers of a service should run, pure: up at once, down slowly, and not at all where something is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Band:
    """Above ``up`` there are too few containers, below ``down`` too many; between the two nothing changes."""

    up: float
    down: float


@dataclass(frozen=True)
class Queue:
    """A worker's queues.

    per_worker: jobs that one worker gets through in time. up, down: more workers above, fewer below so many jobs.
    wait: seconds that the oldest job may wait.
    """

    names: tuple[str, ...]
    prefix: str = "bull"
    per_worker: int = 50
    up: float = 100
    down: float = 10
    wait: float = 60.0


@dataclass(frozen=True)
class Rule:
    """How a service is scaled: a fixed number, by its queues, or by signals of its containers.

    step: most containers that one change adds or takes. cooldown: seconds after a change before some are taken.
    signals: a band by name, of "cpu" (percent of a core), "memory" (percent of the limit), "latency_ms" and "requests" (per second),
    each the mean of a container.
    """

    service: str
    minimum: int = 1
    maximum: int = 1
    step: int = 2
    cooldown: float = 300.0
    replicas: int | None = None
    queue: Queue | None = None
    signals: Mapping[str, Band] = field(default_factory=dict)


@dataclass(frozen=True)
class Backlog:
    """Jobs that wait for a worker, and for how many seconds the oldest of them has waited."""

    jobs: int
    wait: float = 0.0


@dataclass(frozen=True)
class Decision:
    replicas: int
    reason: str


def decide(rule: Rule, current: int, backlog: Backlog | None, signals: Mapping[str, float | None], calm: float) -> Decision:
    """The number that should run. calm: seconds since it last changed.

    backlog, signals: what was seen; None is not known, and what is not known never takes a container away.
    """
    if rule.replicas is not None:
        return Decision(rule.replicas, "the number was given")
    inside = min(max(current, rule.minimum), rule.maximum)
    if inside != current:
        return Decision(inside, f"{current} is outside of {rule.minimum} to {rule.maximum}")
    wish = _queue_wish(rule.queue, current, backlog) if rule.queue else _signal_wish(rule, current, signals)
    wanted = min(max(wish.replicas, rule.minimum, current - rule.step), rule.maximum, current + rule.step)
    if wanted < current and calm < rule.cooldown:
        return Decision(current, f"{wish.reason}; {rule.cooldown - calm:.0f} s of the cooldown are left")
    return Decision(wanted, wish.reason)


def _queue_wish(queue: Queue, current: int, backlog: Backlog | None) -> Decision:
    if backlog is None:
        return Decision(current, "the backlog is not known")
    needed = math.ceil(backlog.jobs / queue.per_worker)
    said = f"{backlog.jobs} jobs wait, the oldest for {backlog.wait:.0f} s"
    if backlog.jobs > queue.up or backlog.wait > queue.wait:
        return Decision(max(needed, current + 1), said)
    if backlog.jobs < queue.down:
        return Decision(min(needed, current), said)
    return Decision(current, said)


def _signal_wish(rule: Rule, current: int, signals: Mapping[str, float | None]) -> Decision:
    known = {name: value for name in rule.signals if (value := signals.get(name)) is not None}
    missing = [name for name in rule.signals if name not in known]
    over = {name: value for name, value in known.items() if value > rule.signals[name].up}
    said = ", ".join(f"{name} {value:.1f}" for name, value in known.items())
    if over:
        needed = max(math.ceil(current * value / rule.signals[name].up) if rule.signals[name].up > 0 else 0 for name, value in over.items())
        return Decision(max(needed, current + 1), said)
    if missing or not known:
        return Decision(current, f"not known: {', '.join(missing) or 'any signal'}")
    fewer = max(current - 1, rule.minimum)
    # What is left has to carry the load without asking for more again.
    if fewer < current and all(value < rule.signals[name].down and value * current / max(fewer, 1) <= rule.signals[name].up for name, value in known.items()):
        return Decision(fewer, said)
    return Decision(current, said)
