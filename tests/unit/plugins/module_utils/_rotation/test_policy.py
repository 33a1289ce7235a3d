# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of secrets, as tables and properties."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Rotation, Secret, State
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import Schedule

PASSWORD = policy.recipe("password", 192, policy.ALPHABET, ())
USERS = policy.recipe("database_user", 192, policy.ALPHABET, ("shop_a", "shop_b"))
DAY = 86400.0

ALL = tuple(state for state in State if state is not State.PLANNED)


def secret(created: float = 0.0, username: str = "shop_a") -> Secret:
    return Secret("shop/database", USERS, policy.version({"username": username, "password": "x"}, "v1", created, "salt"))


def rotation(**changes: object) -> Rotation:
    return replace(Rotation("r", "shop/database", "dual_user", ("web-1", "web-2"), "old", "new", State.PLANNED), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "bits", "alphabet", "users", "message"),
    [
        ("password", 127, policy.ALPHABET, (), "fewer than 128"),
        ("password", 192, "abc", (), "at least 10"),
        ("password", 192, "aabcdefghijk", (), "each of them once"),
        ("password", 192, "abcdefghij k", (), "printable ASCII"),
        ("password", 192, "abcdefghijé", (), "printable ASCII"),
        ("password", 192, policy.ALPHABET, ("shop_a", "shop_b"), "has no users"),
        ("database_user", 192, policy.ALPHABET, ("shop_a",), "exactly two"),
        ("database_user", 192, policy.ALPHABET, ("shop_a", "shop_a"), "exactly two"),
    ],
)
def test_a_recipe_that_cannot_be_followed(kind: str, bits: int, alphabet: str, users: tuple[str, ...], message: str) -> None:
    with pytest.raises(OpsError, match=message):
        policy.recipe(kind, bits, alphabet, users)


@given(bits=st.integers(128, 1024), size=st.integers(10, 62))
def test_a_generated_password_has_the_entropy_and_no_more_length_than_that_takes(bits: int, size: int) -> None:
    recipe = policy.recipe("password", bits, policy.ALPHABET[:size], ())
    value = policy.generate(recipe, "v")
    assert isinstance(value, str)
    assert set(value) <= set(recipe.alphabet)
    assert len(value) * math.log2(size) >= bits > (len(value) - 1) * math.log2(size)


def test_generated_values_differ_and_use_the_whole_alphabet() -> None:
    values = {policy.generate(PASSWORD, "v") for _value in range(200)}
    assert len(values) == 200
    assert set("".join(str(value) for value in values)) == set(PASSWORD.alphabet)


def test_a_database_user_names_the_first_user_unless_told() -> None:
    assert policy.generate(USERS, "v")["username"] == "shop_a"  # type: ignore[index]
    assert policy.generate(USERS, "v", "shop_b")["username"] == "shop_b"  # type: ignore[index]


@given(left=st.text(), right=st.text(), salt=st.text(min_size=1))
def test_a_fingerprint_identifies_a_value(left: str, right: str, salt: str) -> None:
    assert (policy.fingerprint(left, salt) == policy.fingerprint(right, salt)) == (left == right)
    assert policy.fingerprint(left, salt) != policy.fingerprint(left, f"{salt}.")


def test_the_order_of_fields_does_not_matter() -> None:
    assert policy.fingerprint({"a": "1", "b": "2"}, "s") == policy.fingerprint({"b": "2", "a": "1"}, "s")


def test_a_version_does_not_show_its_value() -> None:
    assert "the-value" not in repr(policy.version("the-value", "id", 0.0, "salt"))
    assert "the-value" not in repr(Secret("name", PASSWORD, policy.version("the-value", "id", 0.0, "salt")))


def test_a_clock_that_was_set_back_gives_no_negative_age() -> None:
    assert policy.age_days(secret(created=10 * DAY), 0.0) == 0.0


@pytest.mark.parametrize(("current", "next_one"), [("shop_a", "shop_b"), ("shop_b", "shop_a")])
def test_users_take_turns(current: str, next_one: str) -> None:
    assert policy.other_user(secret(username=current)) == next_one


def test_a_user_that_is_none_of_the_two_is_not_guessed_about() -> None:
    with pytest.raises(OpsError, match="changed by hand"):
        policy.other_user(secret(username="somebody"))


def test_the_pending_id_is_the_same_after_a_restart() -> None:
    assert policy.pending_id("r1") == policy.pending_id("r1") != policy.pending_id("r2")


@pytest.mark.parametrize("state", list(State))
def test_the_phases_cover_what_is_left_once(state: State) -> None:
    left = policy.remaining(rotation(state=state), ALL)
    assert left == tuple(State)[state.order + 1 :]


def test_nothing_is_left_of_a_rotation_that_ended() -> None:
    assert policy.remaining(rotation(outcome="back"), ALL) == ()


@pytest.mark.parametrize(
    ("acknowledged", "missing"),
    [
        ({}, ["web-1 (said nothing)", "web-2 (said nothing)"]),
        ({"web-1": "new"}, ["web-2 (said nothing)"]),
        ({"web-1": "new", "web-2": "old"}, ["web-2 (uses old, not new)"]),
        ({"web-1": "new", "web-2": "new", "web-3": "old"}, []),
    ],
)
def test_who_has_not_acknowledged(acknowledged: dict[str, str], missing: list[str]) -> None:
    assert policy.missing(rotation(acknowledged=acknowledged), "new") == missing


def test_a_journal_without_its_plan_is_refused() -> None:
    with pytest.raises(OpsError, match="does not begin with a plan"):
        policy.fold([{"kind": "completed", "state": "SET", "at": 1.0}])


def test_no_journal_is_no_rotation() -> None:
    assert policy.fold([]) is None


def test_proven_is_when_the_current_version_was_last_seen_at_work() -> None:
    seen = rotation(new="v1", entered={State.TESTED: 60.0})
    assert policy.facts(secret(), seen, 0, Schedule())["proven"] == "1970-01-01T00:01:00Z"
    assert policy.facts(secret(), replace(seen, entered={**seen.entered, State.OBSERVED: 120.0}), 0, Schedule())["proven"] == "1970-01-01T00:02:00Z"


def test_facts_hold_no_value() -> None:
    told = policy.facts(secret(), rotation(state=State.GRACE), 3 * DAY, Schedule())
    assert told["state"] == "GRACE"
    assert told["consumers"] == ["web-1", "web-2"]
    assert told["proven"] is None
    assert told["age_days"] == 3.0
    assert "password" not in told
    assert policy.facts(secret(), rotation(outcome="done"), 0, Schedule())["state"] == "STEADY"
