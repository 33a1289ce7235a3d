# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's folder on the host.

::

    releases/<id>/             immutable: release.json, the Compose files as they came, .env, secrets/
    slots/{a,b}.json           which release sits in the slot; slots/{a,b}.override.json is what Compose adds for it
    state.json                 what serves, what is in progress, what was committed
    journal.jsonl              intent and outcome of every step
    logs/                      what a failed release said
    lease.json                 who may change something here, until when, under which token
"""

from __future__ import annotations

import base64
import dataclasses
import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder, write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import Journal
from ansible_collections.groundcrew.ops.plugins.module_utils._core.lease import Grant, Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release import composefile
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import (
    SLOTS,
    ComposeFile,
    Migration,
    Occupant,
    Pending,
    Release,
    Schema,
    Secret,
    Service,
    Slot,
    State,
    SupportFile,
)

DATA = "groundcrew-data"
REMEDY = "run again with -e compose_app_resume=forward to finish what it began, or with -e compose_app_resume=back to take that back"


def place(params: Mapping[str, Any]) -> str:
    """The application's folder, by a module's options."""
    return params.get("root") or f"/opt/groundcrew/{params['name']}"


class Store:
    """Reads never create anything; ``open`` makes the folders before the first write.

    secret_owner: the numeric user that the application runs as, who may read the secret files.
    lease_seconds: how long a run holds the lease without a sign of life.
    """

    def __init__(self, root: str | Path, *, secret_owner: int = 0, clock: Clock | None = None, lease_seconds: float = 60.0) -> None:
        self.root = Path(root)
        self._lease = Lease(self.root / "lease.json", seconds=lease_seconds, clock=clock, remedy=REMEDY)
        self._secret_owner = secret_owner
        self._clock = clock or Clock()
        self._journal = Journal(self.root / "journal.jsonl", self._clock)

    @contextmanager
    def open(self, run: str, *, steal: bool = False, wait: float = 0.0, controller: str = "", orphan: str = "") -> Iterator[None]:
        """Make the folders and hold the lease, or say who holds it.

        A run that leaves a release in progress on purpose keeps the lease for its next call. One that fails gives it back: what it
        left is the next run's to finish.
        steal: take the lease from whoever has it. wait: seconds to wait for a run that shows no process on this host.
        controller: the process that makes this run's calls. orphan: a run whose controller is gone.
        """
        with self._room():
            for folder in ("releases", "slots", "logs"):
                (self.root / folder).mkdir(parents=True, exist_ok=True, mode=0o755)
            self._lease.take(run, holder(), steal=steal, wait=wait, controller=controller, orphan=orphan)
            try:
                with self._lease.beating():
                    yield
                if self.root.exists() and self.read().pending:
                    self._lease.pause()
            finally:
                if self.root.exists():
                    self._lease.drop()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """A disk that takes nothing more is no defect of ours: say so."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            raise OpsError(
                f"{self.root} cannot be written: {error.strerror}. Make room there and run again: that finishes or takes back what this run began."
            ) from error

    def leave(self, point: str) -> None:
        """Asked at each named point, before something outside changes. Raises Fenced when the lease went to somebody else."""
        self._lease.check()

    def lease(self) -> Grant:
        return self._lease.read()

    # state

    def read(self) -> State:
        raw = self._load("state.json") or {}
        pending = raw.get("pending")
        return State(
            active=_occupant(raw.get("active")),
            pending=Pending(**{**pending, "target": Occupant(**pending["target"])}) if pending else None,
            committed=tuple(raw.get("committed", ())),
            migrated=tuple(raw.get("migrated", ())),
            schema=_schema(raw.get("schema")),
        )

    def write(self, state: State) -> None:
        """Nobody else's lease can begin between the look at the token and the write."""
        with self._lease.guard():
            self._save("state.json", dataclasses.asdict(state))

    def seat(self, occupant: Occupant) -> None:
        """Write which release sits in a slot, before it is started there."""
        self._save(f"slots/{occupant.slot}.json", dataclasses.asdict(occupant))

    def seats(self) -> dict[str, Occupant]:
        found = {slot: _occupant(self._load(f"slots/{slot}.json")) for slot in SLOTS}
        return {slot: occupant for slot, occupant in found.items() if occupant}

    def note(self, kind: str, **fields: Any) -> None:
        self._journal.append(kind, **fields)

    def journal(self, last: int) -> list[dict[str, Any]]:
        return self._journal.read()[-last:] if last else []

    # releases

    def folder(self, release: str) -> Path:
        return self.root / "releases" / release

    def has(self, release: str) -> bool:
        return (self.folder(release) / "release.json").exists()

    def add(self, release: Release, origin: str | None) -> None:
        """Store a release for good; one that is there already stays as it is."""
        if self.has(release.id):
            return
        folder = self.folder(release.id)
        building = folder.with_name(f".{release.id}.building")
        shutil.rmtree(building, ignore_errors=True)
        (building / "secrets").mkdir(parents=True, mode=0o755)
        for file in release.files:
            _write_below(building, file.name, file.content.encode(), 0o644)
        for support in release.support:
            _write_below(building, support.name, base64.b64decode(support.content), support.mode)
        write_atomic(building / ".env", render_environment(release.environment), mode=0o600)
        for secret in release.secrets:
            write_atomic(building / "secrets" / secret.name, secret.value, mode=0o400)
            os.chown(building / "secrets" / secret.name, self._secret_owner, -1)
        record = {
            **dataclasses.asdict(release),
            "origin": origin,
            "files": [{"name": file.name, "model": file.model, "part": file.part} for file in release.files],
            "support": [{"name": support.name, "mode": support.mode} for support in release.support],
            "secrets": [{"name": secret.name, "version": secret.version} for secret in release.secrets],
        }
        write_atomic(building / "release.json", json.dumps(record, indent=1, sort_keys=True), mode=0o600)
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
        sync_folder(folder.parent)

    def load(self, release: str) -> Release:
        """A stored release, with the values of its secrets."""
        if not self.has(release):
            raise OpsError(f"Release {release} is not stored below {self.root}; it was removed, or never prepared here.")
        folder = self.folder(release)
        raw = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        return Release(
            id=raw["id"],
            version=raw["version"],
            images=raw["images"],
            files=tuple(ComposeFile(**file, content=(folder / file["name"]).read_text(encoding="utf-8")) for file in raw["files"]),
            environment=raw["environment"],
            secrets=tuple(Secret(each["name"], each["version"], (folder / "secrets" / each["name"]).read_text(encoding="utf-8")) for each in raw["secrets"]),
            services=tuple(Service(**service) for service in raw["services"]),
            migration=Migration(**{**raw["migration"], "command": tuple(raw["migration"]["command"])}) if raw["migration"] else None,
            concealed=tuple(raw["concealed"]),
            support=tuple(SupportFile(**each, content=base64.b64encode((folder / each["name"]).read_bytes()).decode()) for each in raw["support"]),
            schema=_schema(raw.get("schema")),
        )

    def origin(self, release: str) -> str | None:
        """The release that this one was derived from."""
        origin: str | None = (self._load(f"releases/{release}/release.json") or {}).get("origin")
        return origin

    def prune(self, keep: Sequence[str]) -> list[str]:
        """Remove every stored release but these."""
        removed = [folder.name for folder in (self.root / "releases").iterdir() if folder.name not in keep]
        for name in removed:
            shutil.rmtree(self.root / "releases" / name)
        return sorted(removed)

    # what Compose is given

    def override_path(self, slot: str) -> Path:
        return self.root / "slots" / f"{slot}.override.json"

    def write_override(self, app: str, release: Release, slot: Slot) -> None:
        self._save(f"slots/{slot.name}.override.json", override(app, release, slot, self.folder(release.id)), mode=0o644)

    def write_data_override(self, app: str, release: Release) -> Path:
        self._save("slots/data.override.json", data_override(app, release), mode=0o644)
        return self.root / "slots" / "data.override.json"

    def log_path(self, name: str) -> Path:
        return self.root / "logs" / name

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def _load(self, name: str) -> Any:
        try:
            return json.loads((self.root / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise OpsError(f"{self.root / name} is damaged: {error}. Restore it, or remove the application and deploy again.") from error

    def _save(self, name: str, value: Any, *, mode: int = 0o600) -> None:
        write_atomic(self.root / name, json.dumps(value, indent=1, sort_keys=True) + "\n", mode=mode)


def override(app: str, release: Release, slot: Slot, folder: Path) -> dict[str, Any]:
    """What a slot adds to the user's files: ports on loopback, images by digest, secrets, labels, the identity, and the way to the data services.

    A named volume is the application's, not the slot's: both slots have it, under the name that one project of Compose would give it.
    """
    mounts = [f"{folder}/secrets/{secret.name}:/run/secrets/{secret.name}:ro" for secret in release.secrets]
    services: dict[str, Any] = {}
    for service in release.services:
        if service.kind == "data":
            continue
        services[service.name] = {
            "image": release.images[service.name],
            "environment": {"RELEASE_ID": release.id},
            "labels": {"groundcrew.application": app, "groundcrew.release": release.id, "groundcrew.slot": slot.name, "groundcrew.service": service.name},
            "stop_grace_period": f"{service.stop_grace}s",
            **({"volumes": mounts} if mounts else {}),
            **({"networks": attached(app, release, service.name)} if release.data else {}),
        }
        if not any("restart" in (_definition(file, service.name)) for file in release.files):
            services[service.name]["restart"] = "unless-stopped"
        if service.kind == "web":
            ports = slot.ports(service.replicas)
            published = str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"
            services[service.name]["ports"] = [{"target": service.port, "published": published, "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "host"}]
    shared = {"networks": {DATA: {"name": f"{app}-data", "external": True}}} if release.data else {}
    return {"services": services, **_volumes(app, release), **shared}


def data_override(app: str, release: Release) -> dict[str, Any]:
    """What the project of the data services adds: a network that the slots share with it."""
    services = {
        service.name: {
            "networks": attached(app, release, service.name),
            "labels": {"groundcrew.data": app, "groundcrew.service": service.name},
        }
        for service in release.data
    }
    return {"services": services, **_volumes(app, release), "networks": {DATA: {"name": f"{app}-data"}}}


def attached(app: str, release: Release, service: str) -> dict[str, Any]:
    """The networks of a service that Compose would give it, and the one to the data services."""
    return {**{name: {} for name in composefile.networks(service, release.files) or ("default",)}, DATA: {}}


def _volumes(app: str, release: Release) -> dict[str, Any]:
    unnamed = [name for name, volume in composefile.volumes(release.files).items() if not volume.get("external") and not volume.get("name")]
    return {"volumes": {name: {"name": f"{app}_{name}"} for name in unnamed}} if unnamed else {}


def render_environment(environment: Mapping[str, str]) -> str:
    """An ``.env`` file in which every value is literal: no interpolation, no comment, no stripping."""
    return "".join("{}='{}'\n".format(name, value.replace("'", "\\'")) for name, value in sorted(environment.items()))


def _write_below(folder: Path, name: str, content: bytes, mode: int) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    write_atomic(path, content, mode=mode)


def _definition(file: ComposeFile, service: str) -> Mapping[str, Any]:
    return (file.model.get("services") or {}).get(service) or {}


def _occupant(raw: Mapping[str, Any] | None) -> Occupant | None:
    return Occupant(**raw) if raw else None


def _schema(raw: Mapping[str, Any] | None) -> Schema | None:
    return Schema(**raw) if raw else None


def holder() -> str:
    """Who runs this, for whoever is kept waiting."""
    user = os.environ.get("SUDO_USER") or os.environ.get("USER") or str(os.getuid())
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{user} from {client}" if client else f"{user} on {socket.gethostname()}"
