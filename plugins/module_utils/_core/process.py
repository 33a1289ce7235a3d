# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that are told apart: from another one with the same number, of another boot, or in another container."""

from __future__ import annotations

import os
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    return BOOT.read_text(encoding="utf-8").strip()


def process(pid: int) -> str:
    """A process by its id and its start; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else f"{pid}:{fields[19]}"


def alive(seen: str) -> bool:
    return bool(seen) and process(int(seen.partition(":")[0])) == seen


def identity(pid: int) -> str:
    """A process as it can be told from every other one on any machine; empty where the system does not say."""
    try:
        return f"{boot()} {_namespace()} {process(pid)}"
    except OSError:
        return ""


def gone(seen: str) -> bool:
    """Whether a process with this identity is provably gone: it was here, in this boot and among the processes that can be seen from here."""
    parts = seen.split(" ")
    try:
        if len(parts) != 3 or parts[:2] != [boot(), _namespace()]:
            return False
        os.kill(int(parts[2].partition(":")[0]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):  # it is another user's, or nothing can be known
        return False
    return not alive(parts[2])


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")
