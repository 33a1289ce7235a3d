# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's symptoms are called: each check passes and fails, and the facts are read from files and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._host.diagnose import CATALOG, Symptoms
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import Forecast
from ansible_collections.groundcrew.ops.plugins.module_utils._host.processes import FIRST, SECOND, Group, Names, files_of_processes, groups

LIMITS = {"max_percent": 90, "min_memory_percent": 5, "max_load": 2.0, "min_days": 14}
WELL: dict[str, Any] = {
    "file_systems": [{"mount": "/", "used_percent": 40, "inodes_percent": 10}],
    "forecast": [Forecast("/", "bytes", None), Forecast("/", "inodes", 14.0)],
    "not_writable": [],
    "memory_mib": 1000,
    "available_mib": 400,
    "memory_groups": [Group("app.service", 900 << 20, 0, 0), Group("db.service", 60 << 20, 100 << 20, 0)],
    "largest": "postgres, node, sshd",
    "busiest": "node, postgres, sshd",
    "killed": [],
    "failed_units": [],
    "restarted": {"ssh.service": 0},
    "load_5_minutes": 1.0,
    "processors": 2,
    "files_open": (1000, 100000),
    "files_of_processes": [("node", 800, 1024)],
    **LIMITS,
}
ILL: dict[str, dict[str, Any]] = {
    "disk": {"file_systems": [{"mount": "/srv", "used_percent": 97, "inodes_percent": 10}]},
    "inodes": {"file_systems": [{"mount": "/srv", "used_percent": 40, "inodes_percent": 100}]},
    "filling": {"forecast": [Forecast("/", "bytes", 13.9)]},
    "read_only": {"not_writable": ["/srv"]},
    "memory": {"available_mib": 20},
    "out_of_memory": {"killed": ["node"]},
    "units": {"failed_units": [{"unit": "app.service", "result": "exit-code", "last": "no such table"}]},
    "restarts": {"restarted": {"app.service": 12}},
    "load": {"load_5_minutes": 9.0},
    "open_files": {"files_open": (99000, 100000)},
}


def failing(facts: dict[str, Any]) -> set[str]:
    return {each.id.rpartition(".")[2] for each in CATALOG.examine("web-1", facts) if each.verdict == "fail"}


def test_a_host_that_is_well_has_no_fault() -> None:
    assert {each.verdict for each in CATALOG.examine("web-1", WELL)} == {"pass"}


def test_every_check_has_a_fault() -> None:
    assert {f"{CATALOG.noun}.{name}" for name in ILL} == {rule.check.id for rule in CATALOG.rules}


@pytest.mark.parametrize(
    ("fault", "facts"),
    [
        ("memory", {"memory_groups": [Group("db.service", 96 << 20, 100 << 20, 0)]}),
        ("open_files", {"files_of_processes": [("node", 1000, 1024)]}),
    ],
)
def test_a_limit_of_one_process_is_reached_before_the_host_s(fault: str, facts: dict[str, Any]) -> None:
    assert failing({**WELL, **facts}) == {fault}


@pytest.mark.parametrize("fault", ILL)
def test_each_fault_is_named_and_no_other(fault: str) -> None:
    assert failing({**WELL, **ILL[fault]}) == {fault}


SAID = {
    "ps -eo comm:32 --sort=-rss": "postgres\nnode\nsshd\ncron\n",
    "ps -eo comm:32 --sort=-pcpu": "node\npostgres\nsshd\n",
    "journalctl MESSAGE_ID": "app.service: A process of this unit has been killed by the OOM killer.\n",
    "journalctl --dmesg": "eth0: up\nOut of memory: Killed process 812 (node) total-vm:2000kB\n",
    "systemctl list-units": "app.service loaded failed failed The application\n",
    "systemctl show --property=Result": "exit-code\n",
    "journalctl --unit=app.service": "Starting app...\nrefused: postgres://shop:hunter2@db/shop token=abc\napp.service: Failed with result 'exit-code'.\n",
    "systemctl show --property=Id": "Id=app.service\nNRestarts=12\n\nId=ssh.service\nNRestarts=0\n",
}


