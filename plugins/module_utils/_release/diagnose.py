# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an application on this host: what each slot runs, what the proxy does, what containers and the journal said.

Reads only. Whatever cannot be read is a finding and hides nothing else. No secret leaves: values that the releases hold are replaced.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import make_proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Health, Release, Slot, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import HttpProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

Params = Mapping[str, Any]
SHORTEST_SECRET = 4
CONSISTENT = Check(
    "diagnose.compose_app.consistent",
    "high",
    "The application runs as its releases say",
    "Deploy the same version again (playbooks/deploy.yml), which repairs most; compose_app_result has the logs.",
)
_SERVER = re.compile(r"^\s*server\s+(\S+)\s+127\.0\.0\.1:(\d+)")


def diagnose(params: Params, runner: Runner | None = None) -> dict[str, Any]:
    """Everything about the application, and what is wrong as sentences."""
    store = Store(place(params))
    state = store.read()
    releases = {release: store.load(release) for release in _known(store, state) if store.has(release)}
    found: list[str] = []
    containers = _containers(params["name"], runner or Runner(), params["log_lines"], found)
    proxy = _proxy(params, state, found) if state.active and state.active.web else {}
    journal = _journal(store, params["journal_lines"], found)
    found += [*_state_findings(store, state), *_container_findings(state, containers)]
    answer = {
        "active": dataclasses.asdict(state.active) if state.active else None,
        "pending": dataclasses.asdict(state.pending) if state.pending else None,
        "committed": list(state.committed),
        "slots": {slot: dataclasses.asdict(occupant) for slot, occupant in store.seats().items()},
        "containers": containers,
        "proxy": proxy,
        "serving": _serving(params, state, found),
        "journal": journal,
        "last_failure": _last_failure(store, params["log_lines"]),
        "findings": found,
        "verdicts": [CONSISTENT.judge(params.get("subject") or params["name"], not found, " ".join(found) or "Everything fits together.").as_dict()],
    }
    clean: dict[str, Any] = redact(answer, secrets_of(releases.values()))
    return {"application": clean, "table": table(clean)}


def secrets_of(releases: Iterable[Release]) -> dict[str, str]:
    """Values that must not be shown, with what is shown instead."""
    found: dict[str, str] = {}
    for release in releases:
        for secret in release.secrets:
            found[secret.value] = f"<secret {secret.name}>"
        for name, value in release.environment.items():
            if name in release.concealed or policy.looks_secret(name, value):
                found[value] = f"<secret {name}>"
    return {value: shown for value, shown in found.items() if len(value) >= SHORTEST_SECRET}


def redact(value: Any, secrets: Mapping[str, str]) -> Any:
    """A copy of an answer without the secrets, wherever in a text they stand; also as JSON writes them."""
    if isinstance(value, str):
        for secret, shown in sorted(secrets.items(), key=lambda pair: -len(pair[0])):
            for written in (secret, secret.strip(), json.dumps(secret)[1:-1]):
                value = value.replace(written, shown)
        return re.sub(r"(://[^/@\s:]*:)[^/@\s]+@", r"\1<secret>@", value)
    if isinstance(value, Mapping):
        return {key: redact(each, secrets) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(each, secrets) for each in value]
    return value


def table(answer: Mapping[str, Any]) -> list[str]:
    """The answer as lines for a person: findings first."""
    findings = answer["findings"] or ["nothing is wrong"]
    lines = [f"{'!' if answer['findings'] else ' '} {each}" for each in findings]
    lines += ["", f"{'slot':<5} {'service':<16} {'release':<32} {'state':<24} {'restarts':>8}"]
    for each in answer["containers"]:
        lines.append(f"{each['slot']:<5} {each['service']:<16} {each['release']:<32} {each['state']:<24} {each['restarts']:>8}")
    if answer["proxy"]:
        lines += ["", f"{'server':<7} {'port':>6} {'state':<7} {'saved':<7} {'wanted':<7} {'requests':>9}"]
    for name, server in sorted(answer["proxy"].items()):
        lines.append(f"{name:<7} {server['port'] or '-':>6} {server['state']:<7} {server['saved']:<7} {server['wanted']:<7} {server['in_flight']:>9}")
    return lines


def _known(store: Store, state: State) -> set[str]:
    now = [each.release for each in (state.active, state.pending.target if state.pending else None, *store.seats().values()) if each]
    return {*now, *state.committed}


def _state_findings(store: Store, state: State) -> Iterator[str]:
    if state.active is None:
        yield "No release is active. Deploy one."
    elif not store.has(state.active.release):
        yield f"Release {state.active.release} is active and its folder is gone. Deploy it again."
    if state.pending:
        yield f"Release {state.pending.target.release} is in progress or was interrupted, while {state.pending.state}. The next run ends it, either way."
    missing = [release for release in state.committed if not store.has(release)]
    if missing:
        yield f"A rollback to {', '.join(missing)} is not possible: what was stored of it is gone."


