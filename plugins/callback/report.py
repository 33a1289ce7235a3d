# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a run did as report.json and report.html."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
short_description: Write what a run built, changed and proved as report.json and report.html
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Groups plays by their variable C(report_step); several plays may share a step, plays without one are not reported.
  - Measures each step, lists what changed on which host, and keeps the facts that roles answer with (C(<role>_result)).
  - Both files are replaced as a whole after each step and every few seconds, so that a run that was killed leaves what it had done.
    A step that was cut off is C(failed) and C(unfinished).
  - Nothing of a task with C(no_log) is written.
options:
  directory:
    description: The folder to write to; it is made when it does not exist. On the control node.
    type: path
    default: report
    env:
      - name: GROUNDCREW_REPORT_DIR
    ini:
      - section: groundcrew_report
        key: directory
requirements:
  - enable in configuration (C(callbacks_enabled = groundcrew.ops.report))
"""

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.plugin_utils import report_page
from ansible_collections.groundcrew.ops.plugins.plugin_utils.report_model import Recorder

SET_FACT = {"set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact"}

# A long step is written this often between its tasks; each write waits for the disk.
REFRESH_SECONDS = 5


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "groundcrew.ops.report"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._item_messages: dict[str, list[str]] = {}
        self._recorder = Recorder(time.monotonic, started, check=bool(context.CLIARGS.get("check")))
        self._directory = Path(self.get_option("directory"))
        self._directory.mkdir(parents=True, exist_ok=True)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        step = play.get_vars().get("report_step")
        self._recorder.start_play(None if step is None else str(step))
        self._write()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._item_messages = {}
        self._recorder.start_task(task.get_name())
        if time.monotonic() - self._written > REFRESH_SECONDS:
            self._write()

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._item_messages = {}
        self._recorder.start_task(task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._recorder.result(result.host.name, changed=result.is_changed())
        # A result of a task with no_log arrives censored: it has no facts.
        if result.task.action in SET_FACT:
            for name, value in result.result.get("ansible_facts", {}).items():
                if name.endswith("_result") and not name.startswith("_"):
                    self._recorder.fact(result.host.name, name, value)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if ignore_errors or _rescued(result.task):
            self._recorder.result(result.host.name, changed=result.is_changed())
        else:
            self._recorder.failure(result.host.name, "\n".join(self._item_messages.get(result.host.name, [])) or _message(result.result))

    def v2_runner_item_on_failed(self, result: Any) -> None:
        # The result of the loop that follows says only that some item failed.
        self._item_messages.setdefault(result.host.name, []).append(_message(result.result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if result.task.ignore_unreachable:
            self._recorder.result(result.host.name, changed=False)
        else:
            self._recorder.failure(result.host.name, _message(result.result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._recorder.end_play()
        self._write()

    def _write(self) -> None:
        report = self._recorder.report()
        write_atomic(self._directory / "report.json", json.dumps(report, indent=2, default=str) + "\n")
        write_atomic(self._directory / "report.html", report_page.render(report))
        self._written = time.monotonic()


def _message(result: Any) -> str:
    """Why a task failed. A result of a task with no_log arrives censored."""
    return str(result.get("msg", "")).strip() or "It failed without a message."


def _rescued(task: Any) -> bool:
    """Whether a block around the task catches its failure; what fails inside a rescue is not caught."""
    child, parent = task, task._parent
    while parent is not None:
        if getattr(parent, "rescue", None) and any(child._uuid == inner._uuid for inner in parent.block):
            return True
        child, parent = parent, getattr(parent, "_parent", None)
    return False
