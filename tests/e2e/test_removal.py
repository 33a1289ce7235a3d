# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left on the machine when the last local cloud is down: nothing. It runs when no other cloud is up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def said(*argv: str) -> list[str]:
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.splitlines()


def left() -> dict[str, list[str]]:
    """Whatever bears our name, by kind."""
    docker = shutil.which("docker") or "true"
    return {
        "containers": said(docker, "ps", "--all", "--filter", "label=groundcrew.cloud", "--format", "{{.Names}}"),
        "volumes": said(docker, "volume", "ls", "--filter", "label=groundcrew.cloud", "--quiet"),
        "networks": said(docker, "network", "ls", "--filter", "label=groundcrew.cloud", "--format", "{{.Name}}"),
        "images": said(docker, "images", "--filter", "label=groundcrew.recipe", "--quiet"),
        "processes": [line for line in said("ps", "-eo", "args") if f"{ROOT}/build/localcloud/" in line],
        "engine": [str(path) for path in [Path("/run/groundcrew-dockerd")] if path.exists()],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if f"{ROOT}/build" in line],
    }


def test_after_the_last_down_nothing_is_left() -> None:
    assert left()["networks"] == [], "another local cloud is up: take it down first"
    names = ["--name", "removal", "--index", "2"]
    up = [sys.executable, "-m", "localcloud", "up", *names, "--dir", "build/localcloud/removal"]
    subprocess.run(up, cwd=ROOT, env={**os.environ, "PYTHONPATH": "tests/localcloud"}, check=True)
    control = left()
    assert control["networks"] == ["groundcrew-removal"]
    assert control["images"]
    assert control["processes"]
    subprocess.run([sys.executable, "tests/localcloud/quickstart.py", "down", *names], cwd=ROOT, check=True)
    assert not {kind: found for kind, found in left().items() if found}
