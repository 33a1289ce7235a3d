# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, names, disks and keys of an account: each kind, through its whole life."""

from __future__ import annotations

from tests.integration.do_inprocess import Account


def test_vpc(account: Account) -> None:
    for number in range(45):
        assert account.request("POST", "/v2/vpcs", {"name": f"mx-many-{number}", "region": "fra1"})[0] == 201
    assert not account.both("do_vpc", {"name": "mx-many-44", "region": "fra1"})["changed"]
    assert account.both("do_vpc", {"name": "x", "region": "fra1"})["changed"]
    assert account.both("do_vpc", {"name": "x", "region": "fra1", "description": "more"})["changed"]
    assert account.both("do_vpc", {"name": "x", "state": "absent"})["changed"]
