# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host is slow, full, or does not do its work. Reads only; needs root."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._audit.way import redact
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._host.audit_facts import Host
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import SAMPLES, Forecast, forecasts, read, soon
from ansible_collections.groundcrew.ops.plugins.module_utils._host.processes import Group, files_of_processes, groups

CATALOG = Catalog("diagnose.host")
check = CATALOG.check
Rows = Sequence[Mapping[str, Any]]
_KILLED = re.compile(r"Killed process \d+ \(([^)]+)\)")
# What systemd says of a unit of which a process was killed for want of memory.
UNIT_OUT_OF_MEMORY = "fe6faa94e7774663a0da52717891d8ef"
# A unit that was started anew this often has not settled.
RESTARTS = 5


@check(
    "high",
    "No file system is full",
    "du -x --max-depth=2 MOUNT | sort -n | tail; verb maintain of compose_app prunes images, host_journal_max_use the journal.",
)
def disk(file_systems: Rows, max_percent: int) -> Told:
    full = [f"{each['mount']} is {each['used_percent']} % full" for each in file_systems if each["used_percent"] > max_percent]
    return nothing_of(full, f"None is more than {max_percent} % full.")


@check("high", "No file system is out of inodes", "du --inodes -x --max-depth=2 MOUNT | sort -n | tail: look for a folder with very many small files.")
def inodes(file_systems: Rows, max_percent: int) -> Told:
    full = [f"{each['mount']} has {each['inodes_percent']} % of its inodes used" for each in file_systems if each["inodes_percent"] > max_percent]
    return nothing_of(full, f"None has more than {max_percent} % used.")


@check(
    "medium",
    "No file system will be full soon",
    "See what grows (du -x --max-depth=2 MOUNT | sort -n | tail), archive logs and prune more often (role maintenance), or make the disk larger.",
)
def filling(forecast: Sequence[Forecast], min_days: float) -> Told:
    return nothing_of(soon(forecast, min_days), f"None within {min_days:g} days.")


@check("critical", "What should be can be written to", "dmesg says what is wrong with the disk; mount -o remount,rw MOUNT when that is repaired.")
def read_only(not_writable: Sequence[str]) -> Told:
    return nothing_of([f"{mount} is mounted read-only" for mount in not_writable], "The root can, and what /etc/fstab has.")


@check(
    "high",
    "There is memory left",
    "ps -eo rss,comm --sort=-rss | head; give a group a higher limit (memory in the Compose file, MemoryMax of a unit), or take a larger host.",
)
def memory(memory_mib: int, available_mib: int, memory_groups: Sequence[Group], min_memory_percent: int, largest: str) -> Told:
    short = available_mib * 100 < memory_mib * min_memory_percent
    full = [each for each in memory_groups if each.most and (each.most - each.used) * 100 < each.most * min_memory_percent]
    host = f"{available_mib} of {memory_mib} MiB can be had. The largest: {largest}."
    return not short and not full, " ".join([host, *(f"{each.name} has {each.used >> 20} of its {each.most >> 20} MiB." for each in full)])


@check("high", "Nothing was killed for want of memory within a day", "Give what was killed more memory or a limit of its own; journalctl --dmesg --grep oom.")
def out_of_memory(killed: Sequence[str]) -> Told:
    return nothing_of([f"{name} was killed" for name in killed], "Nothing was.")


@check("high", "No unit has failed", "systemctl status UNIT; journalctl --unit=UNIT; then systemctl restart UNIT.")
def units(failed_units: Rows) -> Told:
    return nothing_of([f"{each['unit']} ({each['result']}): {each['last'] or 'it said nothing'}" for each in failed_units], "None has.")


@check("medium", "No service is started anew again and again", "journalctl --unit=UNIT says why it ends.")
def restarts(restarted: Mapping[str, int]) -> Told:
    return nothing_of([f"{unit} {count} times" for unit, count in restarted.items() if count >= RESTARTS], f"None {RESTARTS} times.")


@check("medium", "The processors keep up", "ps -eo pcpu,comm --sort=-pcpu | head; scale out (playbooks/scale.yml), or take a larger host.")
def load(load_5_minutes: float, processors: int, max_load: float, busiest: str) -> Told:
    return load_5_minutes <= max_load * processors, f"The load is {load_5_minutes:.1f} on {processors} processors. The busiest: {busiest}."


