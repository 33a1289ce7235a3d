# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of code that timers run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACK = ROOT / "roles" / "maintenance" / "files" / "pack.py"


def pack(archive: Path) -> bytes:
    subprocess.run([sys.executable, str(PACK), str(ROOT / "plugins" / "module_utils"), str(archive)], check=True)
    return archive.read_bytes()


def test_same_code_makes_the_same_archive(tmp_path: Path) -> None:
    assert pack(tmp_path / "one.zip") == pack(tmp_path / "two.zip")


def test_python_imports_it_without_ansible(tmp_path: Path) -> None:
    archive = tmp_path / "code.zip"
    pack(archive)
    names = zipfile.ZipFile(archive).namelist()
    assert not [name for name in names if name.endswith("_core/run.py")]
    code = "ansible_collections.groundcrew.ops.plugins.module_utils"
    program = f"import {code}._backup.cli, {code}._upkeep.cli, sys; sys.exit('ansible' in sys.modules)"
    # -S: without site-packages, so that nothing but the archive and the standard library is there.
    subprocess.run([sys.executable, "-S", "-c", program], env={"PYTHONPATH": str(archive)}, cwd=tmp_path, check=True)
