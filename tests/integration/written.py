# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file that a command's Python processes write, also those that are gone when it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOOK = Path(__file__).with_name("packet")
# Ansible removes the folder of a module by the shell's command.
RM = """#!/bin/sh
for path; do
  case $path in
    -*) ;;
    *) cp -a --parents --backup=numbered "$path" "$WRITTEN_TO/removed" 2>/dev/null ;;
  esac
done
exec /bin/rm "$@"
"""


@dataclass(frozen=True)
class Written:
    """folder: where copies are kept; it exists."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """What the command and all that it starts have to inherit."""
        (self.folder / "removed").mkdir()
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "rm").write_text(RM)
        (tools / "rm").chmod(0o755)
        modules = [str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"WRITTEN_TO": str(self.folder), "PYTHONPATH": os.pathsep.join(modules), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def files(self) -> Iterator[tuple[str, str]]:
        """Path and content of each. A path may come more than once, with other content."""
        for copy in self.folder.glob("[0-9]*-*"):
            name, _newline, content = copy.read_bytes().partition(b"\n")
            yield from _told(os.fsdecode(name), content)
        listed = {line for each in self.folder.glob("opened-*") for line in each.read_text(errors="surrogateescape").splitlines()}
        there = [Path(line) for line in sorted(listed)]
        for path in [*there, *(self.folder / "removed").rglob("*")]:
            if path.is_file():
                yield from _told(str(path), path.read_bytes())


def _told(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    if ".pyc" not in path:
        yield path, content.decode(errors="replace")
