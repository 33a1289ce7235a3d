# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each scenario is a run of pytest of its own: its counts go to a file of its own, where noxfile.py says so."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    folder, scenario = os.environ.get("GROUNDCREW_RESULTS"), os.environ.get("MOLECULE_SCENARIO_NAME")
    if folder and scenario:
        config.option.xmlpath = f"{folder}/molecule-{scenario}.xml"
