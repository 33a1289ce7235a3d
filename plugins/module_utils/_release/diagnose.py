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
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Unread, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.way import redact as hide
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.diagnose_checks import CATALOG, errors_in
from ansible_collections.groundcrew.ops.plugins.module_utils._release.haproxy import make_proxy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Answer, Health, Release, Slot, State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.probe import HttpProbe
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

Params = Mapping[str, Any]
SHORTEST_SECRET = 4
# Seconds: for one answer of the engine, and for asking one address again and again how long it takes.
ENGINE_TIMEOUT, MEASURING = 15.0, 2.0
ATTEMPTS = 5
PROXY = "proxy"
_SERVER = re.compile(r"^\s*server\s+(\S+)\s+127\.0\.0\.1:(\d+)")


def diagnose(params: Params, runner: Runner | None = None) -> dict[str, Any]:
    """Everything about the application, and what is wrong as sentences."""
    store = Store(place(params))
    state = store.read()
    releases = {release: store.load(release) for release in _known(store, state) if store.has(release)}
    wrong: dict[str, list[str]] = {"release": [], "running": [], "proxy": []}
    containers = _containers(params, state, runner or Runner(), wrong["running"])
    proxy = _proxy(params, state, wrong["proxy"]) if state.active and state.active.web else {}
    journal = _journal(store, params["journal_lines"], wrong["release"])
    wrong["release"] += _state_findings(store, state)
    answers = _answers(params, state)
    if containers is not None:
        wrong["running"] += _container_findings(state, containers)
    unread = Unread("the engine cannot be asked")
    facts = {
        **wrong,
        "containers": unread if containers is None else containers,
        "serving": _unserved(params, state, answers) if answers else Unread("no web service is active"),
        **_times(answers),
        "max_latency_ms": params["max_latency_ms"],
        "mode_variable": params["mode_variable"],
    }
    findings = CATALOG.examine(params.get("subject") or params["name"], facts)
    answer = {
        "active": dataclasses.asdict(state.active) if state.active else None,
        "pending": dataclasses.asdict(state.pending) if state.pending else None,
        "committed": list(state.committed),
        "slots": {slot: dataclasses.asdict(occupant) for slot, occupant in store.seats().items()},
        "containers": containers or [],
        "proxy": proxy,
        "serving": _serving(answers),
        "latency_ms": {name: round(answer.milliseconds, 1) for name, answer in answers.items() if answer.counts},
        "journal": journal,
        "last_failure": _last_failure(store, params["log_lines"]),
        "findings": [each.evidence for each in findings if each.verdict == "fail"],
        "verdicts": [each.as_dict() for each in findings],
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


def _containers(params: Params, state: State, runner: Runner, found: list[str]) -> list[dict[str, Any]] | None:
    """None when the engine does not tell."""

    def docker(*words: str, check: bool = True) -> str:
        done = runner.run(["docker", *words], timeout=ENGINE_TIMEOUT, check=check)
        return done.stdout if check else done.stdout + done.stderr

    mine = f"label=groundcrew.application={params['name']}"
    try:
        ids = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", mine).split()
        inspected = json.loads(docker("inspect", *ids)) if ids else []
        # A container that was started anew has forgotten why it ended.
        killed = docker("events", "--since", "24h", "--until", "0s", "--filter", "event=oom", "--filter", mine, "--format", "{{.Actor.ID}}").split()
    except OpsError as error:
        found.append(f"The engine cannot be asked: {error.message}")
        return None
    containers = [
        _container(each, state, params["mode_variable"], killed.count(each["Id"]))
        for each in inspected
        if each["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"
    ]
    # Of a worker that runs, only what it said of late is about what is wrong now.
    telling = {each["id"]: [] if each["failed"] else ["--since", "1h"] for each in containers if each["failed"] or each["kind"] == "worker"}
    tail = ["--timestamps", "--tail", str(params["log_lines"])]
    logs = gather({name: partial(docker, "logs", *tail, *since, name, check=False) for name, since in telling.items()})
    for each in containers:
        said = logs.get(each["id"])
        lines = hide(said).splitlines()[-params["log_lines"] :] if isinstance(said, str) else []
        each["errors"] = errors_in(lines) if each["kind"] == "worker" else []
        if each["failed"] or each["errors"]:
            each["logs"] = lines
    return sorted(containers, key=lambda each: (each["slot"], each["service"], each["name"]))


def _container(inspected: Mapping[str, Any], current: State, mode_variable: str, kills: int) -> dict[str, Any]:
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    # A container that ended keeps its last health, which says nothing any more.
    health = (state.get("Health") or {}).get("Status", "") if state["Running"] else ""
    said = state["Status"] if state["Running"] else f"{state['Status']} with code {state['ExitCode']}"
    kills = max(kills, int(state["OOMKilled"]))
    # 137 and 143 are how a container ends that was told to; a release that was stopped is no failure.
    failed = health == "unhealthy" or kills or state.get("Restarting") or (not state["Running"] and state["ExitCode"] not in (0, 137, 143))
    active, service = current.active, labels["groundcrew.service"]
    slots = [each.slot for each in (active, current.pending.target if current.pending else None) if each]
    serves = active is not None and (active.slot, active.release) == (labels["groundcrew.slot"], labels["groundcrew.release"])
    kind = "web" if active and service == active.web else "worker" if active and service in active.replicas else ""
    environment = dict(each.partition("=")[::2] for each in inspected["Config"].get("Env") or ())
    return {
        "id": inspected["Id"][:12],
        "name": inspected["Name"].lstrip("/"),
        "slot": labels["groundcrew.slot"],
        "service": service,
        "kind": kind if serves and state["Running"] else "",
        "mode": environment.get(mode_variable, ""),
        "release": labels["groundcrew.release"],
        "image": inspected["Config"]["Image"],
        "current": labels["groundcrew.slot"] in slots,
        "running": state["Running"],
        "restarting": bool(state.get("Restarting")),
        "state": f"{said}{f', {health}' if health else ''}{', out of memory' if state['OOMKilled'] else ''}",
        "restarts": inspected["RestartCount"],
        "kills": kills,
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
        # What was killed for want of memory, or is started anew, has a verdict of its own; how a release ended that was left is history.
        if each["failed"] and each["current"] and not each["kills"] and not each["restarting"]:
            yield f"Container {each['name']} of {each['service']} (slot {each['slot']}) is {each['state']}; its last words are in its logs."


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


@dataclass(frozen=True)
class Asked:
    """What an address answered, and after how long, typically. counts: an answer that is none tells no time, unless it is late."""

    answer: Answer | None
    milliseconds: float
    counts: bool


def _answers(params: Params, state: State) -> dict[str, Asked]:
    """Through the proxy, and of each replica directly, all at once."""
    active = state.active
    if active is None or active.web is None:
        return {}
    health = Health(**params["health"])
    probe = HttpProbe(params["proxy"]["url"], params["proxy"]["host"], health, Clock())

    def through_proxy() -> tuple[Answer | None, bool, float]:
        answer, taken = probe.through_proxy()
        return answer, 200 <= answer.status < 300, taken

    def directly(port: int) -> tuple[Answer | None, bool, float]:
        return None, *probe.measure(port, health, active.release)

    def typical(ask: Callable[[], tuple[Answer | None, bool, float]]) -> Asked:
        began, seen = time.monotonic(), [ask()]
        while len(seen) < ATTEMPTS and time.monotonic() - began < MEASURING:
            seen.append(ask())
        taken = median(milliseconds for _answer, _good, milliseconds in seen)
        return Asked(seen[-1][0], taken, all(good for _answer, good, _taken in seen) or taken > params["max_latency_ms"])

    ports = Slot(active.slot, params["slots"][active.slot]).ports(active.servers)
    return gather({PROXY: partial(typical, through_proxy), **{f"port {port}": partial(typical, partial(directly, port)) for port in ports}})


def _unserved(params: Params, state: State, answers: Mapping[str, Asked]) -> list[str]:
    answer, active = answers[PROXY].answer, state.active
    if answer is None or active is None or (200 <= answer.status < 300 and answer.release == active.release):
        return []
    return [f"Through the proxy came {answer}; release {active.release} should answer on {Health(**params['health']).path}."]


def _times(answers: Mapping[str, Asked]) -> dict[str, Any]:
    direct = {name: each.milliseconds for name, each in answers.items() if name != PROXY and each.counts}
    proxied = answers.get(PROXY)
    nobody = Unread("nothing answered")
    return {"direct_ms": direct or nobody, "proxy_ms": proxied.milliseconds if proxied and proxied.counts else nobody}


def _serving(answers: Mapping[str, Asked]) -> dict[str, Any] | None:
    answer = answers[PROXY].answer if answers else None
    return {"release": answer.release, "status": answer.status, "error": answer.error} if answer else None


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
