# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command line, which knows security options that the API's clients do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from localcloud.config import Cloud
from localcloud.shell import CloudError, run, succeeds


def unless_records_only(work: Callable[..., Any]) -> Callable[..., Any]:
    """For what is done to the container of a cloud, its first argument: nothing, and nothing said, where there are records only."""

    @wraps(work)
    def guarded(cloud: Cloud, *arguments: Any) -> Any:
        return "" if cloud.records_only else work(cloud, *arguments)

    return guarded


def docker(*arguments: str, stdin: str | bytes | None = None, timeout: float = 120) -> str:
    """Run a docker command; its failure is a CloudError."""
    return run(["docker", *arguments], stdin=stdin, timeout=timeout)


def quietly(*arguments: str) -> bool:
    """Run a docker command whose failure is no news."""
    return succeeds(["docker", *arguments], timeout=120)


def inspect(kind: str, name: str) -> dict[str, Any] | None:
    """What docker knows of an object, None when it is not there."""
    try:
        found = json.loads(docker(kind, "inspect", name))
    except CloudError as error:
        if "no such" in str(error).lower() or "not found" in str(error).lower():
            return None
        raise
    return found[0] if found else None


def label(kind: str, name: str, key: str) -> str | None:
    """One label of an object."""
    found = inspect(kind, name)
    labels = (found or {}).get("Config", found or {}).get("Labels") or {}
    return labels.get(key)


def names(kind: str, label_filter: str) -> list[str]:
    """The objects that bear a label: containers by id, volumes and networks by name."""
    listing = {"container": ["ps", "-aq"], "volume": ["volume", "ls", "-q"], "network": ["network", "ls", "-q"]}[kind]
    return docker(*listing, "--filter", f"label={label_filter}").split()
