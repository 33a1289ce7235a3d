# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove images that no release needs any more.

An image goes only when no container has it, running or stopped, and no release that can still be started names it: what serves, what is in
progress, what sits in a slot, and every release that is kept for a rollback, of each application on the host. Images of other repositories
are other people's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import State
from ansible_collections.groundcrew.ops.plugins.module_utils._release.registry import parse
from ansible_collections.groundcrew.ops.plugins.module_utils._release.store import Store, place

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Image:
    """An image of the engine. references: by tag and by digest; none means that nothing names it any more. size: bytes."""

    id: str
    references: tuple[str, ...]
    size: int = 0


def startable(state: State, seated: Collection[str]) -> set[str]:
    """The ids of the releases that may be started again without a pull."""
    now = [occupant.release for occupant in (state.active, state.pending.target if state.pending else None) if occupant]
    return {*now, *state.committed, *seated}


def removable(images: Sequence[Image], used: Collection[str], needed: Collection[str], repositories: Collection[str] | None) -> list[Image]:
    """What can go. used: ids of images that containers have. needed: references of releases. repositories: whose images are ours to remove, None for all."""
    wanted = {_canonical(reference) for reference in needed}
    return [
        image
        for image in images
        if image.id not in used
        and not wanted & {_canonical(reference) for reference in image.references}
        and (repositories is None or all(_repository(reference) in repositories for reference in image.references))
    ]


def _canonical(reference: str) -> str:
    image = parse(reference)
    return f"{image.registry}/{image.repository}@{image.digest}" if image.digest else f"{image.registry}/{image.repository}:{image.tag or 'latest'}"


def _repository(reference: str) -> str:
    image = parse(reference)
    return f"{image.registry}/{image.repository}"


class Prune:
    """An operation on the images of one application. It holds the lease, so that no release begins meanwhile."""

    def __init__(self, params: Params, runner: Runner | None = None) -> None:
        self._name = params["name"]
        self._runner = runner or Runner()
        self._going: list[Image] = []
        self._store = Store(place(params))

    def plan(self) -> Plan:
        images, _said = engine_images(self._runner)
        # While a release is in progress nothing goes: it may be about to start what it pulled.
        self._going = [] if self._store.read().pending else removable(images, self._used(), *self._needed())
        before = {"images": {image.id: list(image.references) for image in images if image in self._going}}
        steps = tuple(f"remove image {', '.join(image.references) or image.id} ({image.size // 2**20} MiB)" for image in self._going)
        return Plan("prune" if steps else "none", before, {"images": {}} if steps else before, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        with self._store.open(uuid.uuid4().hex[:12]):
            if self._store.read().pending:
                raise OpsError(f"A release of {self._name} began in the meantime; no image was removed. Run again when it is over.")
            for image in self._going:
                remove(image, self._runner)
            self._store.note("pruned", images=[list(image.references) or [image.id] for image in self._going])
        return self.result(planned)

    def result(self, planned: Plan) -> Mapping[str, Any]:
        return {"removed": [list(image.references) or [image.id] for image in self._going], "freed_mib": sum(image.size for image in self._going) // 2**20}

    def _needed(self) -> tuple[set[str], set[str]]:
        """References that releases need, of every application on this host, and the repositories of this one's."""
        own = needed([self._store])
        return own | needed(stores(self._store.root.parent)), {_repository(reference) for reference in own}

    def _used(self) -> set[str]:
        containers = self._runner.run(["docker", "ps", "--all", "--quiet", "--no-trunc"]).stdout.split()
        # One that goes in this moment is asked for alone, and is no error.
        asked = self._runner.run(["docker", "inspect", "--type", "container", "--format", "{{.Image}}", *containers], check=False) if containers else None
        return set(asked.stdout.split()) if asked else set()


def engine_images(runner: Runner) -> tuple[list[Image], list[dict[str, Any]]]:
    """The images of the engine, and all that it says of them."""
    ids = sorted(set(runner.run(["docker", "image", "ls", "--quiet", "--no-trunc"]).stdout.split()))
    found = json.loads(runner.run(["docker", "image", "inspect", *ids]).stdout) if ids else []
    return [Image(each["Id"], (*(each["RepoTags"] or ()), *(each["RepoDigests"] or ())), each["Size"]) for each in found], found


def remove(image: Image, runner: Runner) -> None:
    """Without force the engine itself refuses an image that a container has."""
    for reference in image.references or (image.id,):
        runner.run(["docker", "image", "rm", reference], timeout=300)


def needed(applications: Iterable[Store]) -> set[str]:
    """References of the images without which a release could not be started again."""
    found: set[str] = set()
    for store in applications:
        for release in startable(store.read(), [occupant.release for occupant in store.seats().values()]):
            if store.has(release):
                found |= set(store.load(release).images.values())
    return found


def stores(folder: Path) -> list[Store]:
    """The applications below a folder."""
    return [Store(each) for each in sorted(folder.iterdir()) if Path(each, "state.json").exists()] if folder.exists() else []
