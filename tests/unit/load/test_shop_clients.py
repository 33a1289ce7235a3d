# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of the rotations' proof see what fails, and only that."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys
from tests.load.shop_clients import MARGIN, Answer, Carrier, Customers

WELL = {"request": 5, "receipt": 2, "pass": 2}


class Shop:
    """Answers as the application does, except for what a test breaks."""

    def __init__(self, lifetime: float = 60) -> None:
        self.signer: Any = keys.make("ES256", "old", 0)
        self.published: Any = self.signer
        self.lifetime = lifetime
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []

    def ask(self, _host: str, method: str, path: str, _body: Any) -> Answer:
        self.asked.append(path)
        if path in self.statuses:
            return Answer(self.statuses[path], {})
        if path == "/.well-known/jwks.json":
            return Answer(200, json.loads(keys.jwks([self.published])), "public, max-age=60")
        return Answer(201, {"id": 1, "receipt": self._token(), "pass": self._token()}) if (method, path) == ("POST", "/orders") else Answer(200, {})

    def _token(self) -> str:
        key = KeySet.import_key_set({"keys": [self.signer]}).get_by_kid(self.signer["kid"])
        return jwt.encode({"alg": "ES256", "kid": self.signer["kid"]}, {"exp": time.time() + self.lifetime}, key)


def visited(shop: Shop, carrier: Carrier | None = None) -> Customers:
    customers = Customers(["web-1"], shop.ask)
    customers.visit(carrier or Carrier())
    return customers


def test_a_visit_is_counted() -> None:
    customers = visited(Shop())
    assert (customers.done, customers.failed) == (WELL, {})


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ({"/orders": 503}, {"request: HTTP 503": 1}),
        ({"/orders/1": 500}, {"request: HTTP 500": 1}),
        ({"/receipts/verify": 401}, {"receipt": 2}),
        ({"/receipts/verify": 502}, {"request: HTTP 502": 2}),
        ({"/.well-known/jwks.json": 503}, {"request: HTTP 503": 2}),
    ],
)
def test_what_fails_is_counted(statuses: dict[str, int], failed: Mapping[str, int]) -> None:
    shop = Shop()
    shop.statuses = statuses
    assert visited(shop).failed == failed


def test_a_request_without_an_answer_has_failed() -> None:
    def lost(*_arguments: Any) -> Answer:
        raise ConnectionResetError

    customers = Customers(["web-1"], lost)
    customers.visit(Carrier())
    assert (customers.done, customers.failed) == ({}, {"request: ConnectionResetError": 1})


def test_a_pass_by_a_key_that_is_not_published_is_refused() -> None:
    shop = Shop()
    shop.signer = keys.make("ES256", "new", 0)
    assert visited(shop).failed == {"pass": 2}


def test_a_carrier_keeps_the_keys_as_long_as_that_is_allowed() -> None:
    """So a key that signs too early is unknown to it, although it is published."""
    shop, carrier = Shop(), Carrier()
    assert visited(shop, carrier).failed == {}
    shop.signer = shop.published = keys.make("ES256", "new", 0)
    assert visited(shop, carrier).failed == {"pass": 2}
    assert shop.asked.count("/.well-known/jwks.json") == 1


def test_nobody_minds_a_paper_whose_time_is_over() -> None:
    shop = Shop(lifetime=MARGIN)
    shop.statuses = {"/receipts/verify": 401}
    customers = visited(shop)
    assert (customers.done, customers.failed) == ({"request": 2}, {})
