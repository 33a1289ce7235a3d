# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, told while it works: in a file that is there as long as the run is, and in lines for the journal of a timer's unit."""
# It prints, as programs do; the linter takes it for a module.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, report
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.meanwhile import meanwhile

EVERY = 5.0


@dataclass(frozen=True)
class Telling:
    """file: where to, None for nowhere. lines: also on standard error. every: seconds."""

    file: Path | None = None
    lines: bool = False
    every: float = EVERY

    @contextmanager
    def of(self, look: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
        """Tell what ``look`` sees; ``stored`` in it is in bytes."""
        if self.file is None and not self.lines:
            yield
            return
        began = time.monotonic()
        try:
            with meanwhile(lambda _over: self._tell(look(), time.monotonic() - began), self.every):
                yield
        finally:
            if self.file is not None:
                self.file.unlink(missing_ok=True)

    def _tell(self, seen: Mapping[str, Any], seconds: float) -> None:
        seen = {**seen, "bytes_per_second": round(seen["stored"] / max(seconds, 0.001))}
        if self.lines:
            print(f"{seconds:.0f} s: {described(seen)}", file=sys.stderr, flush=True)
        if self.file is not None:
            document = {"process": os.getpid(), "at": policy.timestamp(time.time()), "seconds": round(seconds, 1), **seen}
            # A disk that is full of something else must not end a backup.
            with suppress(OSError, OpsError):
                write_atomic(self.file, json.dumps(document) + "\n")


def described(seen: Mapping[str, Any]) -> str:
    """What the file says, for people."""
    counted = "".join(f"{seen[name]} {name}, " for name in ("tables", "files") if name in seen)
    return f"{counted}{report.size(seen['stored'])} stored, {report.size(seen['bytes_per_second'])}/s"
