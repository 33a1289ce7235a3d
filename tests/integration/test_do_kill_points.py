# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet is killed at every point and run again: there are exactly as many droplets as declared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from tests import figures
from tests.integration.do_hosts import PORT, answering
from tests.integration.do_inprocess import Account
from tests.integration.do_kills import a_module, moments

DROPLET = {"size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}
FLEET = {"fleet_tag": "shop", "name_prefix": "shop", "count": 20, **DROPLET}


def names(account: Account) -> list[str]:
    return sorted(each["name"] for each in account.world.store.all("droplet"))


def expected(count: int) -> list[str]:
    return sorted(f"shop-{number}" for number in range(1, count + 1))


def blindly(env: Mapping[str, str], _argument: Any) -> None:
    """The control: ask for what is wanted without looking at what is there."""
    http = Http(env["DIGITALOCEAN_API_URL"], headers={"Authorization": f"Bearer {env['DIGITALOCEAN_TOKEN']}"})
    for start in (1, 11):
        http.request("POST", "/v2/droplets", {**DROPLET, "names": [f"shop-{number}" for number in range(start, start + 10)]})


def test_a_creation_that_is_killed_anywhere_ends_with_exactly_twenty(account: Account) -> None:
    started = time.monotonic()
    wrong: dict[int, int] = {}
    points = 0
    for moment in moments(account, lambda: None, a_module, ("do_droplet", FLEET)):
        points += 1
        result = account.module("do_droplet", FLEET)
        assert not result.get("failed"), (moment, result)
        if names(account) != expected(20):
            wrong[moment] = len(names(account))
        assert not account.module("do_droplet", FLEET)["changed"]
    blind = 0
    for _moment in moments(account, lambda: None, blindly, None):
        blindly(account.env, None)
        blind += names(account) != expected(20)
    held = figures.record(
        "do.kill_points",
        len(wrong),
        unit="wrong counts",
        target="== 0",
        of=points,
        seconds=time.monotonic() - started,
        command="make integration",
        control={"what": "create without looking", "value": blind, "red": blind > 0},
    )
    assert held, wrong
    assert points >= 2 * 8
    assert blind


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2])
def test_a_replacement_that_is_killed_anywhere_is_finished(account: Account, batch: int) -> None:
    old = {**FLEET, "count": 2}
    new = {**old, "image": "debian-12-x64", "replace": True, "replace_batch": batch, "replace_health": {"port": PORT}}
    points = 0
    with answering(8):
        for moment in moments(account, lambda: account.module("do_droplet", old), a_module, ("do_droplet", new)):
            points += 1
            assert len(set(names(account))) == 2, f"a name is gone at moment {moment}"
            result = account.module("do_droplet", new)
            assert not result.get("failed"), (moment, result)
            assert names(account) == expected(2), moment
            assert {(each["image"], *each["tags"]) for each in account.world.store.all("droplet")} == {("debian-12-x64", "shop")}, moment
            assert not account.module("do_droplet", new)["changed"], moment
    assert points >= 2 * 12


@pytest.mark.slow
def test_a_resize_that_is_killed_anywhere_is_finished(account: Account) -> None:
    old = {**FLEET, "count": 1}
    new = {**old, "size": "s-1vcpu-2gb", "resize": True}
    points = 0
    for moment in moments(account, lambda: account.module("do_droplet", old), a_module, ("do_droplet", new)):
        points += 1
        result = account.module("do_droplet", new)
        assert not result.get("failed"), (moment, result)
        [droplet] = account.world.store.all("droplet")
        assert (droplet["size"], droplet["status"], droplet["tags"]) == ("s-1vcpu-2gb", "active", ["shop"]), moment
        assert not account.module("do_droplet", new)["changed"], moment
    assert points >= 2 * 12
