# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role host has unattended-upgrades install: everything of the security archives of Debian and of Ubuntu, and of no archive that changes otherwise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

ROLE = Path(__file__).parents[3] / "roles" / "host"
# Archives as their Release files say: origin, label, suite, codename.
ARCHIVES = {
    "trixie": {
        "main": "Debian, Debian, stable, trixie",
        "updates": "Debian, Debian, stable-updates, trixie-updates",
        "backports": "Debian Backports, Debian Backports, stable-backports, trixie-backports",
        "security": "Debian, Debian-Security, stable-security, trixie-security",
        "the next one's security": "Debian, Debian-Security, testing-security, forky-security",
        "Docker": "Docker, Docker CE, trixie, trixie",
    },
    "noble": {
        "main": "Ubuntu, Ubuntu, noble, noble",
        "updates": "Ubuntu, Ubuntu, noble-updates, noble",
        "backports": "Ubuntu, Ubuntu, noble-backports, noble",
        "proposed": "Ubuntu, Ubuntu, noble-proposed, noble",
        "security": "Ubuntu, Ubuntu, noble-security, noble",
        "security of extended maintenance": "UbuntuESM, UbuntuESM, noble-infra-security, noble",
        "security of its applications": "UbuntuESMApps, UbuntuESMApps, noble-apps-security, noble",
        "Docker": "Docker, Docker CE, noble, noble",
    },
}
WANTED = {
    "trixie": {"security"},
    # It never changes once it is released.
    "noble": {"main", "security", "security of extended maintenance", "security of its applications"},
}


def patterns(distribution: str, codename: str) -> list[dict[str, str]]:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    template = (ROLE / "templates" / "52groundcrew-unattended-upgrades.j2").read_text()
    told = {"ansible_facts": {"distribution": distribution}, "host_security_upgrades": True, "host_security_upgrades_exclude": ["^linux-image"]}
    text = Environment(trim_blocks=True).from_string(template).render(**variables, **told)
    lines = re.search(r"Origins-Pattern \{\n(.*?)\};", text, re.DOTALL)
    assert lines and text.count("{") == text.count("}") and '    "^linux-image";\n' in text
    return [dict(part.split("=", 1) for part in pattern.replace("${distro_codename}", codename).split(",")) for pattern in re.findall(r'"(.*)";', lines[1])]


@pytest.mark.parametrize(("distribution", "codename"), [("Debian", "trixie"), ("Ubuntu", "noble")])
def test_security_is_installed_and_nothing_else(distribution: str, codename: str) -> None:
    asked = patterns(distribution, codename)
    taken = set()
    for name, told in ARCHIVES[codename].items():
        archive = dict(zip(("origin", "label", "archive", "codename"), told.split(", "), strict=True))
        if any(all(archive[key] == value for key, value in pattern.items()) for pattern in asked):
            taken.add(name)
    assert taken == WANTED[codename]
