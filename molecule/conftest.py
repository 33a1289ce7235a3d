# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each scenario is a run of pytest of its own: its counts go to a file of its own, where noxfile.py says so. What several need is here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from testinfra.host import Host

IMAGE = "molecule/true:1"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    folder, scenario = os.environ.get("GROUNDCREW_RESULTS"), os.environ.get("MOLECULE_SCENARIO_NAME")
    if folder and scenario:
        config.option.xmlpath = f"{folder}/molecule-{scenario}.xml"


@pytest.fixture
def image(host: Host) -> Iterator[str]:
    """An image without a registry: one static program."""
    host.check_output("apt-get -qq download busybox-static && dpkg-deb -x busybox-static_*.deb busybox && rm busybox-static_*.deb")
    # Debian 12 has the program in /bin, Debian 13 in /usr/bin.
    host.check_output(f"cd $(dirname $(find busybox -path '*bin/busybox')) && tar -c busybox | docker import - {IMAGE}")
    yield IMAGE
    host.check_output(f"docker image rm --force {IMAGE} && rm -r busybox")
