# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's Compose files say about a release, pure: what a service brings with it, and what forbids rolling it.

The files are never changed. A rolled service runs twice for a while, so what two copies cannot share is refused here, with
file, line and remedy.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import ComposeFile, Migration, Service, Slot

STOP_GRACE = 30
_INTERPOLATION = re.compile(r"\$\{[^}]*\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001}

Definition = tuple[ComposeFile, str, Mapping[str, Any]]


def complete(service: Mapping[str, Any], files: Sequence[ComposeFile]) -> Service:
    """A service with what its options leave open taken from its definition, as Compose itself reads it."""
    merged: dict[str, Any] = {}
    for _file, _name, definition in reversed(list(definitions(service["name"], files))):
        merged.update(definition)
    given = {name: value for name, value in service.items() if value is not None}
    replicas = (merged.get("deploy") or {}).get("replicas", merged.get("scale", 1))
    grace = seconds(merged["stop_grace_period"]) if "stop_grace_period" in merged else STOP_GRACE
    image = "" if given["kind"] == "data" else given.get("image", str(merged.get("image", "")))
    return Service(**{"replicas": _whole(replicas, 1), "stop_grace": grace, **given, "image": image})


def definitions(service: str, files: Sequence[ComposeFile]) -> Iterator[Definition]:
    """Where a service is defined: in the files themselves, last one first, then in what these extend or include."""
    asked = [(file, service) for file in reversed(files) if service in _section(file.model, "services")]
    seen = set()
    while asked:
        file, name = asked.pop(0)
        if (file.name, name) in seen:
            continue
        seen.add((file.name, name))
        definition = _section(file.model, "services").get(name) or {}
        yield file, name, definition
        extended = definition.get("extends")
        extended = {"service": extended} if isinstance(extended, str) else extended or {}
        if extended:
            source = _normal(extended["file"], file) if "file" in extended else file.name
            asked += [(each, extended["service"]) for each in files if each.name == source and extended["service"] in _section(each.model, "services")]


class Reference(NamedTuple):
    """A path beside the Compose files that one of them names. where: its place in the file."""

    path: str
    where: tuple[str, ...]
    optional: bool = False


def references(file: ComposeFile) -> list[Reference]:
    """The files that a Compose file needs; ``.env`` is not among them, a release writes that one."""
    found: list[Reference] = []

    def add(path: Any, *where: str, optional: bool = False) -> None:
        if isinstance(path, str) and path and not path.startswith(("/", "~")) and "$" not in path and _normal(path, file) != ".env":
            found.append(Reference(_normal(path, file), where, optional))

    for name, definition in _section(file.model, "services").items():
        definition = definition or {}
        env_files = definition.get("env_file") or ()
        for each in [env_files] if isinstance(env_files, (str, Mapping)) else env_files:
            if isinstance(each, Mapping):
                add(each.get("path"), "services", name, "env_file", optional=each.get("required") is False)
            else:
                add(each, "services", name, "env_file")
        for volume in definition.get("volumes") or ():
            add(_bind_source(volume), "services", name, "volumes")
    for section in ("configs", "secrets"):
        for name, entry in _section(file.model, section).items():
            add((entry or {}).get("file"), section, name, "file")
    return found


def parts(file: ComposeFile) -> list[Reference]:
    """The further Compose files that one of them extends or includes."""
    found: list[Reference] = []
    for name, definition in _section(file.model, "services").items():
        extended = (definition or {}).get("extends")
        if isinstance(extended, Mapping) and "file" in extended:
            found.append(Reference(_normal(extended["file"], file), ("services", name, "extends")))
    for each in file.model.get("include") or ():
        paths = each.get("path") if isinstance(each, Mapping) else each
        for path in [paths] if isinstance(paths, str) else paths or ():
            found.append(Reference(_normal(path, file), ("include",)))
    return found


def violations(
    files: Sequence[ComposeFile], services: Sequence[Service], slots: Mapping[str, Slot], migration: Migration | None, shipped: Sequence[str]
) -> list[str]:
    """Everything in files and services that forbids this release. shipped: the names of the files beside the Compose files."""
    found = [*_service_violations(services, slots)]
    for service in services:
        found += _definition_violations(service, files, {each.name for each in services})
    if migration and migration.service not in {service.name for service in services if service.kind != "data"}:
        found.append(f"migration: service {migration.service} is not one of the services that are released; name one of them.")
    present = {*shipped, *(file.name for file in files)}
    for file in files:
        for needed in (*references(file), *parts(file)):
            if not needed.optional and not any(name == needed.path or name.startswith(f"{needed.path}/") for name in present):
                found.append(
                    f"{place(file, *needed.where)}: {needed.path} is not beside the Compose files, so a release would not have it."
                    " Put it there; for data that outlives a release use a named volume or an absolute path."
                )
    return found


def _service_violations(services: Sequence[Service], slots: Mapping[str, Slot]) -> Iterator[str]:
    web = [service for service in services if service.kind == "web"]
    if len(web) > 1:
        yield f"services: {len(web)} web services; an application has one. Make each further one an application of its own."
    if not any(service.kind != "data" for service in services):
        yield "services: none is released. Name a web service, a worker, or both."
    names = [service.name for service in services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"services: {name} is listed twice; list it once and use its replicas."
    distance = abs(slots["a"].first_port - slots["b"].first_port)
    for service in services:
        if service.replicas < 1:
            yield f"services.{service.name}: replicas is {service.replicas}; at least one must run."
        if service.single and (service.kind != "worker" or service.replicas > 1):
            yield f"services.{service.name}: single is for a worker of one replica; this is {service.kind} with {service.replicas}. Correct one of them."
        if service.kind == "web" and service.port is None:
            yield f"services.{service.name}: a web service needs port, the one it listens on inside its container."
        if service.kind == "web" and service.replicas > distance:
            yield f"services.{service.name}: {service.replicas} replicas do not fit between the slots, {distance} ports apart; move the slots apart."


def _definition_violations(service: Service, files: Sequence[ComposeFile], named: set[str]) -> Iterator[str]:
    found = list(definitions(service.name, files))
    if not found:
        known = ", ".join(sorted({name for file in files for name in _section(file.model, "services")})) or "none"
        yield f"{', '.join(file.name for file in files)}: services.{service.name} is not defined; defined are {known}. Correct the name in services."
    for file, name, definition in found if service.kind != "data" else ():
        for key, reason in _rolled_twice(definition):
            yield f"{place(file, 'services', name, key)}: {reason}"
        for where, reason in _fixed_networks(name, definition, file):
            yield f"{place(file, *where)}: {reason}"
        for dependency in sorted(set(definition.get("depends_on") or ()) - named):
            yield (
                f"{place(file, 'services', name, 'depends_on')}: {dependency} is not one of the services of the release, so it would not be started."
                " List it as a worker, or with kind data if it keeps data and no release may touch it."
            )
    if found and service.stop_grace < service.job_timeout:
        file, name, definition = next((each for each in found if "stop_grace_period" in each[2]), found[0])
        yield (
            f"{place(file, 'services', name, 'stop_grace_period')}: containers of {service.name} get {service.stop_grace} s to end, and a job may take"
            f" {service.job_timeout} s: a stop would kill jobs. Set stop_grace_period to {service.job_timeout}s or more."
        )


def _rolled_twice(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What two copies of a service cannot both have."""
    if "container_name" in definition:
        yield "container_name", "two slots run beside each other and cannot share one container name. Remove container_name; Compose names containers itself."
    if definition.get("network_mode") == "host":
        yield "network_mode", "two slots cannot listen on the same port of the host's network. Remove network_mode; the proxy reaches the slot over loopback."
    if any(_has_host_port(port) for port in definition.get("ports") or ()):
        yield "ports", "two slots cannot share a port of the host. Use expose, or ports without a host port; the proxy reaches the slot over loopback."


def _fixed_networks(service: str, definition: Mapping[str, Any], file: ComposeFile) -> Iterator[tuple[tuple[str, ...], str]]:
    """Networks that cannot exist once for each slot, and addresses that cannot be given twice."""
    used = definition.get("networks") or {}
    for name in used:
        options = (used[name] or {}) if isinstance(used, Mapping) else {}
        network = _section(file.model, "networks").get(name) or {}
        if "ipv4_address" in options or "ipv6_address" in options:
            yield (
                ("services", service, "networks", name),
                f"network {name} gives a fixed address, which two slots cannot share. Remove the address; services find each other by name.",
            )
        if not network.get("external") and any("subnet" in each for each in (network.get("ipam") or {}).get("config") or ()):
            yield ("networks", name, "ipam"), f"network {name} has a fixed subnet, and each slot has a network of its own. Remove ipam, or declare it external."


def _has_host_port(port: Any) -> bool:
    return port.get("published") is not None if isinstance(port, Mapping) else ":" in _INTERPOLATION.sub("", str(port))


def _bind_source(volume: Any) -> str | None:
    """The host's side of a bind mount; None for a volume."""
    if isinstance(volume, Mapping):
        return str(volume.get("source", "")) if volume.get("type") == "bind" else None
    source, colon, _target = str(volume).partition(":")
    return source if colon and source.startswith((".", "/", "~")) else None


def volumes(files: Sequence[ComposeFile]) -> dict[str, Mapping[str, Any]]:
    """The named volumes of all files, as declared."""
    return {name: volume or {} for file in files for name, volume in _section(file.model, "volumes").items()}


def networks(service: str, files: Sequence[ComposeFile]) -> tuple[str, ...]:
    """The networks that a service names; none means the project's default one."""
    return tuple(dict.fromkeys(name for _file, _name, definition in definitions(service, files) for name in definition.get("networks") or ()))


def seconds(duration: Any) -> int:
    """A Compose duration such as 1m30s in whole seconds; a bare number is seconds."""
    text = str(duration).strip()
    return round(float(text)) if re.fullmatch(r"\d+(\.\d+)?", text) else round(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)))


def place(file: ComposeFile, *path: str) -> str:
    """Where something stands: file, line, and path."""
    line = line_of(file.content, path)
    return f"{file.name}{f':{line}' if line else ''}: {'.'.join(path)}"


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line of a key in block-style YAML, or of the last key on its path that has a line of its own."""
    lines = text.splitlines()
    start, parent = 0, -1
    for key in path:
        level = None
        pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*:""")
        for number in range(start, len(lines)):
            bare = lines[number].lstrip()
            indent = len(lines[number]) - len(bare)
            if not bare or bare.startswith("#"):
                continue
            if indent <= parent:
                return start or None
            level = indent if level is None else level
            if indent == level and pattern.match(bare):
                start, parent = number + 1, indent
                break
        else:
            return start or None
    return start


def _normal(path: str, file: ComposeFile) -> str:
    """A path as it is below the project's folder; what a part names is beside the part."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.name) if file.part else "", path))


def _whole(value: Any, otherwise: int) -> int:
    return int(value) if str(value).isdigit() else otherwise


def _section(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return model.get(name) or {}
