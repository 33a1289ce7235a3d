# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's symptoms are called: each check passes and fails, and the facts are read from files and programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._host.diagnose import CATALOG, Symptoms
from ansible_collections.groundcrew.ops.plugins.module_utils._host.forecast import Forecast

LIMITS = {"max_percent": 90, "min_memory_percent": 5, "max_load": 2.0, "min_days": 14}
WELL: dict[str, Any] = {
    "file_systems": [{"mount": "/", "used_percent": 40, "inodes_percent": 10}],
    "forecast": [Forecast("/", "bytes", None), Forecast("/", "inodes", 14.0)],
    "root_options": ["rw", "relatime"],
    "memory_mib": 1000,
    "available_mib": 400,
    "largest": "postgres, node, sshd",
    "busiest": "node, postgres, sshd",
    "killed": [],
    "failed_units": [],
    "restarted": {"ssh.service": 0},
    "load_5_minutes": 1.0,
    "processors": 2,
    "files_open": (1000, 100000),
    **LIMITS,
}
ILL: dict[str, dict[str, Any]] = {
    "disk": {"file_systems": [{"mount": "/srv", "used_percent": 97, "inodes_percent": 10}]},
    "inodes": {"file_systems": [{"mount": "/srv", "used_percent": 40, "inodes_percent": 100}]},
    "filling": {"forecast": [Forecast("/", "bytes", 13.9)]},
    "read_only": {"root_options": ["ro"]},
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


@pytest.mark.parametrize("fault", ILL)
def test_each_fault_is_named_and_no_other(fault: str) -> None:
    assert failing({**WELL, **ILL[fault]}) == {fault}


SAID = {
    "ps -eo comm:32 --sort=-rss": "postgres\nnode\nsshd\ncron\n",
    "ps -eo comm:32 --sort=-pcpu": "node\npostgres\nsshd\n",
    "journalctl --dmesg": "eth0: up\nOut of memory: Killed process 812 (node) total-vm:2000kB\n",
    "systemctl list-units": "app.service loaded failed failed The application\n",
    "systemctl show --property=Result": "exit-code\n",
    "journalctl --unit=app.service": "Starting app...\nrefused: postgres://shop:hunter2@db/shop token=abc\napp.service: Failed with result 'exit-code'.\n",
    "systemctl show --property=Id": "Id=app.service\nNRestarts=12\n\nId=ssh.service\nNRestarts=0\n",
}


class Said(Runner):
    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        line = " ".join(argv)
        return Completed(tuple(argv), 0, next(said for begin, said in SAID.items() if line.startswith(begin)), "")


def test_symptoms_are_read_and_secrets_are_not_shown(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "sys/fs").mkdir(parents=True)
    (proc / "mounts").write_text("/dev/vda1 / ext4 ro,relatime 0 0\n")
    (proc / "meminfo").write_text("MemTotal:       2048000 kB\nMemAvailable:     20480 kB\n")
    (proc / "loadavg").write_text("9.00 8.00 7.00 1/100 4000\n")
    (proc / "sys/fs/file-nr").write_text("990\t0\t1000\n")
    facts = Symptoms(Said(), str(tmp_path)).symptoms(LIMITS)
    assert (facts["memory_mib"], facts["available_mib"], facts["load_5_minutes"], facts["files_open"]) == (2000, 20, 8.0, (990, 1000))
    assert facts["largest"] == "postgres, node, sshd" and facts["killed"] == ["node"] and facts["restarted"]["app.service"] == 12
    assert facts["failed_units"] == [
        {"unit": "app.service", "result": "exit-code", "last": "refused: postgres://shop:<secret>@db/shop token=<secret>"},
    ]
    assert {"read_only", "memory", "out_of_memory", "units", "restarts", "open_files"} <= failing(facts)
