# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles found on all hosts, and who did not answer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.filter.answers import answers

FOUND = {"id": "host.swap"}
HOSTS = {
    "web-1": {"host_result": {"findings": [FOUND]}, "shop": "here"},
    # What another verb left in the fact is no answer.
    "web-2": {"host_result": {"container": False}},
}


@pytest.mark.parametrize(
    ("expected", "answered"),
    [
        ([], {}),
        ([{"hosts": ["web-1", "web-2", "gone"], "fact": "host_result"}], {"web-1 host_result": True, "web-2 host_result": False, "gone host_result": False}),
        ([{"hosts": ["web-1", "web-2"], "fact": "shop_result", "given": "shop"}], {"web-1 shop_result": False}),
    ],
)
def test_each_fact_that_is_expected_answers_or_does_not(expected: list[dict[str, Any]], answered: dict[str, bool]) -> None:
    told = answers(HOSTS, expected)
    assert {each["subject"]: each["answered"] for each in told} == answered
    assert all((each["findings"] == [FOUND]) == each["answered"] for each in told)
