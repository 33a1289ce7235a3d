# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App specs compared, secrets kept out of sight, and where a rollback leads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import app_spec
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.deployment import Deployments
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.rollback import target

SECRET = {"key": "TOKEN", "type": "SECRET", "value": "SECRET[token]"}
SPEC: dict[str, Any] = {"services": [{"name": "web", "envs": [SECRET, {"key": "MODE", "value": "fast"}], "image": {"repository": "shop"}}]}


@pytest.mark.parametrize(
    ("wanted", "found", "equal"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {}, False),
        ({"a": False, "b": []}, {}, True),
        ({"envs": [{"key": "A", "value": "1", "type": "GENERAL"}]}, {"envs": [{"key": "A", "value": "1", "scope": "RUN_AND_BUILD_TIME"}]}, True),
        ({"envs": [{"key": "A", "value": "1"}]}, {"envs": [{"key": "A", "value": "1"}, {"key": app_spec.MARK, "value": "x"}]}, True),
        ({"envs": [{"key": "A", "value": "1"}]}, {"envs": [{"key": "A", "value": "1"}, {"key": "B", "value": "x"}]}, False),
        ({"services": [{"name": "a"}, {"name": "b"}]}, {"services": [{"name": "b"}, {"name": "a"}]}, True),
        ({"services": [{"name": "a"}]}, {"services": []}, False),
        ({"rules": [{"path": "/"}, {"path": "/a"}]}, {"rules": [{"path": "/a"}, {"path": "/"}]}, False),
        ({"rules": [1]}, {"rules": [1, 2]}, False),
        ({"envs": [SECRET]}, {"envs": [{"key": "TOKEN", "type": "SECRET", "value": "EV[1:a:b]"}]}, True),
        ({"envs": [SECRET]}, {"envs": [{"key": "TOKEN", "type": "SECRET"}]}, False),
        ({"a": {"b": 1}}, {"a": "text"}, False),
    ],
)
def test_what_is_declared_is_compared(wanted: dict[str, Any], found: dict[str, Any], equal: bool) -> None:
    assert (app_spec.comparable(found, wanted) == wanted) is equal


def test_a_spec_that_is_shown_holds_no_secret() -> None:
    found = {
        "envs": [{"key": "TOKEN", "type": "SECRET", "value": "EV[1:a:b]"}, {"key": app_spec.MARK, "value": "mark"}],
        "services": [{"name": "web", "image": {"registry_credentials": "EV[2]"}, "log_destinations": [{"name": "x", "datadog": {"api_key": "k3y"}}]}],
    }
    shown = str(app_spec.hidden(found)) + str(app_spec.comparable(found, {"envs": [], "services": []}))
    assert not any(secret in shown for secret in ("EV[", "k3y", "mark"))
    assert "TOKEN" in shown


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"name": "other"}, "cannot be renamed"),
        ({"envs": [{**SECRET, "value": "plain"}]}, r"spec\.envs\[TOKEN\]\.value"),
        ({"services": [{"name": "web", "image": {"registry_credentials": "u:p"}}]}, r"spec\.services\[web\]\.image\.registry_credentials"),
        ({"envs": [{"key": "A", "value": "x SECRET[a]"}]}, "the type SECRET"),
        ({"services": [{"name": "web", "run_command": "run SECRET[a]"}]}, r"spec\.services\[web\]\.run_command"),
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_without_being_shown(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said) as raised:
        app_spec.declared("shop", spec)
    assert "plain" not in raised.value.message.replace("plain text", "") and "u:p" not in raised.value.message


def test_secrets_are_filled_in_where_they_are_referred_to() -> None:
    spec = app_spec.declared("shop", {"envs": [{**SECRET, "value": "postgresql://u:SECRET[token]@h"}, {"key": "N", "value": 3}, {"key": "B", "value": True}]})
    assert [each["value"] for each in app_spec.filled(spec, {"token": "t"})["envs"]] == ["postgresql://u:t@h", "3", "true"]
    with pytest.raises(OpsError, match=r"SECRET\[token\]"):
        app_spec.filled(spec, {})
    assert app_spec.filled(app_spec.declared("shop", {"envs": [{**SECRET, "value": "EV[1:a:b]"}]}), {})["envs"][0]["value"] == "EV[1:a:b]"


@settings(max_examples=10, deadline=None)
@given(st.text(), st.text())
def test_a_mark_tells_one_secret_from_another(one: str, other: str) -> None:
    spec = app_spec.filled(app_spec.declared("shop", SPEC), {"token": one})
    found = app_spec.marked(spec, app_spec.make_mark(spec))
    assert app_spec.bears(found, spec)
    assert app_spec.bears(found, app_spec.filled(app_spec.declared("shop", SPEC), {"token": other})) is (one == other)


