# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the release machine asks of the operating system."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


class LocalHost:
    """The host port. free_space: MiB that must be free below every folder before a release begins."""

    def __init__(self, folders: Sequence[Path], free_space: int) -> None:
        self._folders = folders
        self._free_space = free_space

    def require_free_ports(self, ports: Sequence[int]) -> None:
        taken = [port for port in ports if not _free(port)]
        if taken:
            listed = ", ".join(str(port) for port in taken)
            raise OpsError(
                f"Port {listed} on 127.0.0.1 is in use by something else (`ss -ltnp` shows it). Stop that, or give the slot other ports.", ports=taken
            )

    def require_free_space(self) -> None:
        for folder in self._folders:
            existing = next(each for each in (folder, *folder.parents) if each.exists())
            free = shutil.disk_usage(existing).free // 2**20
            if free < self._free_space:
                raise OpsError(f"Only {free} MiB are free at {existing}; a release needs {self._free_space} MiB. Free some space and run again.", free=free)


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
