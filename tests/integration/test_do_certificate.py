# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""do_certificate: a certificate is exchanged wherever it is used, and its key is shown nowhere. Its life otherwise: test_do_network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import certificate, resource
from tests.integration.do_inprocess import Account
from tests.integration.do_kills import a_module, moments
from tests.integration.do_tls import own

HTTP = {"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 8080}
HTTPS = {**HTTP, "entry_protocol": "https", "entry_port": 443, "certificate": "shop"}
BALANCER = {"region": "fra1", "forwarding_rules": [HTTP, HTTPS], "droplets": []}
# As a task without no_log is run by a very verbose play.
SEEN = {"_ansible_no_log": False, "_ansible_inject_invocation": True}
OLD, NEW = own("shop.example.com"), own("shop.example.com")


@pytest.fixture
def shop(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with a certificate that two load balancers use, and a third does not."""
    for module in (resource, certificate):
        monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    furnish(account)
    return account


def furnish(account: Account) -> None:
    account.control("PUT", "settings", {"settle_seconds": 0})
    account.module("do_certificate", {"name": "shop", **OLD})
    account.module("do_certificate", {"name": "shop-other", **OLD})
    for name, used in (("first", "shop"), ("second", "shop"), ("third", "shop-other")):
        rules = [HTTP, {**HTTPS, "certificate": used}]
        done = account.module("do_load_balancer", {"name": name, **BALANCER, "forwarding_rules": rules, "enable_proxy_protocol": True})
        assert not done.get("failed"), done


def used(account: Account) -> dict[str, list[str]]:
    """The fingerprints that each load balancer shows to visitors."""
    known = {each["id"]: each["sha1_fingerprint"] for each in account.request("GET", "/v2/certificates")[1]["certificates"]}
    found = account.request("GET", "/v2/load_balancers")[1]["load_balancers"]
    return {each["name"]: [known[rule["certificate_id"]] for rule in each["forwarding_rules"] if rule["certificate_id"]] for each in found}


def test_another_certificate_goes_to_each_load_balancer_that_used_the_old_one(shop: Account) -> None:
    old, new = (certificate.fingerprint(each["leaf_certificate"]) for each in (OLD, NEW))
    before = {each["name"]: each for each in shop.request("GET", "/v2/load_balancers")[1]["load_balancers"]}
    done = shop.both("do_certificate", {"name": "shop", **NEW})["certificate"]
    assert (done["fingerprint"], done["superseded"], done["load_balancers"], done["object_name"]) == (new, [], ["first", "second"], f"shop-{new[:12]}")
    assert used(shop) == {"first": [new], "second": [new], "third": [old]}
    after = {each["name"]: each for each in shop.request("GET", "/v2/load_balancers")[1]["load_balancers"]}
    for name, each in after.items():
        assert {**each, "forwarding_rules": None} == {**before[name], "forwarding_rules": None}, "nothing else is touched"
    assert not shop.both("do_certificate", {"name": "shop", **NEW})["changed"]
    rules = {"name": "first", **BALANCER, "enable_proxy_protocol": True}
    assert not shop.both("do_load_balancer", rules)["changed"], "its name is still the name"
    refused = shop.module("do_certificate", {"name": "shop", "state": "absent"}, check=True)
    assert "used by load balancer first, second" in refused["msg"]
    told = shop.module("do_certificate_info", {"name": "shop"})["certificates"]
    assert [each["fingerprint"] for each in told] == [new]


def test_the_key_is_shown_nowhere(account: Account) -> None:
    lines = [line for pair in (OLD, NEW) for line in pair["private_key"].splitlines()[1:-1]]
    shown = [account.module("do_certificate", {"name": "shop", **OLD, **SEEN}, check=check) for check in (True, False, False)]
    shown.append(account.module("do_certificate", {"name": "other", **OLD, "private_key": NEW["private_key"], **SEEN}))
    assert "private_key does not belong" in shown[-1]["msg"] and shown[-1]["fields"] == ["leaf_certificate", "private_key"]
    assert {each["invocation"]["module_args"]["private_key"] for each in shown} == {"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}
    shown.append(account.module("do_certificate_info", {}))
    assert not [line for line in lines if line in json.dumps(shown)]


def test_one_that_cannot_be_issued_says_why_and_is_made_anew(shop: Account) -> None:
    wanted: dict[str, Any] = {"name": "shop", "dns_names": ["shop.example.com"]}
    before = used(shop)
    said = shop.module("do_certificate", wanted)
    assert said["failed"] and "do_domain" in said["msg"]
    assert used(shop) == before, "who used the old one still does"
    assert "being exchanged" in shop.module("do_load_balancer", {"name": "first", **BALANCER})["msg"]
    shop.request("POST", "/v2/domains", {"name": "example.com"})
    done = shop.both("do_certificate", wanted)["certificate"]
    assert (done["status"], done["type"], done["load_balancers"], done["superseded"]) == ("verified", "lets_encrypt", ["first", "second"], [])


def test_what_is_no_certificate_is_said_before_anything_is_asked(account: Account) -> None:
    chain = OLD["leaf_certificate"] + NEW["leaf_certificate"]
    assert "holds 2 certificates" in account.module("do_certificate", {"name": "shop", **OLD, "leaf_certificate": chain}, check=True)["msg"]
    wrong = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"
    assert "not a certificate in PEM" in account.module("do_certificate", {"name": "shop", **OLD, "leaf_certificate": wrong}, check=True)["msg"]
    assert account.calls() == {}


@pytest.mark.slow
def test_an_exchange_that_is_killed_anywhere_is_finished(account: Account) -> None:
    new = certificate.fingerprint(NEW["leaf_certificate"])
    points = 0
    for moment in moments(account, lambda: furnish(account), a_module, ("do_certificate", {"name": "shop", **NEW})):
        points += 1
        done = account.module("do_certificate", {"name": "shop", **NEW})
        assert not done.get("failed"), (moment, done)
        assert [used(account)[name] for name in ("first", "second")] == [[new], [new]], moment
        assert len(account.request("GET", "/v2/certificates")[1]["certificates"]) == 2, moment
        assert not account.module("do_certificate", {"name": "shop", **NEW})["changed"], moment
    assert points >= 2 * 10
