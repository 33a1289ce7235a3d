# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of AWX, as AWX itself answered: every request has to be the recorded one, and gets the answer that AWX 24.6.1 gave to it.

To record anew, have an AWX with the organization Shop, which has the inventory production, the credential hosts of the type Machine, and the
project operations with the playbooks audit, diagnose, maintain_run, patch and rotate; then set GROUNDCREW_AWX_RECORD=yes, CONTROLLER_HOST,
CONTROLLER_USERNAME and CONTROLLER_PASSWORD, and run this file.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._awx.client import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http, Response
from tests.integration.do_inprocess import main_of

TAPE = Path(__file__).with_name("awx_answers.json")
RECORD = bool(os.environ.get("GROUNDCREW_AWX_RECORD"))
LOGIN = {"CONTROLLER_HOST": "http://awx.test", "CONTROLLER_USERNAME": "admin", "CONTROLLER_PASSWORD": "not-recorded"}
ENV = {name: os.environ[name] for name in LOGIN} if RECORD else LOGIN
KEPT = {
    *("id", "name", "description", "playbook", "project", "inventory", "limit", "execution_environment", "ask_variables_on_launch", "extra_vars"),
    *("rrule", "enabled", "extra_data", "next_run", "detail", "next", "results", "summary_fields", "credentials", "version"),
}
HOSTS: dict[str, Any] = {
    "name": "hosts",
    "playbook": "playbooks/maintain_run.yml",
    "extra_vars": {"maintenance_hosts": "app"},
    "schedules": [
        {"name": "apt-cache", "description": "Delete downloaded packages.", "calendar": "Sun *-*-* 03:10", "extra_vars": {"maintenance_run": ["apt-cache"]}},
        {"name": "disk-forecast", "calendar": "*-*-* 00/6:20", "extra_vars": {"maintenance_run": ["disk-forecast"]}},
    ],
}
PATCH: dict[str, Any] = {"name": "patch", "playbook": "playbooks/patch.yml", "schedules": [{"name": "monthly", "calendar": "Wed *-*-08..14 07:00"}]}
FEWER: dict[str, Any] = {**HOSTS, "extra_vars": {}, "schedules": [{**HOSTS["schedules"][0], "calendar": "Sat *-*-* 04:00"}]}
DECLARED: dict[str, Any] = {
    "owner": "groundcrew production",
    "organization": "Shop",
    "project": "operations",
    "inventory": "production",
    "credentials": ["hosts"],
    "templates": [HOSTS, PATCH],
}


