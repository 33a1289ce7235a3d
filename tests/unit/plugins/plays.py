# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook on this machine, with this collection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def played(folder: Path, playbook: str, *hosts: str, **env: str) -> tuple[str, str]:
    """What a playbook that ends well says on standard output and on standard error."""
    (folder / "hosts").write_text("".join(f"{host} ansible_connection=local\n" for host in hosts))
    (folder / "ansible.cfg").write_text("")
    (folder / "play.yml").write_text(playbook)
    (folder / "ansible_collections" / "groundcrew").mkdir(parents=True)
    (folder / "ansible_collections" / "groundcrew" / "ops").symlink_to(ROOT)
    fixed = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run([program, "-i", "hosts", "play.yml"], cwd=folder, env={**os.environ, **fixed, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr
