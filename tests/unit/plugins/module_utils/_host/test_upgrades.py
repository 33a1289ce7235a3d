# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security upgrades over a scripted unattended-upgrade, whose words are those of Debian 12 and 13."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._host.upgrades import Upgrade, kernel_reason, services_reason

FOUND = "Starting unattended upgrades script\nPackages that will be upgraded: openssl libssl3\nOption --dry-run given, *not* performing real actions\n"
NOTHING = "Starting unattended upgrades script\nNo packages found that can be upgraded unattended and no pending auto-removals\n"
OLD = "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-1-amd64\nNEEDRESTART-KEXP: 6.1.0-2-amd64\nNEEDRESTART-KSTA: 3\n"


class Tool(Runner):
    """Says one thing after the other, the last one for ever."""

    def __init__(self, *says: str, rc: int = 0) -> None:
        self._says = [*says]
        self._rc = rc
        self.ran: list[str] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        self.ran.append(" ".join(argv))
        return Completed(tuple(argv), self._rc, self._says.pop(0) if len(self._says) > 1 else self._says[0], "no luck" if self._rc else "")


def upgrade(root: Path, *says: str, rc: int = 0) -> tuple[Upgrade, Tool]:
    tool = Tool(*says, rc=rc)
    return Upgrade({"timeout": 60}, tool, str(root)), tool


def test_nothing_pending_changes_nothing(tmp_path: Path) -> None:
    made, tool = upgrade(tmp_path, NOTHING)
    planned = made.plan()
    assert not planned.changed and made.result(planned) == {"packages": [], "reboot_required": False, "reboot_reasons": []}
    assert tool.ran == ["unattended-upgrade --dry-run --verbose"]


def test_what_is_pending_is_named_and_installed(tmp_path: Path) -> None:
    made, tool = upgrade(tmp_path, FOUND, FOUND, NOTHING)
    planned = made.plan()
    assert planned.steps == ("upgrade libssl3", "upgrade openssl")
    assert made.apply(planned)["packages"] == ["libssl3", "openssl"]
    assert tool.ran[1] == "unattended-upgrade --verbose"


def test_what_stays_pending_is_an_error(tmp_path: Path) -> None:
    made, _tool = upgrade(tmp_path, FOUND)
    with pytest.raises(OpsError, match="Still pending after the upgrade: libssl3, openssl"):
        made.apply(made.plan())


def test_a_tool_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"unattended-upgrade --dry-run.*exit code 1: no luck"):
        upgrade(tmp_path, "", rc=1)[0].plan()


def test_a_reboot_is_needed_when_packages_ask_for_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    (tmp_path / "run/reboot-required.pkgs").write_text("libc6\ndbus\nlibc6\n")
    made, _tool = upgrade(tmp_path, NOTHING)
    assert made.result(made.plan())["reboot_reasons"] == ["/run/reboot-required is there, for dbus, libc6"]


def test_a_dry_run_foresees_the_reboot_for_a_kernel(tmp_path: Path) -> None:
    made, _tool = upgrade(tmp_path, "Packages that will be upgraded: linux-image-amd64 tree\n")
    assert made.result(made.plan())["reboot_required"] is True


@pytest.mark.parametrize(
    ("said", "reason"), [(OLD, "kernel 6.1.0-1-amd64 runs, 6.1.0-2-amd64 is installed"), (OLD.replace("KSTA: 3", "KSTA: 1"), None), ("", None)]
)
def test_kernel(said: str, reason: str | None) -> None:
    assert kernel_reason(said) == reason


SERVICES = "NEEDRESTART-VER: 3.11\nNEEDRESTART-KSTA: 1\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: cron.service\nNEEDRESTART-SESS: root @ session #2\n"


@pytest.mark.parametrize(("said", "reason"), [(SERVICES, "cron.service, ssh.service: still running by files from before an upgrade"), (OLD, None), ("", None)])
def test_services(said: str, reason: str | None) -> None:
    assert services_reason(said) == reason


def test_a_reboot_is_needed_when_services_run_on_with_old_libraries(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/needrestart").touch()
    made, tool = upgrade(tmp_path, NOTHING, SERVICES)
    reasons = made.result(made.plan())["reboot_reasons"]
    assert reasons == ["cron.service, ssh.service: still running by files from before an upgrade"] and tool.ran[-1] == "/usr/sbin/needrestart -b -k -l"