@check(
    "high",
    "There is room for further open files",
    "lsof -p PID says what is open; LimitNOFILE of a unit or ulimits in the Compose file raise the limit of a process, fs.file-max in host_sysctl the host's.",
)
def open_files(files_open: tuple[int, int], files_of_processes: Sequence[tuple[str, int, int]]) -> Told:
    everybody = ("the host", *files_open)
    full = [f"{name} has {used} of {most} open" for name, used, most in (everybody, *files_of_processes) if used >= 0.9 * most]
    return nothing_of(full, f"{files_open[0]} of {files_open[1]} are open, and no process is near its own limit.")


class Symptoms(Host):
    """This machine, as its symptoms show it."""

    def symptoms(self, params: Mapping[str, Any]) -> dict[str, Any]:
        readers: dict[str, Callable[[], Any]] = {
            "file_systems": lambda: list(self.file_systems()),
            "forecast": lambda: forecasts(read(self._root / SAMPLES.relative_to("/"))),
            "not_writable": self.not_writable,
            "memory_mib": lambda: self.memory("MemTotal"),
            "available_mib": lambda: self.memory("MemAvailable"),
            "largest": lambda: self.top("rss"),
            "busiest": lambda: self.top("pcpu"),
            "memory_groups": lambda: groups(self._root),
            "killed": self.killed,
            "failed_units": lambda: [self.failed_unit(name) for name in self.units_failed()],
            "restarted": self.restarted,
            "load_5_minutes": lambda: float(self.text("proc/loadavg").split()[1]),
            "processors": lambda: len(os.sched_getaffinity(0)),
            "files_open": self.files_open,
            "files_of_processes": lambda: list(files_of_processes(self._root)),
        }
        return {**gather(readers), **{name: params[name] for name in ("max_percent", "min_memory_percent", "max_load", "min_days")}}

    def not_writable(self) -> list[str]:
        """The root, and whatever /etc/fstab does not want read-only."""
        options = {words[1]: words[3].split(",") for words in map(str.split, self.text("proc/mounts").splitlines())}
        if "/" not in options:
            raise OpsError("/proc/mounts has no root.")
        table = [line.split() for line in self.text("etc/fstab").splitlines()] if (self._root / "etc/fstab").exists() else []
        wanted = [words[1] for words in table if len(words) > 3 and not words[0].startswith("#") and "ro" not in words[3].split(",")]
        return [mount for mount in dict.fromkeys(["/", *wanted]) if "ro" in options.get(mount, ())]

    def top(self, column: str) -> str:
        """The first three; their names alone, since arguments may hold a secret."""
        lines = self.say("ps", "-eo", "comm:32", f"--sort=-{column}", "--no-headers").splitlines()
        return ", ".join(line.strip() for line in lines[:3])

    def killed(self) -> list[str]:
        """As the kernel and systemd say it, within a day; where the kernel's log is not to be had, such as in a container, what groups have counted."""
        log = self.said("--dmesg")
        found = [*_KILLED.findall(log), *(line.partition(":")[0] for line in self.said(f"MESSAGE_ID={UNIT_OUT_OF_MEMORY}").splitlines())]
        if not log and not self.said("--dmesg", since="@0", lines="1"):
            found += [each.name for each in groups(self._root) if each.kills]
        return list(dict.fromkeys(found))

    def said(self, *which: str, since: str = "-1day", lines: str = "all") -> str:
        return self.say("journalctl", *which, f"--since={since}", f"--lines={lines}", "--output=cat", "--no-pager", "--quiet").strip()

    def failed_unit(self, name: str) -> dict[str, str]:
        result = self.say("systemctl", "show", "--property=Result", "--value", name).strip()
        said = self.say("journalctl", f"--unit={name}", "--lines=20", "--output=cat", "--no-pager", "--quiet").strip().splitlines()
        # Systemd's own words say less than the program's.
        own = [line for line in said if not line.startswith((name, "Failed to start", "Starting ", "Started ", "Stopped "))]
        return {"unit": name, "result": result, "last": redact((own or said or [""])[-1].strip())[:200]}

    def restarted(self) -> dict[str, int]:
        said = self.say("systemctl", "show", "--property=Id,NRestarts", "--type=service", "*.service")
        pairs = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n"))
        return {each["Id"]: int(each.get("NRestarts") or 0) for each in pairs if "Id" in each}

    def files_open(self) -> tuple[int, int]:
        used, _free, most = self.text("proc/sys/fs/file-nr").split()
        return int(used), int(most)


def diagnose_host(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module host_diagnose answers."""
    return {"findings": [each.as_dict() for each in CATALOG.examine(params["subject"], Symptoms().symptoms(params))]}
