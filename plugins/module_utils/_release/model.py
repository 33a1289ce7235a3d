# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of. Frozen, comparable, without behavior that touches a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SLOTS = ("a", "b")


@dataclass(frozen=True)
class ComposeFile:
    """One of the user's Compose files: its name, its text as it is, and what the text says.

    name: path below the folder of the first file.
    part: Compose is not given it; another one extends or includes it.
    """

    name: str
    content: str
    model: Mapping[str, Any]
    part: bool = False


@dataclass(frozen=True)
class SupportFile:
    """A file beside the Compose files that one of them needs, such as an env_file or a mounted configuration. content: in base64."""

    name: str
    content: str = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True)
class Service:
    """A service of the Compose files.

    kind: "web" (behind the proxy) and "worker" are rolled by a release; "data" is started once and never touched again.
    image: reference with a tag, as the registry knows it; a data service runs the image of its Compose file.
    port: what a web service listens on inside its container.
    stop_grace, job_timeout: seconds.
    single: a worker that may run only once, such as a scheduler: the old one ends before the new one starts.
    """

    name: str
    kind: str
    image: str
    port: int | None = None
    replicas: int = 1
    stop_grace: int = 30
    job_timeout: int = 0
    single: bool = False


@dataclass(frozen=True)
class Secret:
    """A secret that becomes a file. Only name and version are ever shown or stored in a record."""

    name: str
    version: str
    value: str = field(repr=False, default="")

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Migration:
    """A command that runs once in the new image, before the new release starts. timeout: seconds."""

    service: str
    command: tuple[str, ...]
    timeout: int = 600


@dataclass(frozen=True)
class Schema:
    """What a release's migration makes of the database.

    version: rises with each change of the schema. oldest: releases of this version of the schema and later still work with it.
    """

    version: int
    oldest: int


@dataclass(frozen=True)
class Health:
    """How a slot proves that it can take traffic.

    path: answers 2xx when the application is ready.
    release_path: answers JSON with ``release``, asked when answers carry no ``X-Release`` header.
    successes: consecutive good answers of each replica. timeout, interval: seconds.
    """

    path: str = "/health/ready"
    release_path: str = "/health/status"
    successes: int = 3
    timeout: float = 60.0
    interval: float = 0.1


@dataclass(frozen=True)
class Canary:
    """A share of the traffic for a new slot before it gets all of it. weight: percent; 0 is none. seconds: how long the two are compared."""

    weight: float = 0.0
    seconds: float = 10.0


@dataclass(frozen=True)
class Release:
    """Everything that decides what runs. The identity is a digest of it, so equal releases have equal ids.

    images: service name to image pinned by digest.
    concealed: names in the environment whose values are never shown.
    """

    id: str
    version: str
    images: Mapping[str, str]
    files: tuple[ComposeFile, ...]
    environment: Mapping[str, str]
    secrets: tuple[Secret, ...]
    services: tuple[Service, ...]
    migration: Migration | None = None
    concealed: tuple[str, ...] = ()
    support: tuple[SupportFile, ...] = ()
    schema: Schema | None = None

    @property
    def web(self) -> Service | None:
        """The service behind the proxy; an application of workers alone has none."""
        return next((service for service in self.services if service.kind == "web"), None)

    @property
    def data(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.kind == "data")

    @property
    def workers(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.kind == "worker")

    @property
    def singles(self) -> tuple[str, ...]:
        return tuple(service.name for service in self.workers if service.single)

    @property
    def replicas(self) -> dict[str, int]:
        """Of what is rolled."""
        return {service.name: service.replicas for service in self.services if service.kind != "data"}

    def sized(self, replicas: Mapping[str, int]) -> Release:
        """The same release with other numbers: they are no part of its identity, so what is stored may have older ones."""
        return replace(self, services=tuple(replace(service, replicas=replicas.get(service.name, service.replicas)) for service in self.services))

    def occupy(self, slot: str) -> Occupant:
        return Occupant(slot, self.id, self.web.name if self.web else None, self.replicas)


@dataclass(frozen=True)
class Slot:
    """A place for one release on a host: fixed ports on loopback, one for each replica of the web service."""

    name: str
    first_port: int

    def ports(self, replicas: int) -> tuple[int, ...]:
        return tuple(range(self.first_port, self.first_port + replicas))

    def servers(self, replicas: int) -> tuple[str, ...]:
        """The names of the proxy's servers for the replicas."""
        return tuple(f"{self.name}{number}" for number in range(1, replicas + 1))


@dataclass(frozen=True)
class Occupant:
    """A release that sits in a slot, with its replicas by service. web: the service behind the proxy, if there is one."""

    slot: str
    release: str
    web: str | None
    replicas: Mapping[str, int]

    @property
    def servers(self) -> int:
        return self.replicas[self.web] if self.web else 0


@dataclass(frozen=True)
class Pending:
    """A release in progress: enough to finish it or to take it back after a crash.

    state: what is being done, written before it is done; since: seconds since the epoch. switched: the proxy may have been told.
    rollback: to a release that was committed before. origin: the stored release that the target was derived from.
    """

    run: str
    state: str
    target: Occupant
    switched: bool = False
    rollback: bool = False
    origin: str | None = None
    since: float = 0.0


@dataclass(frozen=True)
class State:
    """What the host remembers of an application.

    active: what serves. committed: ids of releases that were committed, oldest first, each once.
    migrated: ids whose migration has succeeded. schema: what the newest of them made of the database.
    """

    active: Occupant | None = None
    pending: Pending | None = None
    committed: tuple[str, ...] = ()
    migrated: tuple[str, ...] = ()
    schema: Schema | None = None


@dataclass(frozen=True)
class Container:
    """A container of the application, as the engine reports it."""

    slot: str
    service: str
    release: str
    running: bool


@dataclass(frozen=True)
class Server:
    """A server of the proxy's backend. state: "ready", "drain" or "maint". weighted: it has another weight than usual."""

    name: str
    state: str
    port: int
    weighted: bool = False


@dataclass(frozen=True)
class Answer:
    """What an HTTP probe saw. status: 0 when nothing answered; then ``error`` says why."""

    status: int
    release: str | None = None
    error: str = ""

    def __str__(self) -> str:
        return f"HTTP {self.status} from release {self.release or 'unknown'}" if self.status else self.error
