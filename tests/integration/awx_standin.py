# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of AWX in memory, for plays that need one that answers: what ``awx_schedules`` asks, and no more.

test_awx_standin.py has it answer what a real AWX was asked, and compares.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Object = dict[str, Any]
Answer = tuple[int, Any]
TEMPLATE: Object = {"description": "", "limit": "", "execution_environment": None, "ask_variables_on_launch": False, "extra_vars": ""}
SCHEDULE: Object = {"description": "", "enabled": True, "extra_data": {}}
NOWHERE: Answer = (404, {"detail": "Not found."})


class Awx:
    """What a login sees.

    seeds: objects by place, which have ids, names and, where AWX has them in an organization, its id; projects have their playbooks.
    logins: values of the header Authorization that are known.
    first: the first id at places where objects are made.
    now: when it is, for what runs next.
    """

    def __init__(self, seeds: Mapping[str, Sequence[Object]], logins: Collection[str], *, first: Mapping[str, int], now: datetime) -> None:
        self._objects: dict[str, dict[int, Object]] = {place: {each["id"]: dict(each) for each in found} for place, found in seeds.items()}
        self._objects |= {"job_templates": {}, "schedules": {}}
        self._ids = {place: itertools.count(first[place]) for place in ("job_templates", "schedules")}
        self._logins = logins
        self._now = now

    def names(self, place: str) -> set[str]:
        return {each["name"] for each in self._objects[place].values()}

    def named(self, place: str, name: str) -> Object:
        return next(each for each in self._objects[place].values() if each["name"] == name)

    def held(self) -> dict[str, dict[int, Object]]:
        """All that can be made here, as it is now."""
        return {place: copy.deepcopy(self._objects[place]) for place in self._ids}

    def answer(self, method: str, address: str, body: Any, login: str | None) -> Answer:
        url = urlsplit(address)
        query = {name: value for name, value in parse_qsl(url.query) if name != "page_size"}
        place, *further = url.path.removeprefix("/api/v2/").strip("/").split("/")
        if place == "ping":
            return 200, {"version": "24.6.1"}
        if login not in self._logins:
            return 401, {"detail": "Authentication credentials were not provided. To establish a login session, visit /api/login/."}
        if (place, further) == ("schedules", ["preview"]):
            return self._preview(body)
        if not further:
            if method == "POST":
                return self._make(place, {**TEMPLATE, "organization": self._objects["projects"][body["project"]]["organization"], "credentials": [], **body})
            return self._page(place, query)
        found = self._objects[place].get(int(further[0]))
        if found is None:
            return NOWHERE
        if further[1:]:
            return self._related(method, found, further[1], body)
        if method == "DELETE":
            del self._objects[place][found["id"]]
            if place == "job_templates":
                schedules = self._objects["schedules"]
                self._objects["schedules"] = {key: each for key, each in schedules.items() if each["job_template"] != found["id"]}
            return 204, None
        if method == "PATCH":
            found.update(body)
        return 200, self._shown(place, found)

    def _related(self, method: str, found: Object, relation: str, body: Any) -> Answer:
        if relation == "playbooks":
            return 200, found["playbooks"]
        if relation == "schedules":
            of = {"job_template": found["id"]}
            return self._make("schedules", {**SCHEDULE, **of, **body}) if method == "POST" else self._page("schedules", of)
        if relation != "credentials":
            return NOWHERE
        others = [each for each in found["credentials"] if each != body["id"]]
        found["credentials"] = others if body.get("disassociate") else [*others, body["id"]]
        return 204, None

    def _make(self, place: str, made: Object) -> Answer:
        made["id"] = next(self._ids[place])
        self._objects[place][made["id"]] = made
        return 201, self._shown(place, made)

    def _page(self, place: str, query: Mapping[str, Any]) -> Answer:
        found = [each for each in self._objects[place].values() if all(str(each[name]) == str(value) for name, value in query.items())]
        return 200, {"next": None, "results": [self._shown(place, each) for each in found]}

    def _shown(self, place: str, stored: Object) -> Object:
        if place == "schedules":
            following = rrulestr(stored["rrule"].replace(" ", "\n"), tzids=ZoneInfo).after(self._now) if stored["enabled"] else None
            return {**stored, "next_run": following and f"{following.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%SZ}"}
        if place == "job_templates":
            credentials = [self._objects["credentials"][each] for each in stored["credentials"]]
            return {**stored, "summary_fields": {"credentials": credentials}}
        return stored

    def _preview(self, body: Mapping[str, str]) -> Answer:
        try:
            rrulestr(body["rrule"].replace(" ", "\n"), tzids=ZoneInfo)
        except KeyError:
            return 400, {"rrule": ["rrule parsing failed validation: A valid TZID must be provided (e.g., America/New_York)"]}
        return 200, {}


def prepared(token: str, *playbooks: str) -> Awx:
    """One in which an operator made what the role maintenance needs: the organization Shop with a project, an inventory and a credential."""
    shop = {"organization": 2}
    seeds: dict[str, list[Object]] = {
        "organizations": [{"id": 2, "name": "Shop"}],
        "projects": [{"id": 8, "name": "operations", "playbooks": [f"playbooks/{name}.yml" for name in playbooks], **shop}],
        "inventories": [{"id": 3, "name": "production", **shop}],
        "credentials": [{"id": 4, "name": "hosts", **shop}],
    }
    return Awx(seeds, [f"Bearer {token}"], first={"job_templates": 15, "schedules": 14}, now=datetime.now(UTC))


@contextmanager
def served(awx: Awx) -> Iterator[str]:
    """It, on a free port of this machine; the address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
            status, answer = awx.answer(self.command, self.path, body, self.headers.get("Authorization"))
            self.send_response(status)
            self.end_headers()
            if answer is not None:
                self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are nobody's to read."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
