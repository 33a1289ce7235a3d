# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mirrors the local cloud takes from a machine's apt sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud import mirror
from localcloud.shell import CloudError

DEB822 = """Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """deb [signed-by=/k.gpg] http://one.example/debian trixie main
# deb http://no.example/debian trixie main
deb http://one.example/debian-security trixie-security main
"""
STRANGERS = "deb https://packages.example/apt cloud-sdk-bookworm main\n"
DISABLED = "Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mirror, "SOURCES", tmp_path)
    mirror.mirrors.cache_clear()
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_deb822_sources_are_read(sources: Path) -> None:
    (sources / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert mirror.mirrors() == mirror.Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")


def test_one_line_sources_are_read(sources: Path) -> None:
    (sources / "sources.list").write_text(ONE_LINE)
    assert mirror.mirrors() == mirror.Mirrors("http://one.example/debian", "http://one.example/debian-security")


def test_third_parties_and_disabled_sources_are_passed_over(sources: Path) -> None:
    (sources / "sources.list.d" / "a.list").write_text(STRANGERS)
    (sources / "sources.list.d" / "a.sources").write_text(DISABLED)
    (sources / "sources.list.d" / "z.sources").write_text(DEB822)
    assert mirror.mirrors().main == "http://mirror.example/debian"


def test_a_machine_without_debian_is_told(sources: Path) -> None:
    (sources / "sources.list").write_text(STRANGERS)
    with pytest.raises(CloudError, match="No Debian mirror"):
        mirror.mirrors()


def test_a_suite_has_its_updates_and_its_security(sources: Path) -> None:
    lines = mirror.Mirrors("http://m/debian", "http://m/debian-security").lines("trixie")
    assert [line.split()[2:4] for line in lines] == [
        ["http://m/debian", "trixie"],
        ["http://m/debian", "trixie-updates"],
        ["http://m/debian-security", "trixie-security"],
    ]
