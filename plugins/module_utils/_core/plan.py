# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide before acting: a plan is the difference between what is and what should be.

Check mode, diff and ``changed`` are all read off the plan, so they cannot disagree with the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

State = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What will be done.

    verb: "none", "create", "update", "delete", or the name of an operation ("backup", "deploy" ...).
    before, after: comparable states; None means that the thing does not exist. Neither holds a secret.
    steps: sentences for an operator, in the order in which they will happen.
    """

    verb: str
    before: State | None
    after: State | None
    steps: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> bool:
        return self.verb != "none"

    def diff(self) -> dict[str, str]:
        """The plan as Ansible's ``--diff`` prints it."""
        shown = {"before": _render(self.before), "after": _render(self.after)}
        if self.steps:
            shown["prepared"] = "\n".join(self.steps) + "\n"
        return shown


def plan(current: State | None, desired: State | None) -> Plan:
    """Compare two states. A key that ``desired`` does not name is left as it is.

    current: what was read, None if it does not exist.
    desired: what should be, None if it should not exist.
    """
    if desired is None:
        return Plan("none" if current is None else "delete", current, None)
    if current is None:
        return Plan("create", None, desired)
    after = {**current, **desired}
    return Plan("none" if after == dict(current) else "update", current, after)


def differences(current: State | None, desired: State | None) -> dict[str, tuple[Any, Any]]:
    """The fields of ``desired`` that ``current`` does not have yet, as {field: (is, should be)}."""
    if desired is None:
        return {} if current is None else {"state": ("present", "absent")}
    if current is None:
        return {"state": ("absent", "present")}
    return {key: (current.get(key), value) for key, value in desired.items() if current.get(key) != value}


def _render(state: State | None) -> str:
    return "" if state is None else json.dumps(state, indent=2, sort_keys=True, default=str) + "\n"
