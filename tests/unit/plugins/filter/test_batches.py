# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.groundcrew.ops.plugins.filter.batches import batches

HOSTS = [f"h{number}" for number in range(9)]


@pytest.mark.parametrize(
    ("count", "sizes", "lengths"),
    [
        (0, [1], []),
        (1, [1, "25%", "100%"], [1]),
        (3, [1, "25%", "100%"], [1, 1, 1]),
        (9, [1, "25%", "100%"], [1, 2, 6]),
        (9, ["50%"], [4, 4, 1]),
        (9, [2], [2, 2, 2, 2, 1]),
        (9, ["100%"], [9]),
    ],
)
def test_every_host_is_in_one_batch_in_order(count: int, sizes: list[Any], lengths: list[int]) -> None:
    found = batches(HOSTS[:count], sizes)
    assert [len(batch) for batch in found] == lengths
    assert [host for batch in found for host in batch] == HOSTS[:count]


@pytest.mark.parametrize("sizes", [[], [0], ["0%"], ["half"], [-1]])
def test_what_is_no_size_is_refused(sizes: list[Any]) -> None:
    with pytest.raises(AnsibleFilterError):
        batches(HOSTS, sizes)
