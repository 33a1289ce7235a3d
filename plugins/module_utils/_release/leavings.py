# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine holds that nobody needs any more: containers, images, volumes and build cache, of every application and of none. Pure.

Whatever belongs to an application is its releases' to remove. What a release that serves, is in progress, stands by or is kept for a rollback needs
stays, and so does what any container has that stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.groundcrew.ops.plugins.module_utils._release.prune import Image, removable

# How the engine names a volume that nobody gave a name.
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Rules:
    """hours: how long something has to be out of use. images: "unnamed", "unused" or "none"."""

    hours: float = 168
    containers: bool = True
    images: str = "unnamed"
    volumes: bool = False
    build_cache: bool = True


@dataclass(frozen=True)
class Container:
    """hours: since it ended, or was made and never started. stays: it runs, is to be started by the engine, or belongs to an application."""

    id: str
    name: str
    image: str
    volumes: frozenset[str]
    stays: bool
    hours: float


@dataclass(frozen=True)
class Volume:
    name: str
    hours: float


@dataclass(frozen=True)
class Cache:
    """A record of the build cache. parents: the records that it is built on."""

    id: str
    parents: frozenset[str]
    in_use: bool
    hours: float
    size: str = ""


@dataclass(frozen=True)
class Engine:
    """ages: hours of each image, by its id."""

    containers: Sequence[Container] = ()
    images: Sequence[Image] = ()
    ages: dict[str, float] | None = None
    volumes: Sequence[Volume] = ()
    cache: Sequence[Cache] = ()


def leavings(engine: Engine, needed: Collection[str], rules: Rules) -> Engine:
    """What goes. needed: references of images that releases need."""
    gone = [each for each in engine.containers if rules.containers and not each.stays and each.hours >= rules.hours]
    staying = [each for each in engine.containers if each not in gone]
    ages = engine.ages or {}
    old = [image for image in engine.images if ages.get(image.id, 0) >= rules.hours and (rules.images == "unused" or not image.references)]
    images = removable(old, {each.image for each in staying}, needed, None) if rules.images != "none" else []
    mounted = {volume for each in staying for volume in each.volumes}
    volumes = [each for each in engine.volumes if ANONYMOUS.fullmatch(each.name) and each.name not in mounted and each.hours >= rules.hours]
    return Engine(gone, images, None, volumes if rules.volumes else (), _unused(engine.cache, rules.hours) if rules.build_cache else ())


def _unused(cache: Sequence[Cache], hours: float) -> list[Cache]:
    """Records of a while ago; what a younger one is built on is as young as that."""
    staying = {each.id for each in cache if each.in_use or each.hours < hours}
    parents = {each.id: each.parents for each in cache}
    reached = set(staying)
    while reached:
        reached = {parent for each in reached for parent in parents.get(each, ())} - staying
        staying |= reached
    return [each for each in cache if each.id not in staying]
