# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a release, pure: its identity, what cannot be released without a gap, which slot is next, what to keep."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    SLOTS,
    ComposeFile,
    Migration,
    Occupant,
    Release,
    Secret,
    Server,
    Service,
    Slot,
    State,
)

JWT_SECRET_LENGTH = 64
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|PRIVATE", re.IGNORECASE)
_CREDENTIAL_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def make_release(
    version: str,
    images: Mapping[str, str],
    files: Sequence[ComposeFile],
    environment: Mapping[str, str],
    secrets: Sequence[Secret],
    services: Sequence[Service],
    migration: Migration | None,
    concealed: Sequence[str] = (),
) -> Release:
    """Name a release after everything that decides what runs.

    The number of replicas is no part of the identity: it is how much runs, not what.
    """
    content = {
        "version": version,
        "images": dict(images),
        "files": [[file.name, _sha256(file.content)] for file in files],
        # Environment values can be weak secrets, and the identity is public: make guessing them expensive.
        "environment": _slow_hash(json.dumps(dict(environment), sort_keys=True)),
        "secrets": sorted(secret.reference for secret in secrets),
        "services": [{**dataclasses.asdict(service), "replicas": None} for service in services],
        "migration": dataclasses.asdict(migration) if migration else None,
    }
    identity = f"{version}-{_sha256(json.dumps(content, sort_keys=True))[:10]}"
    return Release(identity, version, dict(images), tuple(files), dict(environment), tuple(secrets), tuple(services), migration, tuple(concealed))


def violations(
    files: Sequence[ComposeFile],
    services: Sequence[Service],
    environment: Mapping[str, str],
    secrets: Sequence[Secret],
    required: Sequence[str],
    slots: Mapping[str, Slot],
    migration: Migration | None = None,
) -> list[str]:
    """Everything that forbids this release, each with its place and its remedy."""
    found = [*_service_violations(services, slots)]
    for service in services:
        found += _definition_violations(service, files, {each.name for each in services})
    if migration and migration.service not in {service.name for service in services}:
        found.append(f"migration: service {migration.service} is not one of the services of the release; name one of them.")
    return [*found, *_environment_violations(environment, required), *_secret_violations(environment, secrets)]


