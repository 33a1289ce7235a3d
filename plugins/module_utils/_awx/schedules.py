# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job templates of AWX and their schedules, as one thing: what carries the owner's mark is made, changed and removed together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._awx.client import Client, Object, connect
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State
from ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.oncalendar import rule

ASKS = "ask_variables_on_launch"
TEMPLATE = ("description", "playbook", "project", "inventory", "limit", "execution_environment", ASKS)
SCHEDULE = ("description", "rrule", "enabled", "extra_data")


class Schedules:
    """All that one owner has in an organization."""

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self._client = client
        self._params = params
        self._present = params["state"] == "present"
        self._mark = f"Managed by groundcrew.ops for {params['owner']}; change it there."
        self._rules = {self._key(template, each): rule(each["calendar"], params["timezone"]) for template, each in self._declared()}
        # By name, as AWX has them; a schedule's name is that of its template and its own.
        self._ids: dict[str, int] = {}
        self._strangers: set[str] = set()
        self._next: dict[str, str | None] = {}
        self._wanted: State | None = None

    def read(self) -> State | None:
        organization = self._client.one("organizations", "organization", self._params["organization"])["id"]
        if self._present and self._wanted is None:
            self._wanted = self._want(organization)
        self._ids, self._strangers, self._next = {}, set(), {}
        templates: dict[str, State] = {}
        schedules: dict[str, State] = {}
        for found in self._client.list("job_templates", organization=organization):
            if not self._known(found, found["name"]):
                continue
            templates[found["name"]] = _template(found)
            for each in self._client.list(f"job_templates/{found['id']}/schedules"):
                key = f"{found['name']} / {each['name']}"
                if self._known(each, key):
                    schedules[key] = {name: each[name] for name in SCHEDULE}
                    self._next[key] = each["next_run"]
        for key, text in self._rules.items():
            if key not in schedules or schedules[key]["rrule"] != text:
                self._client.send("POST", "schedules/preview", {"rrule": text})  # asks whether AWX takes it, and makes nothing
        return {"templates": templates, "schedules": schedules} if templates else None

    def desired(self, current: State | None) -> State | None:
        wanted = self._wanted
        if wanted is not None and current is not None and not self._params["exclusive"]:
            wanted = _joined(wanted, current)
        for key in sorted(self._strangers):
            template, slash, _schedule = key.partition(" / ")
            if wanted is not None and key in {**wanted["templates"], **wanted["schedules"]}:
                raise OpsError(f"AWX has '{key}' already, and not from here: rename it there, or choose another owner.")
            if slash and (wanted is None or template not in wanted["templates"]):
                raise OpsError(f"'{template}' would be removed from AWX, and with it '{key}', which is somebody else's: move that to another template first.")
        return wanted

    def apply(self, planned: Plan) -> None:
        before: Mapping[str, Any] = planned.before or {"templates": {}, "schedules": {}}
        after: Mapping[str, Any] = planned.after or {"templates": {}, "schedules": {}}
        for name, template in after["templates"].items():
            if before["templates"].get(name) != template:
                self._put_template(name, template, before["templates"].get(name))
        for key, schedule in after["schedules"].items():
            if before["schedules"].get(key) != schedule:
                template, _slash, name = key.partition(" / ")
                if key in self._ids:
                    self._client.send("PATCH", f"schedules/{self._ids[key]}", schedule)
                else:
                    self._client.send("POST", f"job_templates/{self._ids[template]}/schedules", {"name": name, **schedule})
        for place, kind in (("schedules", "schedules"), ("job_templates", "templates")):
            for key in sorted(before[kind].keys() - after[kind].keys()):
                self._client.send("DELETE", f"{place}/{self._ids[key]}")

    def result(self, state: State | None) -> Mapping[str, Any]:
        schedules = (state or {"schedules": {}})["schedules"]
        wanted, there = self._wanted or {}, state or {}
        return {
            "kept": sorted(key for kind in wanted for key, each in wanted[kind].items() if _meant(there[kind][key]) != _meant(each)),
            "schedules": [
                {"name": key, "rrule": each["rrule"], "enabled": each["enabled"], "next_run": self._next.get(key)} for key, each in sorted(schedules.items())
            ],
        }

    def _want(self, organization: int) -> State:
        params, client = self._params, self._client
        project = client.one("projects", "project", params["project"], organization=organization)["id"]
        playbooks = client.get(f"projects/{project}/playbooks")
        shared = {
            "description": self._mark,
            "project": project,
            "inventory": client.one("inventories", "inventory", params["inventory"], organization=organization)["id"],
            "credentials": sorted(client.one("credentials", "credential", name)["id"] for name in params["credentials"]),
            "execution_environment": None,
        }
        if params["execution_environment"]:
            shared["execution_environment"] = client.one("execution_environments", "execution environment", params["execution_environment"])["id"]
        templates: dict[str, State] = {}
        for template in params["templates"]:
            if template["playbook"] not in playbooks:
                raise OpsError(
                    f"Project '{params['project']}' of AWX has no playbook {template['playbook']}; it has {', '.join(playbooks) or 'none'}."
                    " Add it to the project, and update the project in AWX."
                )
            templates[self._name(template)] = {
                **shared,
                "playbook": template["playbook"],
                "limit": template["limit"],
                "extra_vars": template["extra_vars"],
                ASKS: any(each["extra_vars"] for each in template["schedules"]),
            }
        schedules = {
            self._key(template, each): {
                "description": f"{each['description']} {self._mark}".strip(),
                "rrule": self._rules[self._key(template, each)],
                "enabled": each["enabled"],
                "extra_data": each["extra_vars"],
            }
            for template, each in self._declared()
        }
        return {"templates": templates, "schedules": schedules}

    def _put_template(self, name: str, template: State, before: State | None) -> None:
        fields = {**{field: template[field] for field in TEMPLATE}, "extra_vars": json.dumps(template["extra_vars"]), "name": name}
        if before is None:
            self._ids[name] = self._client.send("POST", "job_templates", fields)["id"]
        else:
            self._client.send("PATCH", f"job_templates/{self._ids[name]}", fields)
        place = f"job_templates/{self._ids[name]}/credentials"
        had, wanted = set((before or {}).get("credentials", ())), set(template["credentials"])
        # One of a kind has to go before another one comes.
        for gone in sorted(had - wanted):
            self._client.send("POST", place, {"id": gone, "disassociate": True})
        for new in sorted(wanted - had):
            self._client.send("POST", place, {"id": new})

    def _known(self, found: Object, key: str) -> bool:
        """Whether it is the owner's."""
        if not found["description"].endswith(self._mark):
            self._strangers.add(key)
            return False
        self._ids[key] = found["id"]
        return True

    def _declared(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        return [(template, each) for template in self._params["templates"] for each in template["schedules"]] if self._present else []

    def _name(self, template: Mapping[str, Any]) -> str:
        return f"{self._params['owner']}: {template['name']}"

    def _key(self, template: Mapping[str, Any], schedule: Mapping[str, Any]) -> str:
        return f"{self._name(template)} / {schedule['name']}"


def _template(found: Object) -> State:
    credentials = found["summary_fields"].get("credentials", [])
    return {
        **{field: found[field] for field in TEMPLATE},
        "extra_vars": _variables(found["extra_vars"]),
        "credentials": sorted(each["id"] for each in credentials),
    }


def _joined(wanted: State, current: State) -> State:
    """What is there, and what is missing of what is wanted."""
    joined = {kind: {**wanted[kind], **current[kind]} for kind in wanted}
    for name, template in wanted["templates"].items():
        # Else AWX takes no schedule with variables, which may come to it now.
        joined["templates"][name] = {**joined["templates"][name], ASKS: joined["templates"][name][ASKS] or template[ASKS]}
    return joined


def _meant(each: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the schedules of a template make of it."""
    return {field: value for field, value in each.items() if field != ASKS}


def _variables(text: str) -> Any:
    """AWX keeps them as text; what somebody wrote there by hand may be YAML, which is not what is declared."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def schedules(params: Mapping[str, Any]) -> Schedules:
    return Schedules(connect(params), params)
