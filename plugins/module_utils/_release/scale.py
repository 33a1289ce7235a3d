# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb scale: look at the backlog or at the containers, decide, and have the number run.

Also a program, for a host's timer: ``python3 -m …_release.scale <configuration>`` with the module's parameters as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.process import boot
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import backlog, scaling, signals
from ansible_collections.groundcrew.ops.plugins.module_utils._release.compose import Compose
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import make_proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.headless import NoProxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Health, Occupant, Service, Slot
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import HttpProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaler import Scaler
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaling import Backlog, Band, Decision, Queue, Rule
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

Params = Mapping[str, Any]
RECORD = "scale.json"


class Scale:
    """An operation on the release that serves. Frozen while a release is in progress."""

    def __init__(self, params: Params, runner: Runner | None = None, clock: Clock | None = None) -> None:
        proxy = params["proxy"]
        self._params = params
        self._runner = runner or Runner()
        self._clock = clock or Clock()
        self._reasons: dict[str, str] = {}
        self._rules = tuple(make_rule(rule) for rule in params["rules"])
        self._store = Store(place(params), clock=self._clock)
        self._slots = {name: Slot(name, first_port) for name, first_port in params["slots"].items()}
        active = self._store.read().active
        if active is None:
            raise OpsError(f"No release of {params['name']} is active on this host, so there is nothing to scale. Deploy first.")
        unknown = [rule.service for rule in self._rules if rule.service not in active.replicas]
        if unknown:
            raise OpsError(f"{', '.join(unknown)} is no service of release {active.release}; its services are {', '.join(active.replicas)}. Correct rules.")
        singles = sorted({rule.service for rule in self._rules} & set(self._store.load(active.release).singles))
        if singles:
            raise OpsError(f"{', '.join(singles)} may run only once on a host and is not scaled. Take it out of rules.", services=singles)
        self._active: Occupant = active
        self._engine = Compose(params["name"], self._store, self._slots, self._runner)
        self._proxy = make_proxy(params["name"], proxy) if active.web else NoProxy()
        health = Health(**params["health"])
        probe = HttpProbe(proxy["url"], proxy["host"], health, self._clock)
        self._scaler = Scaler(self._store, self._engine, self._proxy, probe, self._slots, health, params["drain_timeout"], self._clock)

    def plan(self) -> Plan:
        frozen = self._frozen()
        before = {rule.service: self._scaler.running(rule.service) for rule in self._rules}
        decisions = {rule.service: Decision(before[rule.service], frozen) if frozen else self._decide(rule, before[rule.service]) for rule in self._rules}
        self._reasons = {name: decision.reason for name, decision in decisions.items()}
        after = {name: decision.replicas for name, decision in decisions.items()}
        steps = tuple(f"{name}: {before[name]} to {after[name]}, because {self._reasons[name]}" for name in after if after[name] != before[name])
        return Plan("scale" if steps else "none", {"replicas": before}, {"replicas": after}, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        before, after = _replicas(planned.before), _replicas(planned.after)
        run = uuid.uuid4().hex[:12]
        with self._store.open(run):
            if self._store.read().pending:
                raise OpsError(f"A release of {self._params['name']} began in the meantime; nothing was scaled. Scale again when it is over.")
            for service in (name for name in after if after[name] != before[name]):
                record = remembered(self._store.root)
                since = {"changed": self._clock.now(), "monotonic": self._clock.monotonic(), "boot": boot()}
                record[service] = {"replicas": after[service], **since}
                write_atomic(self._store.root / RECORD, json.dumps(record, sort_keys=True) + "\n", mode=0o600)
                self._scaler.scale(run, service, after[service])
        return {**self.result(planned), "forced": self._scaler.forced}

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {
            "release": self._active.release,
            "replicas": _replicas(planned.after),
            "before": _replicas(planned.before),
            "reasons": self._reasons,
            "forced": 0,
        }

    def _frozen(self) -> str:
        state, lease = self._store.read(), self._store.lease()
        if state.pending:
            return f"frozen: release {state.pending.target.release} is in progress"
        if lease.run and (not lease.pid or Path(f"/proc/{lease.pid}").exists()):
            return f"frozen: run {lease.run} of {lease.holder} holds the lease"
        return ""

    def _decide(self, rule: Rule, current: int) -> Decision:
        seen, problem = self._backlog(rule.queue) if rule.queue else (None, "")
        last = remembered(self._store.root).get(rule.service, {})
        # No step of the clock moves the time of a boot. What was changed in another one is taken for long ago.
        calm = self._clock.monotonic() - last["monotonic"] if last.get("boot") == boot() else math.inf
        decision = scaling.decide(rule, current, seen, self._signals(rule), calm)
        return replace(decision, reason=f"{decision.reason}. {problem}") if problem else decision

    def _backlog(self, queue: Queue) -> tuple[Backlog | None, str]:
        """The backlog, or why it is not known."""
        redis = self._params["redis"] or {}
        try:
            with backlog.connect(redis.get("url") or "redis://127.0.0.1:6379", redis.get("ca_file")) as connection:
                return backlog.backlog(connection, queue), ""
        except OpsError as error:
            return None, error.message

    def _signals(self, rule: Rule) -> Mapping[str, float | None]:
        if not rule.signals or rule.queue or rule.replicas is not None:
            return {}
        members = [each for each in self._engine.members(self._active.slot) if (each.service, each.running) == (rule.service, True)]
        slot = self._slots[self._active.slot]
        servers = slot.servers(self._scaler.running(rule.service)) if rule.service == self._active.web else ()
        return signals.measure(tuple(rule.signals), [each.id for each in members], servers, self._runner, self._proxy, self._clock)


def make_rule(given: Params) -> Rule:
    """A rule from a task's parameters; what they leave open is the rule's own default."""
    queue = given.get("queue")
    made = {name: value for name, value in given.items() if value is not None and name not in ("queue", "signals")}
    if queue:
        made["queue"] = Queue(**{**queue, "names": tuple(queue["names"])})
    rule = Rule(**made, signals={name: Band(**band) for name, band in (given.get("signals") or {}).items() if band})
    ways = [rule.replicas is not None, rule.queue is not None, bool(rule.signals)].count(True)
    if ways != 1:
        raise OpsError(f"rules: {rule.service} needs one of replicas, queue and signals, and has {ways}.")
    if rule.minimum < 1 or rule.maximum < rule.minimum or rule.step < 1 or (rule.replicas is not None and rule.replicas < 1):
        raise OpsError(f"rules: {rule.service} needs at least 1 as minimum, step and replicas, and a maximum that is not below the minimum.")
    return rule


def remembered(root: Path) -> dict[str, dict[str, Any]]:
    """The numbers that were scaled to, by service, with when."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def as_scaled(services: Sequence[Service], root: Path) -> tuple[Service, ...]:
    """Services with the numbers that they were scaled to, so that a release of the same content changes nothing."""
    numbers = scaled_to(root)
    return tuple(service if service.single else replace(service, replicas=numbers.get(service.name, service.replicas)) for service in services)


def scaled_to(root: Path) -> dict[str, int]:
    return {service: record["replicas"] for service, record in remembered(root).items()}


def _replicas(state: Mapping[str, Any] | None) -> dict[str, int]:
    return dict((state or {})["replicas"])


def main(argv: Sequence[str]) -> int:
    try:
        operation = Scale(json.loads(Path(argv[0]).read_text(encoding="utf-8")))
        planned = operation.plan()
        done = operation.apply(planned) if planned.changed else operation.result(planned)
    except OpsError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(json.dumps(done, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
