# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that runs maintenance tasks, as systemd starts it: a process of its own."""

from __future__ import annotations

import getpass
import json
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles" / "maintenance" / "files" / "groundcrew_run.py"


class Runner:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, *command: str, timeout: float = 30, more: Sequence[str] = ()) -> subprocess.Popen[str]:
        options = ["--name", name, "--timeout", str(timeout), "--user", getpass.getuser(), "--records", str(self.folder), "--lock", str(self.folder / "lock")]
        return subprocess.Popen([sys.executable, str(PROGRAM), *options, *more, "--", *command], stdout=subprocess.PIPE, text=True)

    def run(self, name: str, *command: str, timeout: float = 30, more: Sequence[str] = ()) -> int:
        process = self.start(name, *command, timeout=timeout, more=more)
        process.communicate(timeout=60)
        return process.returncode

    def record(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / f"{name}.json").read_text()))

    def wait_until_it_runs(self, name: str) -> None:
        for _turn in range(200):
            if (self.folder / f"{name}.json").exists() and self.record(name)["outcome"] == "running":
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} did not start")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_success_is_recorded_with_its_last_lines(runner: Runner) -> None:
    assert runner.run("a", "sh", "-c", "seq 1 30; echo $0", "--not-an-option-of-mine") == 0
    record = runner.record("a")
    assert (record["outcome"], record["exit_code"], record["failures"]) == ("ok", 0, 0)
    assert record["lines"] == [*map(str, range(12, 31)), "--not-an-option-of-mine"]
    assert record["started"] <= record["ended"] == record["last_ok"]


def test_failures_are_counted_until_the_next_success(runner: Runner) -> None:
    assert runner.run("a", "true") == 0
    good = runner.record("a")["last_ok"]
    assert runner.run("a", "sh", "-c", "exit 3") == 3
    assert runner.run("a", "/does/not/exist") == 127
    record = runner.record("a")
    assert (record["failures"], record["last_ok"]) == (2, good)
    assert "Cannot run /does/not/exist" in record["lines"][-1]
    assert runner.run("a", "true") == 0
    assert runner.record("a")["failures"] == 0


def test_task_that_takes_too_long_is_stopped_with_all_it_started(runner: Runner) -> None:
    mark = f"{time.time_ns() % 10**9}.5"
    assert runner.run("a", "sh", "-c", f"sleep {mark} & sleep {mark}", timeout=0.5) == 124
    assert runner.record("a")["outcome"] == "timed out"
    assert subprocess.run(["pgrep", "-f", f"sleep {mark}"], stdout=subprocess.DEVNULL, check=False).returncode == 1


def test_task_that_is_stopped_says_so(runner: Runner) -> None:
    process = runner.start("a", "sleep", "60")
    runner.wait_until_it_runs("a")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143 and runner.record("a")["outcome"] == "stopped"


def test_one_at_a_time(runner: Runner) -> None:
    first = runner.start("a", "sleep", "1")
    runner.wait_until_it_runs("a")
    assert runner.run("b", "true") == 0
    assert first.poll() is not None or first.wait(5) == 0
    assert runner.record("b")["waited"] > 0.3
    assert runner.record("b")["started"] >= runner.record("a")["started"] + 1
    first.communicate(timeout=5)


def test_what_only_reads_runs_beside_another(runner: Runner) -> None:
    other = runner.start("verify", "sleep", "60")
    runner.wait_until_it_runs("verify")
    assert runner.run("report", "true", more=["--beside"]) == 0
    assert other.poll() is None and runner.record("report")["waited"] < 1
    other.terminate()
    other.communicate(timeout=30)


def test_waiting_ends_and_the_record_names_who_was_waited_for(runner: Runner) -> None:
    assert runner.run("report", "true") == 0
    good = runner.record("report")["last_ok"]
    other = runner.start("verify", "sleep", "60")
    runner.wait_until_it_runs("verify")
    assert runner.run("report", "touch", str(runner.folder / "ran"), more=["--wait", "0.5"]) == 124
    record = runner.record("report")
    assert (record["outcome"], record["failures"], record["last_ok"]) == ("timed out", 1, good)
    assert record["lines"] == ["Not started: verify still ran after 0.5 s."] and record["waited"] >= 0.5
    assert other.poll() is None and not (runner.folder / "ran").exists()
    other.terminate()
    other.communicate(timeout=30)
    # It was asked to wait, not to hurry.
    assert runner.run("report", "sleep", "1", more=["--wait", "0.5"]) == 0


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/system.slice/a.service", {"system.slice/a.service/memory.events": "low 0\noom 2\noom_kill 1\n", "system.slice/a.service/pids.events": "max 3\n"}),
        (
            "9:name=systemd:/a.service\n8:pids:/a.service\n4:memory:/a.service\n0::/a.service",
            {"memory/a.service/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "pids/a.service/pids.events": "max 3\n"},
        ),
        ("0::/", {}),
    ],
    ids=["second version", "first version", "none"],
)
def test_what_the_kernel_counts_at_limits_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str]) -> None:
    program = runpy.run_path(str(PROGRAM))
    (tmp_path / "own").write_text(groups)
    for name, content in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(content)
    found = program["at_limits"]
    monkeypatch.setitem(found.__globals__, "GROUPS", tmp_path / "groups")
    monkeypatch.setitem(found.__globals__, "OWN_GROUP", tmp_path / "own")
    assert found() == ((1, 3) if files else (0, 0))


def test_run_that_never_ended_counts_as_a_failure(runner: Runner) -> None:
    process = runner.start("a", "sleep", "60")
    runner.wait_until_it_runs("a")
    process.kill()
    process.communicate(timeout=30)
    assert runner.record("a")["outcome"] == "running"
    assert runner.run("a", "false") == 1
    assert runner.record("a")["failures"] == 2
