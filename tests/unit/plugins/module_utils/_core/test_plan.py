# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan is a pure comparison."""

from __future__ import annotations

import json

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import differences, plan


@pytest.mark.parametrize(
    ("current", "desired", "verb", "changed"),
    [
        (None, None, "none", False),
        (None, {"a": 1}, "create", True),
        ({"a": 1}, None, "delete", True),
        ({"a": 1}, {"a": 1}, "none", False),
        ({"a": 1}, {"a": 2}, "update", True),
        ({"a": 1, "b": 2}, {"a": 1}, "none", False),
        ({"a": 1}, {"b": None}, "update", True),
    ],
)
def test_the_verb_follows_from_the_two_states(current, desired, verb, changed):
    planned = plan(current, desired)
    assert (planned.verb, planned.changed) == (verb, changed)


def test_what_is_not_asked_for_stays():
    assert plan({"a": 1, "b": 2}, {"a": 3}).after == {"a": 3, "b": 2}


def test_the_diff_shows_both_sides_and_is_empty_for_what_does_not_exist():
    shown = plan(None, {"name": "web-1"}).diff()
    assert shown["before"] == ""
    assert json.loads(shown["after"]) == {"name": "web-1"}


@pytest.mark.parametrize(
    ("current", "desired", "left"),
    [
        (None, None, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": (1, 2)}),
        (None, {"a": 1}, {"state": ("absent", "present")}),
        ({"a": 1}, None, {"state": ("present", "absent")}),
    ],
)
def test_differences_name_what_is_left_to_do(current, desired, left):
    assert differences(current, desired) == left
