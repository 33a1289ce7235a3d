# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that takes its time, run as ever, while what a file on the host says of it is told."""

from __future__ import annotations

import copy
import json
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ansible_collections.groundcrew.ops.plugins.module_utils._core.meanwhile import meanwhile

GIVEN_UP = 15.0  # seconds after the module's end, in which a look that hangs may come back


class ToldAction(NormalAction):
    """Ansible hears of a module when it has ended. Until then this looks at a file of the host, by a connection of its own, and prints what it says to
    standard error, whenever that has changed.

    every: seconds between two looks. What is over sooner is not told of, and costs nothing.
    """

    every = 5.0

    def file(self, options: Mapping[str, Any]) -> str | None:
        """The JSON file that the module writes with these options; None where it writes none."""
        raise NotImplementedError

    def words(self, document: Mapping[str, Any]) -> str:
        """What the file says, for people; nothing where there is nothing to tell."""
        raise NotImplementedError

    def run(self, tmp: Any = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        with self._told((task_vars or {}).get("inventory_hostname", "")):
            result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    @contextmanager
    def _told(self, host: str) -> Iterator[None]:
        file = None if self._task.async_val or self._task.check_mode else self.file(self._task.args)
        if file is None:
            yield
            return
        said, began, beside = "", time.monotonic(), self._beside()

        def tell(over: Event) -> None:
            nonlocal said
            words = self._look(beside, file)
            if words not in ("", said) and not over.is_set():
                Display().display(f"... {self._task.get_name()}: {host} {words}, {time.monotonic() - began:.0f} s", stderr=True)
                said = words

        with meanwhile(tell, self.every, GIVEN_UP):
            yield

    def _beside(self) -> ActionBase:
        """This action with a connection that does not share what changes with each command."""
        beside = copy.copy(self)
        beside._connection = copy.copy(self._connection)
        beside._connection.become = copy.copy(self._connection.become)
        return beside

    def _look(self, beside: ActionBase, file: str) -> str:
        # A look that fails must not end what it looks at.
        with suppress(AnsibleError, OSError, ValueError, KeyError, TypeError):
            seen = beside._low_level_execute_command(f"cat {shlex.quote(file)}")
            if seen["rc"] == 0:
                return self.words(json.loads(seen["stdout"]))
        return ""
