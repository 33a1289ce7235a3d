# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How facts are read off what programs say; what real ones say: tests/integration/test_audit.py."""

from __future__ import annotations

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_facts import Host
from ansible_collections.groundcrew.ops.plugins.module_utils._host.firewall import rules_changed

RULES = """table inet groundcrew {
	chain arriving {
		type filter hook prerouting priority mangle; policy accept;
		goto wanted
	}

	chain wanted {
		tcp dport 22 accept
		counter drop
	}

	chain routed {
		counter drop
	}
}
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("", "", []),
        (
            "policy accept",
            "policy drop",
            [
                "missing in chain arriving: type filter hook prerouting priority mangle; policy accept;",
                "not declared in chain arriving: type filter hook prerouting priority mangle; policy drop;",
            ],
        ),
        ("chain routed {\n", "chain routed {\n\t\ttcp dport 22 accept\n", ["not declared in chain routed: tcp dport 22 accept"]),
        ("22 accept\n\t\tcounter drop", "22 accept", ["missing in chain wanted: counter drop"]),
        ("22 accept\n\t\tcounter drop", "22 accept\n\t\tcounter drop\n\t\tcounter drop", ["not declared in chain wanted: counter drop"]),
        (
            "tcp dport 22 accept\n\t\tcounter drop",
            "counter drop\n\t\ttcp dport 22 accept",
            ["not declared in chain wanted: counter drop", "missing in chain wanted: counter drop"],
        ),
    ],
)
def test_rules_are_compared_in_their_order_and_by_chain(old: str, new: str, changed: list[str]) -> None:
    assert rules_changed(RULES, RULES.replace(old, new, 1)) == changed


def test_a_table_that_is_not_there_is_said_first() -> None:
    assert rules_changed(RULES, "")[0] == "missing in the table: table inet groundcrew {"


def test_security_updates_are_those_of_what_is_installed() -> None:
    said = """Inst linux-image-amd64 [6.12.1-1] (6.12.2-1 Debian-Security:13/stable-security [amd64]) []
Inst linux-image-6.12.2-amd64 (6.12.2-1 Debian-Security:13/stable-security [amd64])
Inst libc6 [2.41-1] (2.41-2 Debian:13.1/stable [amd64])
Inst openssl [3.0.1] (3.0.2 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])
Conf linux-image-amd64 (6.12.2-1 Debian-Security:13/stable-security [amd64])
"""

    class Simulation(Runner):
        def run(self, argv, **_options):
            # apt-get keeps an upgrade back that needs a package more, unless it is told otherwise.
            return Completed(tuple(argv), 0, said if "--with-new-pkgs" in argv else "", "")

    assert Host(Simulation()).pending_security() == ["linux-image-amd64", "openssl"]
