# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of an application on one host, put together from a task's parameters: release, roll back, remove, tell."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import composefile, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release import environment as environments
from ansible_collections.groundcrew.ops.plugins.module_utils._release.acts import Outcome, Settings
from ansible_collections.groundcrew.ops.plugins.module_utils._release.compose import Compose
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import make_proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.headless import NoProxy, RunningProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.host import LocalHost
from ansible_collections.groundcrew.ops.plugins.module_utils._release.machine import Machine, Request
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    Canary,
    ComposeFile,
    Health,
    Migration,
    Release,
    Schema,
    Secret,
    Slot,
    SupportFile,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._release.port import Probe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import HttpProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.registry import Connect, Registry
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scale import as_scaled
from ansible_collections.groundcrew.ops.plugins.module_utils._release.sources import make_gate, make_sources
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

Params = Mapping[str, Any]
ENGINE_FOLDER = Path("/var/lib/docker")


class Application:
    """One application on this host, with its adapters. The verbs work on it."""

    def __init__(self, params: Params, connect: Connect | None = None) -> None:
        clock = Clock()
        proxy = params["proxy"]
        self.name: str = params["name"]
        self.run: str = params["run"] or uuid.uuid4().hex[:12]
        self._params = params
        self.slots = {name: Slot(name, first_port) for name, first_port in params["slots"].items()}
        health = Health(**params["health"])
        self.store = make_store(params, clock)
        engine = Compose(self.name, self.store, self.slots, Runner())
        headless = self._headless(params)
        self.probe: Probe = RunningProbe(engine, self.store) if headless else HttpProbe(proxy["url"], proxy["host"], health, clock)
        self.machine = Machine(
            Settings(
                self.name,
                self.slots,
                health,
                params["drain_timeout"],
                params["keep"],
                make_gate(params["gate"]),
                Canary(**params["canary"]),
                lambda ports: make_sources(params["gate"], connect, ports),
            ),
            self.store,
            engine,
            NoProxy() if headless else make_proxy(self.name, proxy),
            self.probe,
            LocalHost((self.store.root, ENGINE_FOLDER), params["free_space"]),
            clock,
        )

    def _headless(self, params: Params) -> bool:
        """Whether no web service was ever here and none is to come."""
        asked = params.get("services")
        if asked:
            return not any(service["kind"] == "web" for service in asked) and all(seat.web is None for seat in self.store.seats().values())
        state = self.store.read()
        occupant = state.pending.target if state.pending else state.active
        return occupant is not None and occupant.web is None

    def open(self, *, steal: bool = False) -> AbstractContextManager[None]:
        """Hold the lease. An operator who says what becomes of an earlier run's remains knows that it is dead."""
        params = self._params
        steal = steal or params["resume"] != "auto"
        return self.store.open(self.run, steal=steal, wait=params["lease_wait"], controller=params["controller"], orphan=params["orphan"])

    def active(self) -> Release | None:
        active = self.store.read().active
        return self.store.load(active.release) if active else None

    def request(self, target: Release, origin: str | None = None, *, rollback: bool = False) -> Request:
        params = self._params
        return Request(target, origin, rollback, params["phase"] == "prepare", params["resume"], tuple(params["elsewhere"]))

    def plan(self, verb: str, target: Release) -> Plan:
        """What ``Machine.release`` would do for the target."""
        state = self.store.read()
        self.machine.require_schema(target, rollback=verb == "rollback")
        steps: list[str] = []
        if state.pending:
            steps.append(f"finish or take back release {state.pending.target.release}, which was interrupted while {state.pending.state}")
        reasons = self.machine.reasons(target)
        if reasons:
            steps += _release_steps(target, policy.next_slot(state.active), reasons, migrate=target.id not in state.migrated)
        elif drift := self.machine.drift():
            steps.append("repair the proxy: " + ", ".join(f"{name} to {wanted}" for name, wanted in sorted(drift.items())))
        before = policy.describe(self.active())
        return Plan(verb if steps else "none", before, policy.describe(target), tuple(steps))

    def apply(self, request: Request) -> dict[str, Any]:
        previous = self.store.read().active
        with self.open():
            outcome = self.machine.release(self.run, request)
        return self.result(request.target, outcome, previous.release if previous else None)

    def result(self, target: Release, outcome: Outcome, previous: str | None) -> dict[str, Any]:
        active = self.store.read().active
        serving = self.probe.serving()
        return {
            "release": target.id,
            "previous": previous,
            "verdict": outcome.verdict,
            "slot": active.slot if active else None,
            "images": dict(target.images),
            "secrets": {secret.name: secret.version for secret in target.secrets},
            "serving": {"release": serving.release, "status": serving.status},
            "seconds": outcome.seconds,
            "forced": outcome.forced,
            "migrated": list(self.store.read().migrated),
        }

    def seen(self, target: Release, planned: Plan) -> dict[str, Any]:
        """The result when nothing is done. Nothing to do is only true when the proxy serves the release."""
        active = self.store.read().active
        result = self.result(target, Outcome("planned" if planned.changed else "unchanged"), active.release if active else None)
        serving = result["serving"]
        if not planned.changed and (serving["release"] != target.id or not 200 <= serving["status"] < 300):
            raise OpsError(
                f"Release {target.id} of {self.name} is in place, but through the proxy came {self.probe.serving()}."
                " Look at the application's health and its logs.",
                serving=serving,
            )
        return result


