# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program that a timer starts needs beside its verbs: a configuration that nobody else can read, and an end that cleans up."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from types import FrameType
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


def read_config(path: Path) -> dict[str, Any]:
    """The options, from a file that nobody else can read: it holds passwords."""
    try:
        with path.open(encoding="utf-8") as stream:
            if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                raise OpsError(f"{path} can be read by others and holds passwords: chmod 0400 {path}")
            config = json.load(stream)
    except (OSError, ValueError) as error:
        raise OpsError(f"Cannot read the configuration {path}: {error}") from error
    if not isinstance(config, dict):
        raise OpsError(f"The configuration {path} is not a JSON object.")
    return config


def end_by_signals() -> None:
    """systemd stops a unit with SIGTERM, and people a program with SIGINT: let the run clean up behind itself."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


class Stopped(SystemExit):
    """Ends the process as shells expect it; its text is for the record."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self._name = signal.Signals(number).name

    def __str__(self) -> str:
        return f"by {self._name}"


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