def test_a_mark_does_not_depend_on_the_order_and_is_salted() -> None:
    reordered = {**SPEC, "services": [{**SPEC["services"][0], "envs": SPEC["services"][0]["envs"][::-1]}]}
    assert app_spec.make_mark(reordered, "00" * 16) == app_spec.make_mark(SPEC, "00" * 16)
    assert app_spec.make_mark(SPEC) != app_spec.make_mark(SPEC)
    assert not app_spec.bears({"envs": [{"key": app_spec.MARK, "value": "nonsense"}]}, SPEC)
    assert not app_spec.bears({}, SPEC)


def deployment(number: int, phase: str, tag: str, cloned_from: str | None = None) -> dict[str, Any]:
    return {"id": f"d{number}", "phase": phase, "created_at": f"2026-01-0{number}", "cloned_from": cloned_from, "spec": {"tag": tag}}


@pytest.mark.parametrize(
    ("made", "wanted", "leads_to"),
    [
        ([deployment(2, "ACTIVE", "b"), deployment(1, "SUPERSEDED", "a")], None, "d1"),
        ([deployment(3, "ERROR", "c"), deployment(2, "ACTIVE", "b"), deployment(1, "SUPERSEDED", "a")], None, "d1"),
        ([deployment(3, "ACTIVE", "b"), deployment(2, "SUPERSEDED", "b"), deployment(1, "SUPERSEDED", "a")], None, "d1"),
        ([deployment(3, "ACTIVE", "a", "d1"), deployment(2, "SUPERSEDED", "b"), deployment(1, "SUPERSEDED", "a")], None, None),
        ([deployment(3, "ACTIVE", "a", "d1"), deployment(2, "SUPERSEDED", "b"), deployment(1, "SUPERSEDED", "a")], "d1", None),
        ([deployment(3, "ACTIVE", "a", "d1"), deployment(2, "SUPERSEDED", "b"), deployment(1, "SUPERSEDED", "a")], "d2", "d2"),
        ([deployment(1, "ACTIVE", "a")], "d1", None),
    ],
)
def test_where_a_rollback_leads(made: list[dict[str, Any]], wanted: str | None, leads_to: str | None) -> None:
    active = next(each for each in made if each["phase"] == "ACTIVE")
    assert target(active, made, wanted) == leads_to


@pytest.mark.parametrize(
    ("made", "wanted", "said"),
    [([deployment(1, "ACTIVE", "a")], None, "no earlier"), ([deployment(1, "ACTIVE", "a")], "x", "no deployment x"), ([], None, "serves")],
)
def test_a_rollback_to_nowhere_is_refused(made: list[dict[str, Any]], wanted: str | None, said: str) -> None:
    with pytest.raises(OpsError, match=said):
        target(made[0] if made else None, made, wanted)


class Answer:
    status = 200

    def __init__(self, body: Any) -> None:
        self.body = body


class Failed:
    """An app with a deployment that failed."""

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        if "/logs" in path:
            return Answer({"historic_urls": ["https://logs.example/1"]})
        part = {"component_name": "web", "status": "ERROR", "reason": {"code": "x", "message": "exit 1."}}
        steps = [{"name": "build", "status": "ERROR", "steps": [part]}]
        return Answer({"deployment": {"id": "d1", "phase": "ERROR", "spec": {"envs": [SECRET]}, "progress": {"steps": steps}}})


def test_a_failure_is_explained_without_secrets() -> None:
    log = "\n".join([*(f"line {number}" for number in range(50)), "TOKEN: from elsewhere", '"TOKEN"="quoted"', "uses hunter2hunter2 and hunter2"])
    follower = Deployments(Client(Failed()), lambda _url: log, name="shop", secrets=["hunter2", "hunter2hunter2", ""], timeout=1, clock=Clock())
    with pytest.raises(OpsError) as raised:
        follower.follow("a", "d1")
    message = raised.value.message
    assert "build: web: exit 1." in message and "line 49" in message and "line 10\n" not in message
    assert not any(secret in message for secret in ("hunter2", "elsewhere", "quoted"))


def test_a_log_that_cannot_be_read_does_not_hide_the_failure() -> None:
    def unreadable(_url: str) -> str:
        raise OpsError("A text could not be read: gone.")

    follower = Deployments(Client(Failed()), unreadable, name="shop", secrets=[], timeout=1, clock=Clock())
    with pytest.raises(OpsError, match=r"exit 1\.(.|\n)*could not be read: gone"):
        follower.follow("a", "d1")
