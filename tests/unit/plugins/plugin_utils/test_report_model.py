# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.plugin_utils.report_model import Recorder


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_step_is_the_sum_of_its_plays_and_not_of_what_lies_between() -> None:
    clock = Clock()
    recorder = Recorder(clock, "then", check=False)
    for step, seconds in (("host", 2), (None, 5), ("host", 3), ("deploy", 4)):
        recorder.start_play(step)
        clock.now += seconds
    recorder.end_play()
    report = recorder.report()
    assert report["seconds"] == 14
    assert [(step["name"], step["offset"], step["seconds"]) for step in report["steps"]] == [("host", 0, 5), ("deploy", 10, 4)]


def test_a_step_that_was_cut_off_is_not_ok() -> None:
    recorder = Recorder(Clock(), "then", check=False)
    recorder.start_play("host")
    recorder.start_play("deploy")
    host, deploy = recorder.report()["steps"]
    assert host["outcome"] == "ok" and "unfinished" not in host
    assert deploy["outcome"] == "failed" and deploy["unfinished"]


def test_the_slowest_tasks_come_first() -> None:
    clock = Clock()
    recorder = Recorder(clock, "then", check=False)
    recorder.start_play("host")
    for name, seconds in (("a", 1), ("b", 9), ("c", 3), ("d", 2), ("e", 4), ("f", 5)):
        recorder.start_task(name)
        clock.now += seconds
    recorder.end_play()
    assert [task["name"] for task in recorder.report()["steps"][0]["slowest"]] == ["b", "f", "e", "c", "d"]
