# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says about a run, gathered event by event. Knows no Ansible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1
SLOWEST = 5


@dataclass
class Step:
    """One step of a run; several plays may share it."""

    name: str
    offset: float
    seconds: float = 0.0
    hosts: list[str] = field(default_factory=list)
    changes: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_dict(self, *, running: bool) -> dict[str, Any]:
        """A step that was cut off did not succeed, so it counts as failed until its plays have ended."""
        shown: dict[str, Any] = {
            "name": self.name,
            "hosts": self.hosts,
            "seconds": round(self.seconds, 3),
            "changed": len(self.changes),
            "outcome": "failed" if self.failures or running else "ok",
            "facts": self.facts,
            "offset": round(self.offset, 3),
            "changes": self.changes,
            "failures": self.failures,
            "slowest": sorted(self.tasks, key=lambda task: -task["seconds"])[:SLOWEST],
        }
        if running:
            shown["unfinished"] = True
        return shown


class Recorder:
    """Turns plays, tasks and results into steps.

    monotonic: seconds that only go forward.
    started: the time of the start, as text, for the report.
    check: whether changes are predictions.
    """

    def __init__(self, monotonic: Callable[[], float], started: str, *, check: bool) -> None:
        self._monotonic = monotonic
        self._begin = monotonic()
        self._started = started
        self._check = check
        self._steps: dict[str, Step] = {}
        self._step: Step | None = None
        self._step_since = 0.0
        self._task = ""
        self._task_since: float | None = None

    def start_play(self, step: str | None) -> None:
        """Plays without a step are not reported."""
        self.end_play()
        if step is None:
            return
        self._step_since = self._monotonic()
        self._step = self._steps.setdefault(step, Step(step, self._step_since - self._begin))

    def end_play(self) -> None:
        self._end_task()
        if self._step is not None:
            self._step.seconds += self._monotonic() - self._step_since
            self._step = None

    def start_task(self, name: str) -> None:
        self._end_task()
        self._task, self._task_since = name, self._monotonic()

    def result(self, host: str, *, changed: bool) -> None:
        if self._step is None:
            return
        if host not in self._step.hosts:
            self._step.hosts.append(host)
        if changed:
            self._step.changes.append({"host": host, "task": self._task})

    def failure(self, host: str, message: str) -> None:
        self.result(host, changed=False)
        if self._step is not None:
            self._step.failures.append({"host": host, "task": self._task, "message": message})

    def fact(self, host: str, name: str, value: Any) -> None:
        if self._step is not None:
            self._step.facts.setdefault(host, {})[name] = value

    def report(self) -> dict[str, Any]:
        """The report so far."""
        return {
            "schema": SCHEMA,
            "started": self._started,
            "seconds": round(self._monotonic() - self._begin, 3),
            "check": self._check,
            "steps": [step.as_dict(running=step is self._step) for step in self._steps.values()],
        }

    def _end_task(self) -> None:
        if self._step is not None and self._task_since is not None:
            self._step.tasks.append({"name": self._task, "seconds": round(self._monotonic() - self._task_since, 3)})
        self._task_since = None
