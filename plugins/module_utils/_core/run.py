# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: the only file that knows check mode, exit and failure.

A module hands over a factory; what it makes is a ``Noun`` (a thing that converges) or an ``Operation`` (a verb
that is performed). Neither knows that Ansible exists.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State, differences, plan


class Noun(Protocol):
    """A thing that exists in a state."""

    def read(self) -> State | None:
        """What is, normalised (order, defaults, units; a secret only as a fingerprint). None: it does not exist."""

    def desired(self, current: State | None) -> State | None:
        """What should be. None: it should not exist. Pure; raises OpsError for a change that is not allowed."""

    def apply(self, planned: Plan) -> None:
        """Make it so."""

    def result(self, state: State | None) -> Mapping[str, Any]:
        """What the task returns for a state, read or predicted: always the same keys."""


class Operation(Protocol):
    """A verb that is performed."""

    def plan(self) -> Plan:
        """What would be done. Reads, never writes."""

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        """Do it and return what the task returns."""

    def result(self, planned: Plan) -> Mapping[str, Any]:
        """What the task returns when nothing is done: nothing to do, or check mode."""


def converge(module: AnsibleModule, make: Callable[[Mapping[str, Any]], Noun]) -> None:
    """Bring a noun into its desired state, look again, and end the module with what was seen."""
    with _failures(module):
        answer = _converged(make(module.params), module.check_mode)
    module.exit_json(**answer)


def perform(module: AnsibleModule, make: Callable[[Mapping[str, Any]], Operation], failure: Mapping[str, Any] | None = None) -> None:
    """Perform a verb, or say what it would do, and end the module with what came of it. failure: what each failure returns that does not say it itself."""
    with _failures(module, failure):
        answer = _performed(make(module.params), module.check_mode)
    module.exit_json(**answer)


def converge_action(task: Any, make: Callable[[], Noun]) -> dict[str, Any]:
    """As ``converge``, in an action plugin, on the control node: return the result of its task."""
    return _answered(lambda: _converged(make(), task.check_mode))


def perform_action(task: Any, make: Callable[[], Operation]) -> dict[str, Any]:
    """As ``perform``, in an action plugin, on the control node: return the result of its task."""
    return _answered(lambda: _performed(make(), task.check_mode))


def inform_action(read: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """As ``inform``, in an action plugin, on the control node: return the result of its task."""
    return _answered(lambda: {"changed": False, **read()})


def _answered(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return act()
    except OpsError as error:
        return {"failed": True, "msg": error.message, **error.details}


def _converged(noun: Noun, check: bool) -> dict[str, Any]:
    before = noun.read()
    desired = noun.desired(before)
    planned = plan(before, desired)
    after = planned.after
    if planned.changed and not check:
        noun.apply(planned)
        after = noun.read()
        _require_converged(after, desired)
    return {"changed": planned.changed, "diff": planned.diff(), **noun.result(after)}


def _performed(operation: Operation, check: bool) -> dict[str, Any]:
    planned = operation.plan()
    act = planned.changed and not check
    result = operation.apply(planned) if act else operation.result(planned)
    return {"changed": planned.changed, "diff": planned.diff(), **result}


def inform(module: AnsibleModule, read: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Answer a question; changes nothing."""
    with _failures(module):
        result = read(module.params)
    module.exit_json(changed=False, **result)


def require_no_log(module: AnsibleModule, *, secret: str, asked: bool) -> None:
    """Refuse to answer with a secret in a task that would show it."""
    if asked and not module.no_log:
        module.fail_json(msg=f"This task would show {secret}: give it no_log=true, and use what it registers in tasks with no_log=true only.")


def _require_converged(after: State | None, desired: State | None) -> None:
    left = differences(after, desired)
    if left:
        listed = ", ".join(f"{key} is {is_!r}, not {should!r}" for key, (is_, should) in sorted(left.items()))
        raise OpsError(
            f"The change was accepted but did not take effect: {listed}. Run again; if it stays so, look at the object itself.", remaining=sorted(left)
        )


@contextmanager
def _failures(module: AnsibleModule, failure: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Translate, once, everything that can go wrong below a module."""
    try:
        yield
    except OpsError as error:
        module.fail_json(msg=error.message, **{**(failure or {}), **error.details})
    except Exception as error:  # a defect of ours: say so, and keep the trace for the report
        module.fail_json(
            msg=f"{type(error).__name__} in {module._name}: this is a defect in groundcrew.ops, please report it with the trace (-vvv).",
            exception=traceback.format_exc(),
            **(failure or {}),
        )
