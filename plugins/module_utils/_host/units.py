# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One owner's units of systemd as one thing: their files, and which of them are started and enabled.

An owner's units are those with its prefix whose files have its mark. Files are verified before the first is written.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import sync_folder, write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State

FOLDER = "/etc/systemd/system"
ASKED = ("Id", "ActiveState", "UnitFileState", "NeedDaemonReload", "InactiveExitTimestamp")
KINDS = (".service", ".timer")
MODE = 0o644


class Units:
    """The noun. Its state is {name: unit}; a unit is its file and, where it is declared, what systemd says of it; None stands for one that goes."""

    def __init__(self, params: Mapping[str, Any], runner: Runner | None = None) -> None:
        self._prefix, self._mark = str(params["prefix"]), str(params["mark"])
        self._declared = {str(unit["name"]): unit for unit in params["units"]}
        self._exclusive = bool(params["exclusive"])
        self._folder = Path(params["path"])
        self._runner = runner or Runner()
        self._require_names(params["units"])

    def read(self) -> State:
        units: dict[str, dict[str, Any]] = {}
        for path in sorted(self._folder.glob(f"{self._prefix}*")):
            if path.suffix in KINDS and path.is_file():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                if path.name in self._declared or self._mark in lines:
                    units[path.name] = {"lines": lines, "mode": f"{path.stat().st_mode & 0o7777:04o}"}
        for name, seen in self._seen([name for name in units if name in self._declared]).items():
            units[name] |= seen
        return units

    def desired(self, current: State | None) -> State:
        self._require_ours(current or {})
        wanted: dict[str, Any] = dict.fromkeys((current or {}).keys() - self._declared.keys()) if self._exclusive else {}
        for name, unit in self._declared.items():
            wanted[name] = {"lines": str(unit["content"]).splitlines(), "mode": f"{MODE:04o}", "read": True}
            if unit["started"]:
                wanted[name]["started"] = True
        return wanted

    def apply(self, planned: Plan) -> None:
        before, after = planned.before or {}, planned.after or {}
        changed = [name for name, unit in after.items() if unit != before.get(name)]
        gone = [name for name in changed if after[name] is None]
        written = [name for name in changed if name not in gone and _file(before.get(name)) != _file(after[name])]
        self._verify(written)
        # A service that a timer starts may be at work, and ends by itself.
        stopped = [name for name in gone if name.endswith(".timer") or "[Install]" in before[name]["lines"]]
        if stopped:
            self._systemctl("disable", "--now", "--quiet", *stopped)
        for name in gone:
            (self._folder / name).unlink(missing_ok=True)
        for name in written:
            write_atomic(self._folder / name, str(self._declared[name]["content"]), mode=MODE)
        started = [name for name in changed if name not in gone and self._declared[name]["started"]]
        for name in started:
            # By a clock that was set back since, it would never begin after its file was written.
            os.utime(self._folder / name)
        sync_folder(self._folder)
        self._systemctl("daemon-reload")
        if started:
            self._systemctl("enable", "--quiet", *started)
            # Whether it waits already or not: a timer that goes on waits for the time that it knew.
            self._systemctl("restart", *started)

    def result(self, state: State | None) -> Mapping[str, Any]:
        return {"units": sorted(name for name, unit in (state or {}).items() if unit)}

    def _seen(self, names: list[str]) -> dict[str, dict[str, bool]]:
        """What systemd says. read: it knows the file as it is; that of a template if all its instances do that it has in memory.

        started: it is active now, since its file was written, and enabled at boot; of those only that are to be. A run that was killed may have had
        systemd read a file without starting again what runs by the former one.
        """
        if not names:
            return {}
        found = {name: {"read": True} for name in names}
        said = self._systemctl("show", "--timestamp=us+utc", f"--property={','.join(ASKED)}", *(name.replace("@.", "@*.") for name in names))
        for block in filter(None, said.strip().split("\n\n")):
            value = dict(line.split("=", 1) for line in block.splitlines())
            name = value["Id"] if value["Id"] in found else re.sub(r"@.*\.", "@.", value["Id"])
            seen = found[name]
            seen["read"] = seen["read"] and value["NeedDaemonReload"] == "no"
            if self._declared[name]["started"]:
                began = _seconds(value["InactiveExitTimestamp"]) >= (self._folder / name).stat().st_mtime
                seen["started"] = began and value["ActiveState"] == "active" and value["UnitFileState"] == "enabled"
        return found

    def _verify(self, names: list[str]) -> None:
        """All that are declared lie beside the ones asked for, because units name each other."""
        if not names:
            return
        with tempfile.TemporaryDirectory(prefix="groundcrew-units-") as folder:
            for name, unit in self._declared.items():
                Path(folder, name).write_text(str(unit["content"]), encoding="utf-8")
            done = self._runner.run(["systemd-analyze", "verify", *(f"{folder}/{name}" for name in names)], check=False)
        if done.rc != 0:
            raise failed(done, "systemd refuses the units, so none was written: systemd-analyze verify")

    def _systemctl(self, *words: str) -> str:
        return self._runner.run(["systemctl", *words]).stdout

    def _require_ours(self, units: State) -> None:
        """An empty file is what a crash of the machine leaves of one of ours."""
        strangers = [f"{self._folder / name}" for name, unit in units.items() if unit["lines"] and self._mark not in unit["lines"]]
        if strangers:
            raise OpsError(
                f"{', '.join(strangers)} would be overwritten, and belongs to somebody else: it has no line {self._mark!r}. "
                "Declare another name, or remove the file if nobody needs it. Nothing was changed.",
                strangers=strangers,
            )

    def _require_names(self, units: list[Mapping[str, Any]]) -> None:
        """Before anything is looked at."""
        names = [str(unit["name"]) for unit in units]
        wrong = [name for name in names if not name.startswith(self._prefix) or not name.endswith(KINDS) or "/" in name]
        twice = sorted({name for name in names if names.count(name) > 1})
        unmarked = [str(unit["name"]) for unit in units if self._mark not in str(unit["content"]).splitlines()]
        if not self._prefix or not self._mark:
            raise OpsError("prefix and mark cannot be empty: they tell this owner's units from those of others.")
        for problem, found in (
            (f"are no names of a service or timer that begin with {self._prefix}", wrong),
            ("occur more than once", twice),
            (f"have no line {self._mark!r}, by which their owner would know them again", unmarked),
        ):
            if found:
                raise OpsError(f"{', '.join(found)} of units {problem}.")


def _file(unit: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    return None if unit is None else (unit["lines"], unit["mode"])


def _seconds(told: str) -> float:
    """Since 1970, of a time as systemctl tells it, such as "Sun 2026-11-22 09:51:35.875485 UTC"; 0 for never."""
    return datetime.fromisoformat(told.partition(" ")[2].replace(" UTC", "+00:00")).timestamp() if told else 0.0
