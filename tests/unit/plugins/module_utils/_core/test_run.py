# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner as one table: what happens in a run, in check mode, without a change, and on failure."""

from __future__ import annotations

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan


class Ended(BaseException):
    """Stands for the exit of the process."""


class FakeModule:
    def __init__(self, check_mode=False):
        self.params = {"name": "web"}
        self.check_mode = check_mode
        self._name = "fake"
        self.answer = {}

    def exit_json(self, **answer):
        self.answer = answer
        raise Ended

    def fail_json(self, **answer):
        self.answer = {"failed": True, **answer}
        raise Ended


class Thing:
    """A noun whose world is a dictionary."""

    def __init__(self, world, want, deaf=False):
        self.world, self.want, self.deaf, self.applied = world, want, deaf, 0

    def read(self):
        return self.world.get("thing")

    def desired(self, current):
        return self.want

    def apply(self, planned):
        self.applied += 1
        if self.deaf:
            return
        if planned.after is None:
            del self.world["thing"]
        else:
            self.world["thing"] = dict(planned.after)

    def result(self, state):
        return {"thing": state}


class Verb:
    def __init__(self, verb):
        self.verb, self.applied = verb, 0

    def plan(self):
        return Plan(self.verb, {"n": 1}, {"n": 2}, steps=("count one up",))

    def apply(self, planned):
        self.applied += 1
        return {"counted": True}

    def result(self, planned):
        return {"counted": False}


def end(function, module, made):
    with pytest.raises(Ended):
        function(module, lambda params: made)
    return module.answer


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("before", "want", "changed"),
    [({}, {"size": 1}, True), ({"thing": {"size": 1}}, {"size": 1}, False), ({"thing": {"size": 1}}, {"size": 2}, True), ({"thing": {"size": 1}}, None, True)],
)
def test_converge_changes_the_same_in_both_modes_and_acts_only_in_a_run(before, want, changed, check_mode):
    noun = Thing(dict(before), want)
    answer = end(run.converge, FakeModule(check_mode), noun)
    assert answer["changed"] is changed
    assert answer["thing"] == want
    assert noun.applied == int(changed and not check_mode)


def test_converge_fails_when_the_change_did_not_take_effect():
    answer = end(run.converge, FakeModule(), Thing({"thing": {"size": 1}}, {"size": 2}, deaf=True))
    assert answer["failed"]
    assert "size is 1, not 2" in answer["msg"]


@pytest.mark.parametrize(("verb", "check_mode", "applied"), [("count", False, 1), ("count", True, 0), ("none", False, 0)])
def test_perform_acts_only_on_a_change_outside_check_mode(verb, check_mode, applied):
    operation = Verb(verb)
    answer = end(run.perform, FakeModule(check_mode), operation)
    assert operation.applied == applied
    assert answer["changed"] is (verb != "none")
    assert answer["counted"] is bool(applied)
    assert answer["diff"]["prepared"] == "count one up\n"


def test_inform_never_changes():
    module = FakeModule()
    with pytest.raises(Ended):
        run.inform(module, lambda params: {"seen": params["name"]})
    assert module.answer == {"changed": False, "seen": "web"}


def test_an_expected_failure_is_a_message_without_a_trace():
    def fail(params):
        raise OpsError("The disk is full.", path="/var")

    module = FakeModule()
    with pytest.raises(Ended):
        run.inform(module, fail)
    assert module.answer == {"failed": True, "msg": "The disk is full.", "path": "/var"}


@pytest.mark.parametrize(("error", "verdict"), [(OpsError("No."), "failed"), (OpsError("No.", verdict="refused"), "refused"), (KeyError("x"), "failed")])
def test_a_failed_verb_returns_what_the_error_does_not_say(error, verdict):
    class Failing(Verb):
        def plan(self):
            raise error

    module = FakeModule()
    with pytest.raises(Ended):
        run.perform(module, lambda params: Failing("count"), {"verdict": "failed"})
    assert module.answer["verdict"] == verdict


def test_a_defect_says_that_it_is_one_and_keeps_its_message_out_of_the_headline():
    def fail(params):
        raise KeyError("s3cret")

    module = FakeModule()
    with pytest.raises(Ended):
        run.inform(module, fail)
    assert "defect" in module.answer["msg"]
    assert "s3cret" not in module.answer["msg"]
    assert "KeyError" in module.answer["exception"]
