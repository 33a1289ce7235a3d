# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How facts are read off what programs say; what real ones say: tests/integration/test_audit.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._host import audit, audit_engine
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


@pytest.mark.parametrize(
    ("line", "who"),
    [
        ("olive ALL=(ALL) NOPASSWD: ALL", ["olive"]),
        ("%admin ALL=(ALL) \\\n  NOPASSWD: ALL", ["%admin"]),
        ("Defaults !authenticate", ["everybody"]),
        ("Defaults env_reset, ! authenticate", ["everybody"]),
        ("Defaults@web-1 !authenticate", ["everybody"]),
        ("Defaults:olive,%admin !authenticate", ["%admin", "olive"]),
        ("Defaults:root !authenticate", []),
        ("Defaults authenticate", []),
        ("# Defaults !authenticate", []),
        ("olive ALL=(ALL) ALL", []),
    ],
)
def test_who_becomes_root_without_a_password(line: str, who: list[str], tmp_path: Path) -> None:
    (tmp_path / "etc/sudoers.d").mkdir(parents=True)
    (tmp_path / "etc/sudoers.d/one").write_text(f"Defaults env_reset\nroot ALL=(ALL) NOPASSWD: ALL\n{line}\n")
    passes, evidence = audit.sudo_without_password(list(Host(root=str(tmp_path)).sudoers()), [])
    assert passes is not bool(who)
    assert sorted(re.findall(r"(\S+) may, and is not declared", evidence)) == who


@pytest.mark.parametrize(
    ("arguments", "hosts", "open_at"),
    [
        ([], [], []),
        (["-H", "fd://", "--containerd=/run/containerd/containerd.sock"], ["unix:///var/run/docker.sock"], []),
        (["-H", "tcp://0.0.0.0:2375"], [], ["tcp://0.0.0.0:2375"]),
        (["-H", "0.0.0.0:2375"], [], ["0.0.0.0:2375"]),
        (["-H0.0.0.0:2375"], [], ["0.0.0.0:2375"]),
        (["-H=:2375", "--host=[::]:2376"], [], [":2375", "[::]:2376"]),
        (["--host", "192.0.2.1"], ["10.0.0.1:2375"], ["192.0.2.1", "10.0.0.1:2375"]),
    ],
)
def test_an_address_without_a_scheme_is_one_that_the_engine_listens_on(arguments: list[str], hosts: list[str], open_at: list[str]) -> None:
    passes, evidence = audit_engine.tcp_socket(["dockerd", *arguments], {"hosts": hosts})
    assert passes is not bool(open_at)
    assert re.findall(r"it listens on ([^;]+?)(?:;|\.$)", evidence) == open_at


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
