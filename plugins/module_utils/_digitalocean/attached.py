# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserved IPs and volumes: what is attached to a droplet, and moves from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import State
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import normal_tags
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind, Patience, Resource, Update

NOTHING = 0  # the id of no droplet: None already means that nothing is declared


def _prepare(client: Client, state: State) -> None:
    if "droplet_id" in state:
        lookup.require_droplet_id(state["droplet_id"])


def _wanted_droplet(client: Client, droplet: str | None) -> int | str | None:
    return lookup.droplet_number(client, droplet) if droplet else NOTHING if droplet == "" else None


def _patience(params: Mapping[str, Any]) -> Patience:
    return Patience(timeout=float(params["wait_timeout"]))


def _is_address(found: Object, wanted: State) -> bool:
    """The one that is named, or the one that the droplet has."""
    if "ip" in wanted:
        return bool(found["ip"] == wanted["ip"])
    return bool((found.get("droplet") or {}).get("id") == wanted["droplet_id"])


def _assignment(state: State) -> dict[str, Any]:
    return {"type": "assign", "droplet_id": state["droplet_id"]} if state["droplet_id"] else {"type": "unassign"}


RESERVED_IP = Kind(
    noun="reserved IP",
    key="reserved_ip",
    plural="reserved_ips",
    collection="/v2/reserved_ips",
    state=lambda found: {
        "ip": found["ip"],
        "region": (found.get("region") or {}).get("slug"),
        "droplet_id": (found.get("droplet") or {}).get("id", NOTHING),
        "project_id": found.get("project_id"),
    },
    shown=("ip", "region", "droplet_id", "project_id"),
    create=lambda state: {"droplet_id": state["droplet_id"]},
    updates=(Update(("droplet_id",), "POST", "/actions", _assignment, settles=True),),
    prepare=_prepare,
    ready=lambda found: not found.get("locked"),
    matches=_is_address,
    address=lambda found: str(found["ip"]),
    title=lambda wanted: str(wanted.get("ip") or f"of droplet {wanted['droplet_id']}"),
    detach=lambda found: {"type": "unassign"} if found.get("droplet") else None,
)


class ReservedIp(Resource):
    """An address is given by the API and cannot be asked for."""

    def _find(self) -> Object | None:
        found = super()._find()
        if found is not None:
            # From now on it is this address, also when the droplet has it no longer.
            self._wanted = {**self._wanted, "ip": found["ip"]}
        return found

    def desired(self, current: State | None) -> State | None:
        if self._present and current is None and "ip" in self._wanted:
            raise OpsError(
                f"The account has no reserved IP {self._wanted['ip']}, and one cannot be ordered by its address."
                " Name one that the account has, or leave ip out: the droplet then gets a new one.",
                field="ip",
            )
        return super().desired(current)


def reserved_ip(params: Mapping[str, Any]) -> Resource:
    client = connect(params)
    if params["droplet"] == "" and params["ip"] is None:
        raise OpsError("An empty droplet takes a reserved IP off its droplet, so ip has to say which.", field="ip")
    wanted = {"ip": params["ip"], "droplet_id": _wanted_droplet(client, params["droplet"])}
    return ReservedIp(client, RESERVED_IP, wanted, present=params["state"] == "present", patience=_patience(params))


def _is_volume(found: Object, wanted: State) -> bool:
    """Of this name; two regions may each have one."""
    return bool(found["name"] == wanted["name"]) and wanted.get("region") in (None, (found.get("region") or {}).get("slug"))


def _attachment(state: State) -> dict[str, Any] | None:
    # To be attached to nothing is done by the detaching that comes first.
    return {"type": "attach", "droplet_id": state["droplet_id"], "region": state["region"]} if state["droplet_id"] else None


def _detachment(found: Object) -> dict[str, Any] | None:
    holders = found.get("droplet_ids") or []
    return {"type": "detach", "droplet_id": holders[0], "region": found["region"]["slug"]} if holders else None


VOLUME = Kind(
    noun="volume",
    key="volume",
    plural="volumes",
    collection="/v2/volumes",
    state=lambda found: {
        **{key: found.get(key) for key in ("id", "name", "size_gigabytes", "description", "filesystem_type", "filesystem_label")},
        "region": (found.get("region") or {}).get("slug"),
        "droplet_id": next(iter(found.get("droplet_ids") or []), NOTHING),
        "tags": normal_tags(found.get("tags")),
    },
    shown=("id", "name", "region", "size_gigabytes", "description", "filesystem_type", "filesystem_label", "droplet_id", "tags"),
    create=lambda state: {
        key: state[key] for key in ("name", "region", "size_gigabytes", "description", "filesystem_type", "filesystem_label", "tags") if key in state
    },
    updates=(
        Update(
            ("size_gigabytes",),
            "POST",
            "/actions",
            lambda state: {"type": "resize", "size_gigabytes": state["size_gigabytes"], "region": state["region"]},
            settles=True,
        ),
        Update(("droplet_id",), "POST", "/actions", _attachment, at_creation=True, settles=True, detached=True),
    ),
    prepare=_prepare,
    matches=_is_volume,
    detach=_detachment,
    tagged_as="volume",
)


class Volume(Resource):
    """A disk grows and never shrinks."""

    def desired(self, current: State | None) -> State | None:
        wanted = super().desired(current)
        size = (wanted or {}).get("size_gigabytes")
        if current is not None and size is not None and size < current["size_gigabytes"]:
            raise OpsError(
                f"Volume {self._name} has {current['size_gigabytes']} GiB, and a volume cannot shrink to {size}."
                f" Set size_gigabytes to at least {current['size_gigabytes']}.",
                field="size_gigabytes",
            )
        return wanted


def volume(params: Mapping[str, Any]) -> Resource:
    client = connect(params)
    wanted = {
        **{key: params[key] for key in ("name", "region", "size_gigabytes", "description", "filesystem_type", "filesystem_label")},
        "tags": None if params["tags"] is None else normal_tags(params["tags"]),
        "droplet_id": _wanted_droplet(client, params["droplet"]),
    }
    return Volume(client, VOLUME, wanted, present=params["state"] == "present", patience=_patience(params))
