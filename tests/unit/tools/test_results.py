# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sum that CI prints counts every part, and a part without tests fails it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import results

SUITE = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def test_files_of_all_parts_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unit.xml").write_text(SUITE.format(10, 0, 0, 1))
    (tmp_path / "molecule-host.xml").write_text(SUITE.format(3, 0, 0, 0))
    (tmp_path / "molecule-proxy.xml").write_text(SUITE.format(4, 0, 0, 0))
    assert results.main(tmp_path, ["unit", "molecule"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "16 passed, 0 failed, 1 skipped"


def test_a_failure_or_an_error_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unit.xml").write_text(SUITE.format(10, 1, 1, 0))
    assert results.main(tmp_path, ["unit"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "8 passed, 2 failed, 0 skipped"


@pytest.mark.parametrize("content", [None, SUITE.format(0, 0, 0, 0), SUITE.format(2, 0, 0, 2)])
def test_a_part_that_ran_nothing_fails(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content:
        (tmp_path / "unit.xml").write_text(content)
    assert results.main(tmp_path, ["unit"]) == 1
    assert "ran no test: unit" in capsys.readouterr().out
