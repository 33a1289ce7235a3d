# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX starts it for a schedule: ansible-runner, which AWX runs jobs with, gets playbook, limit and variables of its template, then the schedule's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def start(template: Mapping[str, Any], schedule: Mapping[str, Any], inventory: Path, work: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """What the job ended with, and what it said. The schedule's variables come after the template's, as in AWX."""
    variables = {**json.loads(template["extra_vars"] or "{}"), **schedule["extra_data"]}
    (work / "env").mkdir(parents=True)
    (work / "env" / "extravars").write_text(json.dumps(variables))
    limit = ["--limit", template["limit"]] if template["limit"] else []
    runner = [str(Path(sys.executable).with_name("ansible-runner")), "run", str(work), "--playbook", template["playbook"], "--project-dir", str(ROOT)]
    done = subprocess.run(
        [*runner, "--inventory", str(inventory), *limit], env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout
