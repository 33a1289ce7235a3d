# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that processes run into before the host does: of open files, and of the memory of their control group, in both versions. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CONTAINER = re.compile(r"(?:docker-)?([0-9a-f]{64})(?:\.scope)?")
_FILES = re.compile(r"^Max open files\s+(\d+)", re.M)


@dataclass(frozen=True)
class Names:
    """Where a version of control groups keeps what is asked here. inactive: what the kernel gives back when memory is short."""

    folder: str
    most: str
    used: str
    inactive: str
    kills: str


SECOND = Names("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file", "memory.events")
FIRST = Names("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control")


@dataclass(frozen=True)
class Group:
    """A control group's memory in bytes. most: 0 without a limit. kills: how many of its processes were killed for want of memory."""

    name: str
    used: int
    most: int
    kills: int


def groups(root: Path) -> list[Group]:
    """Of every process, and those around them."""
    found: dict[str, Names] = {}
    for path in root.glob("proc/[0-9]*/cgroup"):
        for line in _text(path).splitlines():
            _number, controllers, name = line.split(":", 2)
            kind = FIRST if "memory" in controllers.split(",") else SECOND if not controllers else None
            while kind and name not in found and name != "/":
                found[name] = kind
                name = name.rpartition("/")[0] or "/"
    return sorted((group for name, kind in found.items() if (group := _group(root, name, kind))), key=lambda group: group.name)


def _group(root: Path, name: str, kind: Names) -> Group | None:
    folder = root / kind.folder / name.lstrip("/")
    used, most = _text(folder / kind.used).strip(), _text(folder / kind.most).strip()
    if not used:
        return None
    inactive = _pairs(_text(folder / "memory.stat")).get(kind.inactive, 0)
    limit = int(most) if most.isdigit() and int(most) < 1 << 60 else 0
    return Group(_called(name), max(int(used) - inactive, 0), limit, _pairs(_text(folder / kind.kills)).get("oom_kill", 0))


def _called(name: str) -> str:
    last = name.rpartition("/")[2]
    container = _CONTAINER.fullmatch(last)
    return f"container {container[1][:12]}" if container else last


def files_of_processes(root: Path) -> Iterator[tuple[str, int, int]]:
    """The processes that have at least half of the files open that they may."""
    for path in root.glob("proc/[0-9]*"):
        most = _FILES.search(_text(path / "limits"))
        try:
            used = sum(1 for _file in (path / "fd").iterdir())
        except OSError:  # it has ended
            continue
        if most and 2 * used >= int(most[1]):
            yield _text(path / "comm").strip(), used, int(most[1])


def _pairs(text: str) -> Mapping[str, int]:
    words = (line.split() for line in text.splitlines())
    return {each[0]: int(each[1]) for each in words if len(each) == 2 and each[1].isdigit()}


def _text(path: Path) -> str:
    """Nothing, when it is gone: processes end while one looks."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
