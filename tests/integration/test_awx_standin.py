# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in of AWX answers what AWX 24.6.1 answered on the tape of test_awx_schedules.py, as far as the module reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._awx.schedules import SCHEDULE, TEMPLATE
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from tests.integration.awx_standin import Answer, Awx, served

TAPE = Path(__file__).with_name("awx_answers.json")
# What the module reads of objects, by their place; of others, and of what it made or changed, no more than their ids.
READ = {"job_templates": {"id", "name", "extra_vars", *TEMPLATE}, "schedules": {"id", "name", "next_run", *SCHEDULE}}


def read(method: str, path: str, status: int, body: Any) -> Any:
    """What the module reads of an answer."""
    parts = path.partition("?")[0].strip("/").split("/")
    place = parts[-2] if parts[-1].isdigit() else parts[-1]
    fields = READ.get(place, {"id"}) if method == "GET" else {"id"}

    def of(found: dict[str, Any]) -> dict[str, Any]:
        credentials = found["summary_fields"].get("credentials", []) if method == "GET" and place == "job_templates" else []
        return {**{name: found[name] for name in fields & found.keys()}, "credentials": [each["id"] for each in credentials]}

    if status >= 300 or not isinstance(body, dict):
        return status, body
    return status, {**body, "results": [of(each) for each in body["results"]]} if "results" in body else of(body)


def replayed(kind: type[Awx]) -> list[tuple[str, Any, Any]]:
    """What was asked on the tape, and both answers, where the stand-in's is another one."""
    tape = json.loads(TAPE.read_text())
    playbooks = next(each["answer"] for each in tape if each["path"].endswith("/playbooks/"))
    seeds: dict[str, list[dict[str, Any]]] = {}
    for place in ("organizations", "projects", "inventories", "credentials"):
        found = next(each["answer"]["results"] for each in tape if each["path"].startswith(f"/api/v2/{place}/?"))
        shared = {"playbooks": playbooks} if place == "projects" else {}
        seeds[place] = [{**each, **shared, "organization": each["summary_fields"].get("organization", {}).get("id")} for each in found]
    first = {
        place: next(each["answer"]["id"] for each in tape if each["path"].endswith(f"/{place}/") and each["status"] == 201)
        for place in ("job_templates", "schedules")
    }
    # When it was: before the first run that AWX foretold, of a task of every six hours.
    foretold = (each["answer"]["utc"][0] for each in tape if "/preview/" in each["path"] and each["status"] == 200)
    now = datetime.strptime(min(foretold), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - timedelta(hours=1)
    differ = []
    with served(kind(seeds, ["Bearer known"], first=first, now=now)) as address:
        for each in tape:
            http = Http(address, headers={"Authorization": "Bearer wrong" if each["status"] == 401 else "Bearer known"})
            answer = http.request(each["method"], each["path"], each["body"])
            expected, said = (read(each["method"], each["path"], *one) for one in ((each["status"], each["answer"]), (answer.status, answer.body)))
            if expected != said:
                differ.append((f"{each['method']} {each['path']}", expected, said))
    return differ


class Forgetful(Awx):
    """Descriptions are not kept."""

    def answer(self, method: str, address: str, body: Any, login: str | None) -> Answer:
        kept = {name: value for name, value in body.items() if name != "description"} if isinstance(body, dict) else body
        return super().answer(method, address, kept, login)


def test_the_stand_in_answers_as_awx_did() -> None:
    assert replayed(Awx) == []
    assert replayed(Forgetful), "a stand-in that forgets descriptions is not seen"
