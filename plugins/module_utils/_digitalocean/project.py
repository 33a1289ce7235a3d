# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Resource, Update

# The API stores any other purpose as "Other: ...".
PURPOSES = (
    "Just trying out DigitalOcean",
    "Class project / Educational purposes",
    "Website or blog",
    "Web Application",
    "Service or API",
    "Mobile Application",
    "Machine learning / AI / Data processing",
    "IoT",
    "Operational / Developer tooling",
)
FIELDS = ("description", "purpose", "environment")


def _resources(client: Client, found: Object) -> Mapping[str, Any]:
    held = client.list(path("projects", found["id"], "resources"), "resources")
    return {"resources": sorted(str(one["urn"]) for one in held)}


PROJECT = Kind(
    noun="project",
    key="project",
    plural="projects",
    collection="/v2/projects",
    state=lambda found: {key: found.get(key) for key in ("id", "name", *FIELDS, "is_default")},
    shown=("id", "name", *FIELDS, "is_default", "resources"),
    create=lambda state: {key: state[key] for key in ("name", *FIELDS) if key in state},
    updates=(
        Update(FIELDS, "PATCH", "", lambda state: {key: state[key] for key in FIELDS if state.get(key) is not None}),
        Update(("resources",), "POST", "/resources", lambda state: {"resources": state["resources"]}, at_creation=True),
    ),
    more=_resources,
)


class Project(Resource):
    """A project keeps what it holds: a resource leaves it only by being assigned to another one."""

    def desired(self, current: State | None) -> State | None:
        wanted = super().desired(current)
        if wanted is None and current is not None and current["resources"]:
            raise OpsError(
                f"Project {self._name} still holds {len(current['resources'])} resources ({', '.join(current['resources'])})."
                " Assign them to another project, or remove them, first.",
                resources=current["resources"],
            )
        if wanted is None or current is None or "resources" not in wanted:
            return wanted
        return {**wanted, "resources": sorted({*current["resources"], *wanted["resources"]})}


def project(params: Mapping[str, Any]) -> Resource:
    purpose, resources = params["purpose"], params["resources"]
    wanted = {
        **{key: params[key] for key in ("name", "description", "environment")},
        "purpose": purpose if purpose is None or purpose in PURPOSES or purpose.startswith("Other: ") else f"Other: {purpose}",
        "resources": None if resources is None else sorted(set(resources)),
    }
    return Project(connect(params), PROJECT, wanted, present=params["state"] == "present")
