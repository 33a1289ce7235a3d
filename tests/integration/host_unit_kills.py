# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: the module systemd_units is killed at one of its acts and run again, and what is on the host in between is told as JSON.

Python itself tells of the acts, by its audit events, so nothing that writes, removes or commands can be forgotten here.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path("/etc/systemd/system")
RUN, MODULE = "/root/modules/run.py", "systemd_units"
ASKED = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,TimersCalendar,NextElapseUSecRealtime,ExecStart,MainPID"


def act(event: str, arguments: tuple[Any, ...]) -> str | None:
    """What is about to be done, if it changes something."""
    if event == "os.rename" and Path(str(arguments[1])).parent == FOLDER:
        return f"write {Path(arguments[1]).name}"
    if event == "os.remove" and Path(str(arguments[0])).parent == FOLDER:
        return f"remove {Path(arguments[0]).name}"
    if event == "subprocess.Popen" and arguments[1][0] == "systemctl" and arguments[1][1] != "show":
        return f"systemctl {arguments[1][1]}"
    return None


def killed_at(number: int) -> None:
    """Be the module, until its act of this number."""
    passed = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal passed
        about = act(event, arguments)
        passed += about is not None
        if about and passed == number:
            os.write(2, about.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    runpy.run_path(RUN, run_name="__main__")


def by_files_alone() -> None:
    """The control: be the module, but for what it asks systemd."""
    from ansible_collections.groundcrew.ops.plugins.module_utils._host.units import Units

    def trusting(self: Any, names: list[str]) -> dict[str, dict[str, bool]]:
        return {name: {"read": True} | ({"started": True} if self._declared[name]["started"] else {}) for name in names}

    Units._seen = trusting  # type: ignore[method-assign]
    runpy.run_path(RUN, run_name="__main__")


def module(arguments: dict[str, Any], *program: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, *(program or [RUN]), MODULE]
    return subprocess.run(argv, input=json.dumps(arguments), capture_output=True, text=True, check=False)


def result(arguments: dict[str, Any], *program: str) -> dict[str, Any]:
    done = module(arguments, *program)
    return dict(json.loads(done.stdout)) if done.stdout.strip() else {"failed": True, "msg": done.stderr}


def look(prefix: str) -> dict[str, Any]:
    """The owner's files, what is started at boot, and what systemd knows, with the command that a service runs right now."""
    listed = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", f"{prefix}*"], check=True, capture_output=True, text=True).stdout
    names = [line.split()[0] for line in listed.splitlines()]
    shown = subprocess.run(["systemctl", "show", f"--property={ASKED}", *names], check=True, capture_output=True, text=True).stdout if names else ""
    units = {}
    for block in filter(None, shown.strip().split("\n\n")):
        told = dict(line.split("=", 1) for line in block.splitlines())
        running = Path("/proc", told.get("MainPID", "0"), "cmdline")
        units[told["Id"]] = {**told, "runs": running.read_text().replace("\0", " ").strip() if running.exists() else ""}
    return {
        "files": {path.name: path.read_text() for path in sorted(FOLDER.glob(f"{prefix}*"))},
        "at_boot": sorted(path.name for path in FOLDER.glob(f"*.wants/{prefix}*")),
        "units": units,
    }


def point(number: int, story: dict[str, Any]) -> dict[str, Any] | None:
    """What was seen of the kill at this act; None where the module has fewer.

    before, after: arguments of the module. prepare: a shell command. control: whether the next run is the one that goes by files alone.
    """
    before, after, prefix = story["before"], story["after"], story["after"]["prefix"]
    # systemd lets nobody start a unit often in a short time, until its counter is reset.
    subprocess.run(["systemctl", "reset-failed", f"{prefix}*"], check=False, stderr=subprocess.DEVNULL)
    first = result(before)
    subprocess.run(story["prepare"], shell=True, check=False, stderr=subprocess.DEVNULL)
    told: dict[str, Any] = {"first": first, "prepared": look(prefix)}
    killed = module(after, __file__, "kill", str(number))
    if killed.returncode == 0:
        return None
    told |= {"code": killed.returncode, "before": killed.stderr, "left": look(prefix)}
    told |= {"next": result(after, *([__file__, "trusting"] if story["control"] else [])), "mended": look(prefix)}
    return told | {"again": result(after), "kept": look(prefix)}


if __name__ == "__main__":
    verb = sys.argv.pop(1)
    if verb == "trusting":
        by_files_alone()
    elif verb == "kill":
        killed_at(int(sys.argv.pop(1)))
    else:
        print(json.dumps(point(int(sys.argv[1]), json.load(sys.stdin))))
