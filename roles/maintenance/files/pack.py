# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack the part of the collection that runs without Ansible into a zip that Python imports from: ``pack.py MODULE_UTILS ARCHIVE [PACKAGE...]``.

The same code makes the same archive, byte by byte, so that a host that has it is left alone.
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

PACKAGES = ("_core", "_audit", "_backup", "_host", "_postgresql", "_redis", "_release", "_upkeep")
FOLDER = PurePosixPath("ansible_collections/groundcrew/ops/plugins/module_utils")
NEEDS_ANSIBLE = re.compile(r"^\s*(?:from|import) ansible\b", re.MULTILINE)


def pack(module_utils: Path, archive: Path, packages: Sequence[str] = PACKAGES) -> None:
    """Write the archive, replacing it as a whole."""
    half = archive.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(half, "w", compression=zipfile.ZIP_DEFLATED) as packed:
        # Packages without __init__.py are found in a zip by the entries of their folders.
        for folder in (*reversed(FOLDER.parents[:-1]), FOLDER, *(FOLDER / package for package in packages)):
            packed.writestr(_entry(f"{folder}/"), b"")
        for package in packages:
            for path in sorted((module_utils / package).glob("*.py")):
                code = path.read_bytes()
                if not NEEDS_ANSIBLE.search(code.decode()):
                    packed.writestr(_entry(f"{FOLDER / package / path.name}"), code, compress_type=zipfile.ZIP_DEFLATED)
    half.replace(archive)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980, whenever it is made
    entry.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or PACKAGES)
