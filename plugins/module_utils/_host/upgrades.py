# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the security upgrades of the distribution, and say whether a reboot puts them in force."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan

LOG = "/var/log/unattended-upgrades/unattended-upgrades.log"
REQUIRED = "run/reboot-required"
_PENDING = re.compile(r"^Packages that (?:will be|are) upgraded: *(.*)$", re.MULTILINE)
_KERNEL = re.compile(r"^NEEDRESTART-K(STA|CUR|EXP): *(.*)$", re.MULTILINE)
_SERVICE = re.compile(r"^NEEDRESTART-SVC: *(.*)$", re.MULTILINE)
_KERNEL_IS_OLD = ("2", "3")  # an upgrade with the same ABI, and a newer version
_IS_KERNEL = re.compile(r"linux-image-")


def pending(said: str) -> list[str]:
    """The packages that a run of unattended-upgrade names."""
    return sorted({name for line in _PENDING.findall(said) for name in line.split()})


def kernel_reason(said: str) -> str | None:
    """What needrestart's batch output says about the running kernel; None when it is the newest."""
    found = dict(_KERNEL.findall(said))
    return f"kernel {found.get('CUR', '?')} runs, {found.get('EXP', '?')} is installed" if found.get("STA") in _KERNEL_IS_OLD else None


def services_reason(said: str) -> str | None:
    """What needrestart's batch output says about services; None when all of them began after the upgrades of what they use."""
    found = sorted(set(_SERVICE.findall(said)))
    return f"{', '.join(found)}: still running by files from before an upgrade" if found else None


class Upgrade:
    """The operation: afterwards no security upgrade is pending."""

    def __init__(self, params: Mapping[str, Any], runner: Runner | None = None, root: str = "/") -> None:
        self._timeout = float(params["timeout"])
        self._runner = runner or Runner()
        self._root = Path(root)

    def plan(self) -> Plan:
        names = self._pending()
        steps = tuple(f"upgrade {name}" for name in names)
        return Plan("upgrade" if names else "none", {"pending": names}, {"pending": []}, steps)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        done = self._run("--verbose")
        left = self._pending()
        if left:
            raise OpsError(f"Still pending after the upgrade: {', '.join(left)}. {LOG} and /var/log/dpkg.log on the host say why.", said=done.stdout[-2000:])
        return self._answer(planned, self._reasons())

    def result(self, planned: Plan) -> Mapping[str, Any]:
        foreseen = [f"{name} would be upgraded" for name in self._names(planned) if _IS_KERNEL.match(name)]
        return self._answer(planned, self._reasons() + foreseen)

    def _answer(self, planned: Plan, reasons: list[str]) -> dict[str, Any]:
        return {"packages": self._names(planned), "reboot_required": bool(reasons), "reboot_reasons": reasons}

    @staticmethod
    def _names(planned: Plan) -> list[str]:
        return list((planned.before or {}).get("pending", []))

    def _pending(self) -> list[str]:
        return pending(self._run("--dry-run", "--verbose").stdout)

    def _run(self, *options: str) -> Completed:
        done = self._runner.run(["unattended-upgrade", *options], env={"DEBIAN_FRONTEND": "noninteractive"}, timeout=self._timeout, check=False)
        if done.rc != 0:
            raise failed(done, f"unattended-upgrade {' '.join(options)} (see {LOG})")
        return done

    def _reasons(self) -> list[str]:
        """Why the host has to start anew; none when what is installed is in force."""
        marker = self._root / REQUIRED
        found = []
        if marker.exists():
            packages = marker.with_name("reboot-required.pkgs")
            names = sorted(set(packages.read_text().split())) if packages.exists() else []
            found.append(f"/{REQUIRED} is there" + (f", for {', '.join(names)}" if names else ""))
        if (self._root / "usr/sbin/needrestart").exists():
            said = self._runner.run(["/usr/sbin/needrestart", "-b", "-k", "-l"], check=False).stdout
            found += [reason for reason in (kernel_reason(said), services_reason(said)) if reason]
        return found
