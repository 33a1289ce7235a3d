# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App Platform on a cloud of records: an app's whole life, failed deployments and rollbacks."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.integration.do_inprocess import Account

SECRETS = {"db": "postgresql://shop:pa55-w0rd@db/shop", "ghcr": "bot:t0ken-of-the-registry"}
IMAGE = {"registry_type": "GHCR", "registry": "acme", "repository": "shop", "tag": "1.0", "registry_credentials": "SECRET[ghcr]"}
SPEC: dict[str, Any] = {
    "name": "shop",
    "region": "fra",
    "envs": [{"key": "MODE", "value": "production"}],
    "services": [
        {
            "name": "web",
            "image": IMAGE,
            "envs": [{"key": "WORKERS", "value": 2, "type": "GENERAL"}, {"key": "DATABASE_URL", "type": "SECRET", "value": "SECRET[db]", "scope": "RUN_TIME"}],
        }
    ],
    "workers": [{"name": "jobs", "git": {"repo_clone_url": "https://example.com/shop.git", "branch": "main"}}],
}
APP = {"name": "shop", "spec": SPEC, "secrets": SECRETS}


def spec(**web: Any) -> dict[str, Any]:
    """The spec with other settings of its service."""
    changed = deepcopy(SPEC)
    changed["services"][0] |= web
    return changed


def phases(account: Account) -> list[str]:
    found = account.module("do_app_info", {"name": "shop"})["apps"]
    return [each["phase"] for each in found[0]["deployments"]]


def test_matrix(account: Account) -> None:
    made = account.both("do_app", APP)
    assert made["changed"]
    assert (made["app"]["deployment"]["phase"], made["app"]["live_url"] is not None) == ("ACTIVE", True)
    assert not account.both("do_app", APP)["changed"], "the platform's defaults are no change"
    state = dict(APP)
    other = deepcopy(SPEC)
    for change in (
        {"spec": spec(instance_count=3)},
        {"spec": spec(envs=[{"key": "NEW", "value": True}])},
        {"spec": spec(image={**IMAGE, "tag": "2.0"}), "secrets": {**SECRETS, "ghcr": "bot:n3w-token"}},
        {"spec": {**other, "envs": [*other["envs"], {"key": "MORE", "value": "1"}]}},
        {"spec": {**other, "workers": []}},
        {"spec": {**other, "ingress": {"rules": [{"match": {"path": {"prefix": "/shop"}}, "component": {"name": "web"}}]}}},
    ):
        state |= change
        done = account.both("do_app", state)
        assert done["changed"], change
        assert not account.both("do_app", state)["changed"], change
        assert not any(secret in str(done) for secret in (*SECRETS.values(), "EV[", "n3w-token"))
    listed = account.module("do_app_info", {})["apps"]
    assert [each["name"] for each in listed] == ["shop"]
    assert "EV[" not in str(listed)
    assert phases(account) == ["ACTIVE", *["SUPERSEDED"] * 6]
    gone = {"name": "shop", "state": "absent"}
    assert account.both("do_app", gone)["changed"]
    assert not account.both("do_app", gone)["changed"]
    assert account.module("do_app_info", {"name": "shop"})["apps"] == []


def test_a_new_secret_and_a_setting_that_is_declared_no_more_are_noticed(account: Account) -> None:
    account.both("do_app", {**APP, "spec": spec(run_command="shop --fast")})
    assert account.both("do_app", APP)["changed"], "run_command is declared no more"
    assert "run_command" not in str(account.request("GET", "/v2/apps")[1]["apps"][0]["spec"])
    assert account.both("do_app", {**APP, "secrets": {**SECRETS, "db": "postgresql://shop:rotated@db/shop"}})["changed"]
    assert not account.both("do_app", {**APP, "secrets": {**SECRETS, "db": "postgresql://shop:rotated@db/shop"}})["changed"]
    found = account.request("GET", "/v2/apps")[1]["apps"][0]
    found["spec"]["services"][0]["instance_count"] = 5
    assert account.request("PUT", f"/v2/apps/{found['id']}", {"spec": {**found["spec"], "workers": []}})[0] == 200
    assert account.both("do_app", {**APP, "secrets": {**SECRETS, "db": "postgresql://shop:rotated@db/shop"}})["changed"], "somebody removed the workers"