class Said(Runner):
    def __init__(self, said: Mapping[str, str] = SAID) -> None:
        self._said = said

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        line = " ".join(argv)
        return Completed(tuple(argv), 0, next(said for begin, said in self._said.items() if line.startswith(begin)), "")


def test_symptoms_are_read_and_secrets_are_not_shown(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "sys/fs").mkdir(parents=True)
    mounts = [f"/dev/vda{number} /{name} ext4 {mode},relatime 0 0\n" for number, (name, mode) in enumerate((("", "ro"), ("srv", "ro"), ("old", "ro")))]
    (proc / "mounts").write_text("".join(mounts))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fstab").write_text("# a comment\nUUID=1 /srv ext4 defaults 0 2\nUUID=2 /old ext4 ro 0 2\n")
    (proc / "meminfo").write_text("MemTotal:       2048000 kB\nMemAvailable:     20480 kB\n")
    (proc / "loadavg").write_text("9.00 8.00 7.00 1/100 4000\n")
    (proc / "sys/fs/file-nr").write_text("990\t0\t1000\n")
    facts = Symptoms(Said(), str(tmp_path)).symptoms(LIMITS)
    assert (facts["memory_mib"], facts["available_mib"], facts["load_5_minutes"], facts["files_open"]) == (2000, 20, 8.0, (990, 1000))
    assert facts["largest"] == "postgres, node, sshd" and facts["killed"] == ["node", "app.service"] and facts["restarted"]["app.service"] == 12
    assert facts["failed_units"] == [
        {"unit": "app.service", "result": "exit-code", "last": "refused: postgres://shop:<secret>@db/shop token=<secret>"},
    ]
    assert facts["not_writable"] == ["/", "/srv"]
    assert {"read_only", "memory", "out_of_memory", "units", "restarts", "open_files"} <= failing(facts)


@pytest.mark.parametrize(("kind", "controllers", "kills"), [(SECOND, "", "oom 2\noom_kill 2\n"), (FIRST, "memory", "under_oom 0\noom_kill 2\n")])
def test_control_groups_of_both_versions_are_read(tmp_path: Path, kind: Names, controllers: str, kills: str) -> None:
    container = "/docker/" + "0123456789ab" + 52 * "0"
    for number, name in enumerate(("/system.slice/app.service", "/system.slice/app.service", container)):
        (tmp_path / f"proc/{number}").mkdir(parents=True)
        (tmp_path / f"proc/{number}/cgroup").write_text(f"5:cpu,cpuacct:/elsewhere\n4:{controllers}:{name}\n")
    for name, most in (("/system.slice", "max"), ("/system.slice/app.service", str(100 << 20)), (container, "9223372036854771712")):
        folder = tmp_path / kind.folder / name.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in ((kind.used, str(99 << 20)), (kind.most, most), ("memory.stat", f"{kind.inactive} {9 << 20}\n"), (kind.kills, kills)):
            (folder / file).write_text(text)
    seen = [Group("app.service", 90 << 20, 100 << 20, 2), Group("container 0123456789ab", 90 << 20, 0, 2), Group("system.slice", 90 << 20, 0, 2)]
    assert groups(tmp_path) == seen
    # Where the kernel's log is not to be had, what the groups have counted is what is known.
    silent = Symptoms(Said({"journalctl": ""}), str(tmp_path))
    assert silent.killed() == [each.name for each in seen]


def test_processes_near_their_limit_of_open_files_are_told(tmp_path: Path) -> None:
    for number, (name, used) in enumerate((("node", 9), ("sshd", 4), ("gone", 0))):
        folder = tmp_path / f"proc/{number}"
        folder.mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "limits").write_text("Limit  Soft Limit  Hard Limit  Units\nMax open files            10        4096        files\n")
        if used:
            (folder / "fd").mkdir()
        for file in range(used):
            (folder / f"fd/{file}").touch()
    assert list(files_of_processes(tmp_path)) == [("node", 9, 10)]