def _service_violations(services: Sequence[Service], slots: Mapping[str, Slot]) -> Iterator[str]:
    web = [service for service in services if service.kind == "web"]
    if len(web) != 1:
        yield f"services: {len(web)} web services; an application has exactly one. Make each further one an application of its own."
    names = [service.name for service in services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"services: {name} is listed twice; list it once and use its replicas."
    distance = abs(slots["a"].first_port - slots["b"].first_port)
    for service in services:
        if service.replicas < 1:
            yield f"services.{service.name}: replicas is {service.replicas}; at least one must run."
        if service.kind == "web" and service.port is None:
            yield f"services.{service.name}: a web service needs port, the one it listens on inside its container."
        if service.kind == "web" and service.replicas > distance:
            yield f"services.{service.name}: {service.replicas} replicas do not fit between the slots, {distance} ports apart; move the slots apart."
        if service.stop_grace < service.job_timeout:
            yield (
                f"services.{service.name}: stop_grace is {service.stop_grace} s, shorter than job_timeout of {service.job_timeout} s:"
                f" a stop would kill jobs. Set stop_grace to {service.job_timeout} or more."
            )


def _definition_violations(service: Service, files: Sequence[ComposeFile], released: set[str]) -> Iterator[str]:
    definitions = [(file, definition) for file in files for name, definition in _section(file.model, "services").items() if name == service.name]
    if not definitions:
        known = ", ".join(sorted({name for file in files for name in _section(file.model, "services")})) or "none"
        yield f"{', '.join(file.name for file in files)}: services.{service.name} is not defined; defined are {known}. Correct the name in services."
    for file, definition in definitions:
        definition = definition or {}
        for key, reason in _rolled_twice(definition):
            yield f"{place(file, 'services', service.name, key)}: {reason}"
        for dependency in sorted(_names(definition.get("depends_on")) - released):
            yield (
                f"{place(file, 'services', service.name, 'depends_on')}: {dependency} is not one of the services of the release, so it would not be started."
                " List it as a worker, or run it outside the application (data services belong in a project of their own)."
            )
        for volume in sorted(_named_volumes(definition) - _shared_volumes(files)):
            yield (
                f"{place(file, 'services', service.name, 'volumes')}: volume {volume} would be another one in each slot, so data would stay behind."
                f" Give it a fixed name (volumes.{volume}.name) or declare it external."
            )


def _rolled_twice(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What two copies of a service cannot both have."""
    if "container_name" in definition:
        yield "container_name", "two slots run beside each other and cannot share one container name. Remove container_name; Compose names containers itself."
    if definition.get("network_mode") == "host":
        yield "network_mode", "two slots cannot listen on the same port of the host's network. Remove network_mode; the proxy reaches the slot over loopback."
    if any(_has_host_port(port) for port in definition.get("ports") or ()):
        yield "ports", "two slots cannot share a port of the host. Use expose, or ports without a host port; the proxy reaches the slot over loopback."


def _has_host_port(port: Any) -> bool:
    return port.get("published") is not None if isinstance(port, Mapping) else ":" in str(port)


def _named_volumes(definition: Mapping[str, Any]) -> set[str]:
    names = set()
    for volume in definition.get("volumes") or ():
        if isinstance(volume, Mapping):
            source = volume.get("source") if volume.get("type") == "volume" else None
        else:
            source, colon, _target = str(volume).partition(":")
            source = source if colon and source[:1] not in "./~$" else None
        if source:
            names.add(source)
    return names


def _shared_volumes(files: Sequence[ComposeFile]) -> set[str]:
    return {name for file in files for name, volume in _section(file.model, "volumes").items() if volume and (volume.get("external") or volume.get("name"))}


def _environment_violations(environment: Mapping[str, str], required: Sequence[str]) -> Iterator[str]:
    for name in required:
        if not environment.get(name) and not environment.get(f"{name}_FILE"):
            yield f"environment: {name} is required and neither it nor {name}_FILE has a value. Set one of them."
    for name, value in sorted(environment.items()):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield f"environment: {name!r} is not a name of a variable. Use letters, digits and underscores."
        if name == "RELEASE_ID":
            yield "environment: RELEASE_ID is set by the release itself. Remove it."
        if re.search(r"[\n\r\0]|\\'|\\$", value):
            yield (
                f"environment: {name} holds a line break, or a backslash before a quote or at its end, which an .env file cannot."
                f" Pass it as a secret and name its file in {name}_FILE."
            )
        if name.endswith("CORS_ORIGIN") and "*" in [origin.strip() for origin in value.split(",")]:
            yield f"environment: {name} is *, which lets every site call the application. Name the origins."
        if name.endswith("JWT_SECRET") and len(value) < JWT_SECRET_LENGTH:
            yield _short_jwt(f"environment: {name}", value)


def _secret_violations(environment: Mapping[str, str], secrets: Sequence[Secret]) -> Iterator[str]:
    names = [secret.name for secret in secrets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"secrets: {name} is listed twice. List it once."
    for secret in secrets:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", secret.name):
            yield f"secrets: {secret.name!r} is not usable as a file name. Use letters, digits, dots, underscores and hyphens."
        if not secret.version:
            yield f"secrets: {secret.name} has no version. Give the version that the store names, so that a new value is a new release."
        if not secret.value:
            yield f"secrets: {secret.name} is empty. Give its value."
        elif re.sub(r"[.-]", "_", secret.name).upper().endswith("JWT_SECRET") and len(secret.value) < JWT_SECRET_LENGTH:
            yield _short_jwt(f"secrets: {secret.name}", secret.value)
    for name, value in sorted(environment.items()):
        mounted = re.fullmatch(r"/run/secrets/([^/]+)", value) if name.endswith("_FILE") else None
        if mounted and mounted.group(1) not in names:
            yield f"environment: {name} names {value}, but no secret is called {mounted.group(1)}. Add it to secrets."


def _short_jwt(where: str, value: str) -> str:
    return f"{where} has {len(value)} characters; a JWT secret needs at least {JWT_SECRET_LENGTH}. Generate a longer one."


def place(file: ComposeFile, *path: str) -> str:
    """Where something stands: file, line where it can be found, and path."""
    line = line_of(file.content, path)
    return f"{file.name}{f':{line}' if line else ''}: {'.'.join(path)}"


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line of a key in block-style YAML; None where the text is written another way."""
    lines = text.splitlines()
    start, parent = 0, -1
    for key in path:
        pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*:""")
        for number in range(start, len(lines)):
            bare = lines[number].lstrip()
            indent = len(lines[number]) - len(bare)
            if not bare or bare.startswith("#"):
                continue
            if indent <= parent:
                return None
            if pattern.match(bare):
                start, parent = number + 1, indent
                break
        else:
            return None
    return start


def next_slot(active: Occupant | None) -> str:
    """The slot that does not serve."""
    return SLOTS[1] if active and active.slot == SLOTS[0] else SLOTS[0]


def wanted_states(slots: Mapping[str, Slot], servers: Mapping[str, Server], active: Occupant | None) -> dict[str, str]:
    """What the state of every server should be at rest; the ready ones first, so that something is always ready."""
    ready = slots[active.slot].servers(active.servers) if active else ()
    return {**dict.fromkeys(ready, "ready"), **{name: "maint" for name in sorted(servers) if name not in ready}}


def commit(committed: Sequence[str], active: str | None, target: str, origin: str | None) -> tuple[str, ...]:
    """The history after a release was committed.

    A release that is there already keeps its place, so that rolling back twice does not go forward again; one that was
    derived from another (same content, newer secrets) takes that one's place.
    """
    if target in committed:
        return tuple(committed)
    if origin in committed:
        return tuple(target if each == origin else each for each in committed)
    return (*(each for each in committed if each != active), *((active,) if active in committed else ()), target)


def rollback_target(state: State, wanted: str | None) -> str:
    """The release to go back to: the named one, or the last committed before the active one."""
    if wanted is not None:
        if wanted in state.committed:
            return wanted
        raise OpsError(
            f"Release {wanted} was never committed on this host or is no longer kept; kept are {', '.join(state.committed) or 'none'}.",
            kept=list(state.committed),
        )
    if state.active is None or state.active.release not in state.committed:
        raise OpsError("No committed release is active on this host, so there is none before it. Deploy first.")
    position = state.committed.index(state.active.release)
    if position == 0:
        raise OpsError(
            f"There is no committed release before {state.active.release} on this host. Name one of {', '.join(state.committed)}.", kept=list(state.committed)
        )
    return state.committed[position - 1]


def kept(state: State, keep: int) -> tuple[str, ...]:
    """The committed releases that stay startable: the newest ones, and always what serves and the one before it."""
    newest = set(state.committed[-keep:])
    if state.active and state.active.release in state.committed:
        position = state.committed.index(state.active.release)
        newest |= set(state.committed[max(position - 1, 0) : position + 1])
    return tuple(each for each in state.committed if each in newest)


def describe(release: Release | None) -> dict[str, Any] | None:
    """A release as a diff shows it; secrets as versions, values that look secret as fingerprints."""
    if release is None:
        return None
    return {
        "release": release.id,
        "images": dict(release.images),
        "files": {file.name: _sha256(file.content)[:12] for file in release.files},
        "environment": {
            name: fingerprint(value) if name in release.concealed or looks_secret(name, value) else value for name, value in sorted(release.environment.items())
        },
        "secrets": sorted(secret.reference for secret in release.secrets),
        "replicas": release.replicas,
        "migration": " ".join(release.migration.command) if release.migration else None,
    }


def looks_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name) and not name.endswith("_FILE")) or bool(_CREDENTIAL_IN_URL.search(value))


def fingerprint(value: str) -> str:
    """Tells two values apart and gives neither away: slow to compute and cut short."""
    return f"fingerprint:{_slow_hash(value)[:8]}"


def _slow_hash(text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"groundcrew.ops release", 50_000).hex()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _section(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return model.get(name) or {}


def _names(value: Any) -> set[str]:
    return set(value or ())