@pytest.mark.parametrize("step", ["BUILD", "DEPLOY"])
def test_a_failed_deployment_is_an_error_with_the_end_of_its_log_and_without_secrets(account: Account, step: str) -> None:
    account.both("do_app", APP)
    account.control("PUT", "settings", {"deployment_fails": step})
    failed = account.module("do_app", {**APP, "spec": spec(instance_count=2)})
    assert failed["failed"] and failed["deployment"]["phase"] == "ERROR"
    for said in (f"Your {step.lower()} job failed", f"the {step.lower()} of web failed: exit status 1", "step 60 of", "WORKERS=2", "DATABASE_URL=****"):
        assert said in failed["msg"], said
    assert "step 5 of" not in failed["msg"], "the end of the log, not all of it"
    assert not any(secret in str(failed) for secret in SECRETS.values())
    assert phases(account) == ["ERROR", "ACTIVE"]
    account.control("PUT", "settings", {"deployment_fails": ""})
    again = account.both("do_app", {**APP, "spec": spec(instance_count=2)})
    assert again["changed"] and phases(account) == ["ACTIVE", "ERROR", "SUPERSEDED"]


def test_a_deployment_is_waited_for_when_that_is_wanted(account: Account, hurried: None) -> None:
    account.control("PUT", "settings", {"boot_seconds": 4.0})
    begun = account.both("do_app", {**APP, "wait": False})
    assert begun["changed"] and begun["app"]["deployment"]["phase"] != "ACTIVE"
    assert not account.both("do_app", {**APP, "wait": False})["changed"]
    # The module's hours pass in the cloud's seconds.
    assert account.module("do_app", {**APP, "wait_timeout": 1_000_000})["app"]["deployment"]["phase"] == "ACTIVE"
    assert len(phases(account)) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"spec": spec(instance_size_slug="huge")}, "spec.services.web.instance_size_slug"),
        ({"spec": {**SPEC, "name": "other"}}, "cannot be renamed"),
        ({"spec": spec(envs=[{"key": "TOKEN", "type": "SECRET", "value": "plain"}])}, "spec.services[web].envs[TOKEN].value"),
        ({"spec": spec(envs=[{"key": "TOKEN", "value": "SECRET[db]"}])}, "type SECRET"),
        ({"secrets": {"ghcr": "x:y"}}, "SECRET[db]"),
        ({"name": "Shop!", "spec": {**SPEC, "name": "Shop!"}}, "spec.name"),
    ],
)
def test_what_is_wrong_with_a_spec_is_named_and_nothing_is_made(account: Account, changed: dict[str, Any], said: str) -> None:
    refused = account.module("do_app", {**APP, **changed})
    assert refused["failed"] and said in refused["msg"], refused
    assert account.request("GET", "/v2/apps")[1]["apps"] == []
    assert not any(secret in str(refused) for secret in SECRETS.values())


def test_back_to_what_served_before_and_not_forth_again(account: Account) -> None:
    account.both("do_app", APP)
    account.both("do_app", {**APP, "spec": spec(instance_count=2)})
    before = account.writes()
    foretold = account.module("do_app_rollback", {"name": "shop"}, check=True)
    asked = {call for call, count in account.writes().items() if before.get(call) != count}
    assert foretold["changed"] and all(call.endswith("/rollback/validate") for call in asked), "a question is all that a dry run asks"
    done = account.module("do_app_rollback", {"name": "shop"})
    assert (done["changed"], done["diff"], done["app"]["pinned"]) == (True, foretold["diff"], False)
    first = account.module("do_app_info", {"name": "shop"})["apps"][0]["deployments"][-1]["id"]
    assert done["app"]["deployment"]["cloned_from"] == first
    assert account.request("GET", "/v2/apps")[1]["apps"][0]["spec"]["services"][0]["instance_count"] == 1
    for arguments in ({}, {"deployment": first}):
        again = account.both("do_app_rollback", {"name": "shop", **arguments})
        assert not again["changed"]
    assert not account.both("do_app", APP)["changed"], "the spec is that of the first deployment again"
    assert "no deployment 1234" in account.module("do_app_rollback", {"name": "shop", "deployment": "1234"})["msg"]
    assert "no app named nothing" in account.module("do_app_rollback", {"name": "nothing"})["msg"]


