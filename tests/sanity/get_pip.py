# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands where ansible-test keeps the script that brings pip into an empty environment; takes pip from the wheel beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

here = Path(os.environ.get("GET_PIP", __file__)).parent
sys.path.insert(0, str(next(here.glob("pip-*.whl"))))

from pip._internal.cli.main import main  # importable from here on

sys.exit(main(["install", "--upgrade", *(argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel"))]))