class Deploy:
    """Make what the parameters describe serve."""

    def __init__(self, params: Params, connect: Connect) -> None:
        self._params = params
        self._application = Application(params, connect)
        registry = params["registry"]
        self._registry = Registry(connect, plain=registry["plain_http"], username=registry["username"], password=registry["password"])
        self._target: Release | None = None

    def plan(self) -> Plan:
        self._target = self._describe()
        return self._application.plan("release", self._target)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        return self._application.apply(self._application.request(self._wanted()))

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return self._application.seen(self._wanted(), planned)

    def _wanted(self) -> Release:
        return self._target or self._describe()

    def _describe(self) -> Release:
        params = self._params
        missing = [name for name in ("version", "files", "services") if not params[name]]
        if missing:
            raise OpsError(f"To release {self._application.name}, {', '.join(missing)} must be given.", missing=missing)
        files = tuple(ComposeFile(**file) for file in params["files"])
        support = tuple(SupportFile(each["name"], each["content"], int(each["mode"], 8)) for each in params["support_files"])
        services = as_scaled([composefile.complete(service, files) for service in params["services"]], self._application.store.root)
        concealed = _texts(params["secret_environment"])
        environment = {**_texts(params["environment"]), **concealed}
        secrets = make_secrets(params["secrets"] or ())
        migration = (
            Migration(params["migration"]["service"], tuple(params["migration"]["command"]), params["migration"]["timeout"]) if params["migration"] else None
        )
        rules = environments.make_rules(params["environment_rules"], params["required_environment"])
        found = [
            *composefile.violations(files, services, self._application.slots, migration, [each.name for each in support]),
            *environments.violations(environment, secrets, rules),
        ]
        if found:
            listed = "".join(f"\n- {each}" for each in found)
            raise OpsError(f"{self._application.name} {params['version']} cannot be released; nothing was changed:{listed}", violations=found)
        images = {service.name: self._registry.pin(service.image) for service in services if service.kind != "data"}
        schema = Schema(**params["schema"]) if params["schema"] else None
        return policy.make_release(params["version"], images, files, environment, secrets, services, migration, tuple(concealed), support, schema)


class Remove:
    """Take the application off this host."""

    def __init__(self, params: Params) -> None:
        self._application = Application(params)

    def plan(self) -> Plan:
        store = self._application.store
        if not store.root.exists():
            return Plan("none", None, None)
        steps = ("drain both slots of the proxy", "stop and remove the containers", f"remove {store.root}")
        return Plan("delete", policy.describe(self._application.active()) or {"release": None}, None, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        with self._application.open():
            self._application.machine.remove(self._application.run)
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"release": None, "previous": (planned.before or {}).get("release"), "verdict": "removed" if planned.changed else "unchanged"}


def tell(params: Params) -> dict[str, Any]:
    """What the host remembers of an application."""
    store = make_store(params, Clock())
    state = store.read()
    return {
        "active": dataclasses.asdict(state.active) if state.active else None,
        "pending": dataclasses.asdict(state.pending) if state.pending else None,
        "committed": list(state.committed),
        "schema": dataclasses.asdict(state.schema) if state.schema else None,
        "lease": dataclasses.asdict(store.lease()),
        "slots": {slot: dataclasses.asdict(occupant) for slot, occupant in store.seats().items()},
        "journal": store.journal(params["journal_lines"]),
    }


def make_store(params: Params, clock: Clock) -> Store:
    return Store(place(params), secret_owner=params.get("secret_owner", 0), clock=clock, lease_seconds=params.get("lease_seconds", 0))


def make_secrets(given: Sequence[Mapping[str, Any]]) -> tuple[Secret, ...]:
    return tuple(Secret(secret["name"], str(secret["version"]), secret["value"]) for secret in given)


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    """YAML's booleans and numbers as the text that an application expects."""
    return {name: str(value).lower() if isinstance(value, bool) else "" if value is None else str(value) for name, value in (values or {}).items()}


def _release_steps(target: Release, slot: str, reasons: Sequence[str], *, migrate: bool) -> list[str]:
    workers = ", ".join(f"{service.replicas} {service.name}" for service in target.workers)
    migration = f"run the migration {' '.join(target.migration.command)} once" if target.migration and migrate else None
    steps = [
        f"release {target.id}, because {'; '.join(reasons)}",
        *(f"pull {image}" for image in sorted(set(target.images.values()))),
        migration,
        f"start {target.web.replicas} {target.web.name} in slot {slot} and probe each until healthy" if target.web else None,
        f"start {workers}{'' if target.web else f' in slot {slot}'}" if workers else None,
        f"switch the proxy to slot {slot}, wait until the other slot has nothing in flight, stop it"
        if target.web
        else "stop the other slot, each job finished",
    ]
    return [step for step in steps if step]
