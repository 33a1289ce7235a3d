# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says, while tasks take their time, which hosts work on what, and for how long."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Say which hosts work on what while a task takes its time
version_added: 0.1.0
author:
  - groundcrew.ops contributors (@groundcrew)
description:
  - Ansible is silent until a task has ended, which for a pull of images, a backup or a gate can take minutes. This prints a line for each task that is under
    way, with its hosts and the time since they began, again and again, to standard error. Results on standard output stay as they are.
  - Shows names of tasks and hosts, never arguments or results.
options:
  seconds:
    description: How often to tell. What is over sooner is not told of.
    type: float
    default: 15
    env:
      - name: GROUNDCREW_PROGRESS_SECONDS
    ini:
      - section: groundcrew_progress
        key: seconds
requirements:
  - enable in configuration (C(callbacks_enabled = groundcrew.ops.progress))
"""

import os
import threading
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

SHOWN_HOSTS = 10


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "groundcrew.ops.progress"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._working: dict[tuple[str, str], tuple[str, float]] = {}
        self._over = threading.Event()
        threading.Thread(target=self._tell, args=(float(self.get_option("seconds")),), daemon=True).start()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._working[host.name, task._uuid] = (task.get_name(), time.monotonic())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._working.pop((result.host.name, result.task._uuid), None)

    v2_runner_on_skipped = v2_runner_on_unreachable = v2_runner_on_ok

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._over.set()

    def _tell(self, every: float) -> None:
        while not self._over.wait(every):
            now = time.monotonic()
            by_task: dict[str, list[tuple[float, str]]] = {}
            for (host, _task), (name, since) in self._working.copy().items():
                if now - since >= every:
                    by_task.setdefault(name, []).append((now - since, host))
            lines = [_line(name, sorted(hosts, reverse=True)) for name, hosts in by_task.items()]
            # Not by Ansible's display: its lock must not be held by this thread when a worker is forked.
            os.write(2, "".join(lines).encode())


def _line(name: str, hosts: list[tuple[float, str]]) -> str:
    shown = ", ".join(f"{host} {seconds:.0f} s" for seconds, host in hosts[:SHOWN_HOSTS])
    more = f" and {len(hosts) - SHOWN_HOSTS} more" if len(hosts) > SHOWN_HOSTS else ""
    return f"... {name}: {shown}{more}\n"
