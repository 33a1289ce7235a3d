# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures are shown as they are: missed targets, missing controls and what was not measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import figures


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "target", "expected"), [(0, "== 0", True), (1, "== 0", False), (360, "<= 360", True), (0.9, ">= 1", False), (2, "> 1.5", True)]
)
def test_a_target_is_compared(value: float, target: str, expected: bool) -> None:
    assert figures.holds(value, target) is expected


def test_a_figure_is_written_and_shown(folder: Path) -> None:
    control = {"what": "stop before drain", "value": 57, "red": True}
    assert figures.record("release.requests_failed", 0, unit="requests", of=126827, target="== 0", seconds=41.23, command="make load", control=control)
    written = json.loads((folder / "release.requests_failed.json").read_text())
    assert (written["holds"], written["seconds"], written["control"]["value"]) == (True, 41.2, 57)
    shown = "\n".join(figures.table(folder))
    assert "0 of 126827 requests" in shown
    assert "stop before drain: 57" in shown


def test_what_does_not_hold_is_not_hidden(folder: Path) -> None:
    assert not figures.record("quickstart.seconds", 400, unit="s", target="<= 360", seconds=400, command="make quickstart")
    figures.record("do.noop_calls", 1, unit="calls", target="<= 3", seconds=1, command="make bench", control={"what": "x", "value": 2, "red": False})
    shown = "\n".join(figures.table(folder))
    assert "| NO    | none" in shown
    assert "x: 2, NOT RED" in shown
    assert "rotation.leaks" in shown.rpartition("not measured")[2]


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of the figures"):
        figures.record("made.up", 1, unit="s", target="== 1", seconds=1, command="x")
