# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request fails, no login and no token is refused in ten rotations of everything that the quickstart's application is given:
a database's users, a cache's, keys that it verifies itself, and keys by which others verify.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys
from localcloud.shell import wait_until
from tests import figures
from tests.load.shop_clients import Customers
from tests.load.shop_world import SECRETS, Logins, Shop

pytestmark = pytest.mark.slow
ROTATIONS = 10
KINDS = ("request", "receipt", "pass")


@pytest.fixture(scope="module")
def shop(cloud: Any) -> Iterator[Shop]:
    with closing(Shop(cloud)) as made:
        made.open()
        yield made


@contextmanager
def load(shop: Shop) -> Iterator[tuple[Customers, Logins]]:
    with Customers(list(shop.hosts.values())).running() as customers, shop.logins() as logins:
        wait_until("every kind of work", lambda: all(customers.done[kind] for kind in KINDS), seconds=120, pause=0.2)
        yield customers, logins


def told(customers: Customers, logins: Logins) -> dict[str, Any]:
    return {"done": dict(customers.done), "failed": dict(customers.failed), "accepted": logins.accepted, "refused": logins.refused}


def failures(customers: Customers, logins: Logins) -> int:
    return customers.failed.total() + sum(len(each) for each in logins.refused.values())


def total(customers: Customers, logins: Logins) -> int:
    return customers.done.total() + sum(logins.accepted.values()) + failures(customers, logins)


def rotate(shop: Shop) -> None:
    """All four, by the playbook that operators use."""
    before = shop.current()
    shop.must("rotate.yml")
    after = shop.current()
    assert not {name for name in SECRETS if before[name] == after[name]}


def broken(shop: Shop) -> dict[str, int]:
    """The controls: what rotating must not be. How many requests, logins and tokens were refused by each; the shop is well again afterwards."""
    with load(shop) as (customers, logins):
        user = shop.secret("shop/database").current.part("username")
        shop.sql(f"ALTER ROLE {user} PASSWORD 'another'")
        wait_until("a login to be refused", lambda: bool(logins.refused["database"]), seconds=60, pause=0.2)
        shop.redis("ACL", "DELUSER", shop.secret("shop/cache").current.part("username"))
        wait_until("a login to be refused", lambda: bool(logins.refused["cache"]), seconds=60, pause=0.2)
        shop.must("deploy.yml")
    seen = {"another password for the live user": len(logins.refused["database"]), "a user deleted before there is another": len(logins.refused["cache"])}

    with load(shop) as (customers, logins):
        replaced = {name: keys.make(algorithm, "unknown", 256) for name, algorithm in (("receipt_keys", "HS256"), ("pass_keys", "ES256"))}
        at_once = [
            {**each, "value": keys.keyset(replaced[each["name"]], []), "version": "replaced at once"} if each["name"] in replaced else each
            for each in shop.given["compose_app_secrets"]
        ]
        shop.must("deploy.yml", compose_app_secrets=at_once)
    seen["a key of receipts deleted while they live"] = customers.failed["receipt"]
    seen["a key that signs passes before carriers know it"] = customers.failed["pass"]
    shop.must("deploy.yml")
    return seen


def test_a_second_rotation_waits_until_the_consumers_have_moved(shop: Shop) -> None:
    """Nobody moves after the first begin: a second one makes nothing new, and nothing old is taken away."""
    before = shop.secret("shop/database").current.id
    with load(shop) as (customers, logins):
        assert shop.phase("shop/database", "begin").rc == 0
        published = shop.secret("shop/database").current.id
        assert published != before
        assert shop.phase("shop/database", "begin").rc == 0
        assert shop.secret("shop/database").current.id == published
        refused = shop.phase("shop/database", "finish")
        assert refused.rc != 0
        assert "1 of 1 consumers of shop/database have not acknowledged the new version" in " ".join(refused.output.split()), refused.output
        shop.must("rotate.yml", secret_rotate_which="shop/database")
        assert shop.secret("shop/database").current.id == published
        shop.must("rotate.yml", secret_rotate_which="shop/database")
        assert shop.secret("shop/database").current.id != published
    assert failures(customers, logins) == 0, told(customers, logins)


def test_nothing_fails_in_ten_rotations_of_everything(shop: Shop) -> None:
    begun = time.monotonic()
    failed = done = 0
    for rotation in range(1, ROTATIONS + 1):
        with load(shop) as (customers, logins):
            rotate(shop)
        print(f"rotation {rotation} of {ROTATIONS}: {json.dumps(told(customers, logins))}", flush=True)
        failed += failures(customers, logins)
        done += total(customers, logins)
        assert failed == 0
    red = broken(shop)
    print(f"controls: {json.dumps(red)}", flush=True)
    figures.record(
        "rotation.requests_failed",
        failed,
        unit="requests, logins and tokens",
        of=done,
        target="== 0",
        command="make load",
        control={"what": f"least of {', '.join(red)}", "value": min(red.values()), "red": all(red.values())},
        seconds=time.monotonic() - begun,
    )
    assert all(red.values()), red
