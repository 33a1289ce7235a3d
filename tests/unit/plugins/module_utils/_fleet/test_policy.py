# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who joins and who leaves a fleet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import Membership


def counted(count: int | None, **more: int | bool) -> Membership:
    return Membership("host", prefix="shop", count=count, **more)  # type: ignore[arg-type]


def there(*numbers: int, safe: tuple[int, ...] = ()) -> dict[str, bool]:
    return {f"shop-{number}": number in safe for number in numbers}


@pytest.mark.parametrize(
    ("count", "current", "wanted"),
    [
        (2, there(), ["shop-1", "shop-2"]),
        (3, there(1, 3), ["shop-1", "shop-2", "shop-3"]),
        (3, there(9, 10), ["shop-1", "shop-9", "shop-10"]),
        (2, there(1, 2, 10), ["shop-1", "shop-2"]),
        (2, there(1, 2, 3, safe=(3,)), ["shop-1", "shop-3"]),
        (0, there(1), []),
    ],
)
def test_gaps_are_filled_from_below_and_the_highest_leave(count: int, current: dict[str, bool], wanted: list[str]) -> None:
    assert policy.members(counted(count), current) == wanted


def test_names_are_exact_and_others_are_no_members() -> None:
    fleet = Membership("host", names=("a", "b"))
    assert policy.members(fleet, {}) == ["a", "b"]
    assert [policy.belongs(fleet, name) for name in ("a", "c")] == [True, False]
    assert [policy.belongs(counted(1), name) for name in ("shop-1", "shop-01", "shop-x", "shop", "other-1")] == [True, False, False, False, False]


def test_an_absent_fleet_has_no_members_and_no_limit() -> None:
    gone = counted(5, present=False)
    assert policy.members(gone, there(1, 2, 3)) == []
    assert policy.leaving(gone, there(1, 2, 3), []) == ["shop-1", "shop-2", "shop-3"]


@pytest.mark.parametrize(
    ("fleet", "current", "said"),
    [
        (counted(None), there(1), "count is not given"),
        (counted(1), there(1, 2, 3), "more than max_delete=1 allows"),
        (counted(1, max_delete=9), there(1, 2, safe=(1, 2)), "2 hosts have the tag 'protect'"),
        (counted(0, present=False), there(1, safe=(1,)), "shop-1 would be removed but has the tag 'protect'"),
    ],
)
def test_what_may_not_leave(fleet: Membership, current: dict[str, bool], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        policy.leaving(fleet, current, policy.members(fleet, current))


def test_two_of_a_name_are_an_error() -> None:
    with pytest.raises(OpsError, match=r"two hosts named a \(ids 1 and 2\)"):
        policy.unique("host", [{"name": "a", "id": 1}, {"name": "a", "id": 2}])


@given(st.integers(0, 12), st.sets(st.integers(1, 15)), st.sets(st.integers(1, 15)))
def test_the_count_is_exact_and_nobody_moves_without_need(count: int, numbers: set[int], safe: set[int]) -> None:
    current = there(*numbers, safe=tuple(safe))
    fleet = counted(count, max_delete=99)
    if sum(current.values()) > count:
        with pytest.raises(OpsError):
            policy.members(fleet, current)
        return
    wanted = policy.members(fleet, current)
    assert len(wanted) == len(set(wanted)) == count
    joins, leaves = set(wanted) - set(current), policy.leaving(fleet, current, wanted)
    assert not (joins and leaves)
    assert not any(current[name] for name in leaves)
    assert policy.members(fleet, {name: current.get(name, False) for name in wanted}) == wanted