class Tape:
    """Answers, in the order in which they were given."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = [] if RECORD else json.loads(TAPE.read_text())
        self.at = 0
        self._send = Http._send

    def send(self, http: Http, method: str, path: str, body: Any) -> Response:
        asked = {"method": method, "path": path, "body": json.loads(json.dumps(body))}
        if RECORD:
            answer = self._send(http, method, path, body)
            made = method != "GET" and answer.status < 300
            self.answers.append(
                {**asked, "status": answer.status, "answer": {"id": answer.body["id"]} if made and "id" in (answer.body or ()) else kept(answer.body)}
            )
            return answer
        recorded = self.answers[self.at]
        self.at += 1
        assert asked == {name: recorded[name] for name in asked}, "AWX was not asked this: record anew, as the head of this file says"
        return Response(recorded["status"], {}, copy.deepcopy(recorded["answer"]))


def kept(body: Any) -> Any:
    """What is of use in an answer."""
    if isinstance(body, list):
        return [kept(each) for each in body]
    if isinstance(body, dict) and {"id", "results", "credentials"} & body.keys():
        return {key: kept(value) for key, value in body.items() if key in KEPT}
    return body


@pytest.fixture(scope="module")
def tape() -> Iterator[Tape]:
    tape = Tape()
    with mock.patch.object(Http, "_send", lambda http, *asked: tape.send(http, *asked)):
        yield tape
    if RECORD:
        TAPE.write_text("[\n" + ",\n".join(json.dumps(answer, sort_keys=True) for answer in tape.answers) + "\n]\n")
    else:
        assert tape.at == len(tape.answers), "AWX was asked more when it was recorded"


def run(*, check: bool = False, env: Mapping[str, str] = ENV, **changes: Any) -> dict[str, Any]:
    return main_of(env, "awx_schedules", {**DECLARED, **changes}, check=check)


def names(result: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in result["schedules"]]


def test_schedules(tape: Tape) -> None:
    """One after the other, as each finds what the one before left."""
    client = connect({name.lower(): value for name, value in ENV.items()})
    assert client.get("ping")["version"] == "24.6.1"

    # The dry run promises what the run does, and a second run changes nothing.
    promised = run(check=True)
    made = run()
    assert promised["changed"] and made["changed"], made
    assert promised["diff"]["before"] == "" and promised["diff"]["after"] == made["diff"]["after"]
    expected = [f"groundcrew production: {name}" for name in ("hosts / apt-cache", "hosts / disk-forecast", "patch / monthly")]
    assert names(made) == names(promised) == expected
    assert "T03:10:00Z" in made["schedules"][0]["next_run"] and not promised["schedules"][0]["next_run"]
    assert not run()["changed"]

    # A template goes with all its schedules, so not with somebody else's.
    [patch] = client.list("job_templates", name="groundcrew production: patch")
    theirs = {"name": "theirs", "rrule": made["schedules"][0]["rrule"]}
    theirs["id"] = client.send("POST", f"job_templates/{patch['id']}/schedules", theirs)["id"]
    assert "which is somebody else's" in run(templates=[HOSTS])["msg"]
    assert not run()["changed"], "theirs is left alone"
    in_the_way = {**PATCH, "schedules": [{**PATCH["schedules"][0], "name": "theirs"}]}
    assert "has 'groundcrew production: patch / theirs' already, and not from here" in run(templates=[HOSTS, in_the_way])["msg"]
    client.send("DELETE", f"schedules/{theirs['id']}")

    # What is no longer declared goes, unless only a part is declared.
    paused = {**PATCH, "schedules": [{**PATCH["schedules"][0], "enabled": False}]}
    assert not run(templates=[HOSTS], exclusive=False)["changed"]
    assert run(templates=[HOSTS, paused], credentials=[])["schedules"][2] == {**made["schedules"][2], "enabled": False, "next_run": None}
    fewer: dict[str, Any] = {"templates": [FEWER], "credentials": []}
    assert run(check=True, **fewer)["changed"]
    changed = run(**fewer)
    assert changed["changed"] and names(changed) == expected[:1] and "T04:00:00Z" in changed["schedules"][0]["next_run"]
    assert not run(**fewer)["changed"]

    # What cannot be is an error before anything is changed.
    assert "has no playbook playbooks/no.yml; it has playbooks/audit.yml" in run(templates=[{**HOSTS, "playbook": "playbooks/no.yml"}])["msg"]
    assert "AWX answered 400" in run(check=True, templates=[FEWER, PATCH], credentials=[], timezone="Mars/Base")["msg"]
    assert "AWX has no project 'none'" in run(project="none")["msg"]
    assert "AWX refuses the login" in run(env={**ENV, "CONTROLLER_PASSWORD": "wrong"})["msg"]
    assert not run(**fewer)["changed"]

    # Removal takes everything of the owner, and nothing else.
    [project] = client.list("projects", name="operations")
    [inventory] = client.list("inventories", name="production")
    other = {"name": "groundcrew staging: hosts", "project": project["id"], "inventory": inventory["id"], "playbook": "playbooks/audit.yml"}
    other["id"] = client.send("POST", "job_templates", other)["id"]
    assert run(check=True, state="absent")["changed"]
    assert run(state="absent")["schedules"] == []
    assert not run(state="absent")["changed"]
    assert client.get(f"job_templates/{other['id']}")["name"] == other["name"]
    client.send("DELETE", f"job_templates/{other['id']}")


@pytest.mark.parametrize(
    ("missing", "words"), [("CONTROLLER_HOST", "CONTROLLER_HOST"), ("CONTROLLER_PASSWORD", "CONTROLLER_OAUTH_TOKEN")], ids=["address", "login"]
)
def test_a_missing_login_is_said(missing: str, words: str) -> None:
    assert words in run(env={name: value for name, value in LOGIN.items() if name != missing})["msg"]


def test_a_calendar_that_awx_cannot_have_is_said_before_it_is_asked() -> None:
    years = [{**PATCH, "schedules": [{"name": "once", "calendar": "2027-01-01 03:00"}]}]
    assert "'2027-01-01 03:00' cannot be a schedule of AWX: it names years" in run(env=LOGIN, templates=years)["msg"]