def test_a_rollback_that_fails_is_reverted_and_one_that_was_killed_is_taken_up(account: Account, hurried: None) -> None:
    account.both("do_app", APP)
    account.both("do_app", {**APP, "spec": spec(instance_count=2)})
    account.control("PUT", "settings", {"deployment_fails": "DEPLOY"})
    failed = account.module("do_app_rollback", {"name": "shop"})
    assert failed["failed"] and "was reverted" in failed["msg"] and "DATABASE_URL=****" in failed["msg"]
    assert SECRETS["db"] not in str(failed)
    account.control("PUT", "settings", {"deployment_fails": ""})
    account.both("do_app", {**APP, "spec": spec(instance_count=2)})
    app = account.request("GET", "/v2/apps")[1]["apps"][0]
    first = account.module("do_app_info", {"name": "shop"})["apps"][0]["deployments"][-1]["id"]
    assert account.request("POST", f"/v2/apps/{app['id']}/rollback", {"deployment_id": first, "skip_pin": False})[0] == 200
    refused = account.module("do_app", {**APP, "spec": spec(instance_count=3)})
    assert refused["failed"] and "do_app_rollback" in refused["msg"]
    assert "in the middle of a rollback" in account.module("do_app_rollback", {"name": "shop", "deployment": "another"})["msg"]
    taken_up = account.both("do_app_rollback", {"name": "shop"})
    assert taken_up["changed"] and not taken_up["app"]["pinned"]
    assert sum(call.endswith("/rollback") for call in account.writes()) == 1
    assert not account.both("do_app", APP)["changed"]


def test_a_database_trusts_an_app_by_its_name(account: Account) -> None:
    made = account.both("do_app", APP)["app"]
    cluster = {"name": "app-pg", "engine": "pg", "size": "db-s-1vcpu-1gb", "region": "fra1", "trusted_sources": [{"app": "shop"}]}
    assert account.both("do_database_cluster", cluster)["database_cluster"]["trusted_sources"] == [f"app:{made['id']}"]
    assert not account.both("do_database_cluster", cluster)["changed"]


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"status": 429, "retry_after": 0}], ids=["answer lost", "503", "429"])
def test_a_fault_makes_neither_two_nor_none(account: Account, hurried: None, fault: dict[str, Any]) -> None:
    account.control("POST", "faults", {"method": "POST", "path": "/v2/apps", **fault})
    assert account.module("do_app", APP)["changed"]
    assert not account.both("do_app", APP)["changed"]
    account.control("POST", "faults", {"method": "PUT", "path": "/v2/apps/*", **fault})
    assert account.module("do_app", {**APP, "spec": spec(instance_count=2)})["app"]["deployment"]["phase"] == "ACTIVE"
    for below in ("", "/commit"):
        account.control("POST", "faults", {"method": "POST", "path": f"/v2/apps/*/rollback{below}", **fault})
    assert not account.module("do_app_rollback", {"name": "shop"})["app"]["pinned"]
    assert len(account.request("GET", "/v2/apps")[1]["apps"]) == 1
    assert not account.both("do_app", APP)["changed"]


def test_forty_five_hide_none_and_two_of_a_name_are_an_error(account: Account) -> None:
    for number in range(45):
        assert account.request("POST", "/v2/apps", {"spec": {"name": f"many-{number}", "workers": SPEC["workers"]}})[0] == 200
    assert account.both("do_app", {**APP, "name": "many-44", "spec": {**SPEC, "name": "many-44"}})["app"]["id"] is not None
    assert len(account.module("do_app_info", {})["apps"]) == 45
    twin = next(each for each in account.world.store.all("app") if each["spec"]["name"] == "many-3")
    account.world.store.put("app", "twin", {**twin, "id": "twin"})
    deployment = next(each for each in account.world.store.all("deployment") if each["app_id"] == twin["id"])
    account.world.store.put("deployment", "twin", {**deployment, "id": "twin", "app_id": "twin"})
    said = account.module("do_app", {**APP, "name": "many-3", "spec": {**SPEC, "name": "many-3"}})
    assert said["failed"] and "two apps named many-3" in said["msg"]
