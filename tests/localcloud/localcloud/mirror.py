# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's own Debian mirrors, read from its apt sources: nothing here names a mirror."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcloud.shell import CloudError

SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Mirrors:
    """Where Debian comes from."""

    main: str
    security: str

    def lines(self, suite: str) -> list[str]:
        """The sources of a suite, in apt's one-line form."""
        signed = f"[signed-by={KEYRING}]"
        return [
            f"deb {signed} {self.main} {suite} main",
            f"deb {signed} {self.main} {suite}-updates main",
            f"deb {signed} {self.security} {suite}-security main",
        ]


@cache
def mirrors() -> Mirrors:
    """The machine's mirrors; its other sources (third parties, disabled ones) are passed over."""
    found = [pair for path in _files() for pair in _pairs(path.read_text(errors="replace"), path.suffix)]
    main = next((uri for uri, suite in found if re.fullmatch(r"[a-z]+", suite)), None)
    security = next((uri for uri, suite in found if suite.endswith("-security")), None)
    if not main or not security:
        raise CloudError(
            "No Debian mirror in this machine's apt sources (/etc/apt/sources.list, /etc/apt/sources.list.d). "
            "The local cloud builds its hosts from Debian's packages: is this Debian 12 or 13?"
        )
    return Mirrors(main, security)


@cache
def apt_settings() -> str:
    """The machine's settings of how to fetch, in apt's own form: proxies, retries, checks of dates."""
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=False).stdout
    kept = re.compile(r"^Acquire::(Check-|Retries|ForceIPv[46]|https?::)", re.I)
    return "".join(f"{line}\n" for line in dump.splitlines() if kept.match(line))


def _files() -> list[Path]:
    return [
        path
        for path in [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*.list")), *sorted((SOURCES / "sources.list.d").glob("*.sources"))]
        if path.exists()
    ]


def _pairs(text: str, suffix: str) -> list[tuple[str, str]]:
    """(URI, suite) of each Debian source of a file."""
    if suffix == ".sources":
        stanzas = [dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M)) for stanza in re.split(r"\n\s*\n", text)]
        return [(uri.rstrip("/"), suite) for fields in stanzas if _is_debian(fields) for uri in fields["URIs"].split() for suite in fields["Suites"].split()]
    return [(uri.rstrip("/"), suite) for uri, suite in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+main\b", text, re.M) if "/debian" in uri]


def _is_debian(fields: dict[str, str]) -> bool:
    return (
        fields.get("Enabled", "yes") != "no"
        and "deb" in fields.get("Types", "").split()
        and "/debian" in fields.get("URIs", "")
        and "main" in fields.get("Components", "").split()
    )