def _containers(app: str, runner: Runner, log_lines: int, found: list[str]) -> list[dict[str, Any]]:
    try:
        ids = runner.run(["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=groundcrew.application={app}"]).stdout.split()
        inspected = json.loads(runner.run(["docker", "inspect", *ids]).stdout) if ids else []
    except OpsError as error:
        found.append(f"The engine cannot be asked: {error.message}")
        return []
    containers = [_container(each) for each in inspected if each["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"]
    for each in containers:
        if each["failed"]:
            logs = runner.run(["docker", "logs", "--timestamps", "--tail", str(log_lines), each["id"]], check=False)
            each["logs"] = (logs.stdout + logs.stderr).splitlines()[-log_lines:]
    return sorted(containers, key=lambda each: (each["slot"], each["service"], each["name"]))


def _container(inspected: Mapping[str, Any]) -> dict[str, Any]:
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    # A container that ended keeps its last health, which says nothing any more.
    health = (state.get("Health") or {}).get("Status", "") if state["Running"] else ""
    said = state["Status"] if state["Running"] else f"{state['Status']} with code {state['ExitCode']}"
    # 137 and 143 are how a container ends that was told to; a release that was stopped is no failure.
    failed = health == "unhealthy" or state["OOMKilled"] or state.get("Restarting") or (not state["Running"] and state["ExitCode"] not in (0, 137, 143))
    return {
        "id": inspected["Id"][:12],
        "name": inspected["Name"].lstrip("/"),
        "slot": labels["groundcrew.slot"],
        "service": labels["groundcrew.service"],
        "release": labels["groundcrew.release"],
        "image": inspected["Config"]["Image"],
        "running": state["Running"],
        "state": f"{said}{f', {health}' if health else ''}{', out of memory' if state['OOMKilled'] else ''}",
        "restarts": inspected["RestartCount"],
        "failed": bool(failed),
    }


def _container_findings(state: State, containers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    active = state.active
    for service, wanted in active.replicas.items() if active else ():
        running = [each for each in containers if active and (each["slot"], each["service"], each["running"]) == (active.slot, service, True)]
        right = [each for each in running if active and each["release"] == active.release]
        if len(right) != wanted and active:
            yield f"{len(right)} of {wanted} containers of {service} run release {active.release} in slot {active.slot}."
    for each in containers:
        if each["failed"]:
            yield f"Container {each['name']} of {each['service']} (slot {each['slot']}) is {each['state']}; its last words are in its logs."
        elif each["restarts"] > 0 and each["running"]:
            yield f"Container {each['name']} of {each['service']} was started anew {each['restarts']} times."


def _proxy(params: Params, state: State, found: list[str]) -> dict[str, dict[str, Any]]:
    """Each server as the proxy runs it, as a restart would find it, as its configuration has it, and as it should be."""
    given = params["proxy"]
    backend = given["backend"] or f"app_{params['name']}"
    slots = {name: Slot(name, first_port) for name, first_port in params["slots"].items()}
    proxy = make_proxy(params["name"], given)
    configured = _configured(Path(params["proxy_config"]), backend, found)
    try:
        servers, saved, sessions = proxy.servers(), proxy.saved(), proxy.sessions()
    except OpsError as error:
        found.append(error.message)
        return {}
    wanted = policy.wanted_states(slots, servers, state.active)
    for name, should in wanted.items():
        server = servers.get(name)
        if server is None:
            found.append(f"The proxy has no server {name}. Give it as many replicas for this application as run.")
        elif server.state != should and not state.pending:
            found.append(f"Server {name} of the proxy is {server.state} and should be {should}. The next deployment repairs it.")
        if server and name in saved and saved[name] != server.state:
            found.append(f"A restart of the proxy would make server {name} {saved[name]}; it is {server.state} now. The next deployment repairs it.")
        if server and configured and configured.get(name) != server.port:
            found.append(
                f"Server {name} runs at port {server.port}, and the proxy's configuration says {configured.get(name, 'nothing')}. Apply the role proxy."
            )
    return {
        name: {
            "port": server.port,
            "configured": configured.get(name),
            "state": server.state,
            "saved": saved.get(name, "unknown"),
            "wanted": wanted.get(name, "maint"),
            "in_flight": sessions.get(name, 0),
        }
        for name, server in servers.items()
    }


def _configured(path: Path, backend: str, found: list[str]) -> dict[str, int]:
    """The servers of a backend in HAProxy's configuration, with their ports."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        found.append(f"The proxy's configuration {path} cannot be read: {error}")
        return {}
    servers, inside = {}, False
    for line in lines:
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.split() == ["backend", backend]
        elif inside and (match := _SERVER.match(line)):
            servers[match.group(1)] = int(match.group(2))
    if not servers:
        found.append(f"The proxy's configuration {path} has no backend {backend}. Apply the role proxy with this application.")
    return servers


def _serving(params: Params, state: State, found: list[str]) -> dict[str, Any] | None:
    if state.active is None or state.active.web is None:
        return None
    health = Health(**params["health"])
    answer = HttpProbe(params["proxy"]["url"], params["proxy"]["host"], health, Clock()).serving()
    if not 200 <= answer.status < 300 or answer.release != state.active.release:
        found.append(f"Through the proxy came {answer}; release {state.active.release} should answer on {health.path}.")
    return {"release": answer.release, "status": answer.status, "error": answer.error}


def _journal(store: Store, lines: int, found: list[str]) -> list[dict[str, Any]]:
    try:
        return [{key: value for key, value in entry.items() if key not in ("hash", "previous")} for entry in store.journal(lines)] if lines else []
    except OpsError as error:
        found.append(error.message)
        return []


def _last_failure(store: Store, lines: int) -> dict[str, Any] | None:
    """The last release that failed, why, and what its containers said then."""
    try:
        failures = [entry for entry in store.journal(sys.maxsize) if entry["kind"] == "failed"]
    except OpsError:
        return None
    if not failures:
        return None
    last = failures[-1]
    path = store.log_path(f"{last.get('slot')}.log")
    logs = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] if path.exists() else []
    return {"release": last.get("release"), "state": last.get("state"), "reason": last.get("reason"), "at": last["at"], "slot": last.get("slot"), "logs": logs}
