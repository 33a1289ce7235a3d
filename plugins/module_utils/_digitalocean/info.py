# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import informed
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import comparable, summary
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import Kind


def droplets(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Droplets by tag and name."""
    query = {"tag_name": params["tag"]} if params["tag"] else None
    found = connect(params).list("/v2/droplets", "droplets", query)
    chosen = sorted((each for each in found if params["names"] is None or each["name"] in params["names"]), key=lambda each: (each["name"], each["id"]))
    return {"droplets": [summary(each["name"], each, comparable(each)) for each in chosen]}


def database_clusters(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Database clusters by name."""
    client = connect(params)
    found = sorted(client.list("/v2/databases", "databases"), key=lambda each: str(each["name"]))
    return {"database_clusters": [informed(client, each) for each in found if params["name"] in (None, each["name"])]}


def listing(kind: Kind, by: str = "name") -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """The question for all objects of a kind, or for those whose field ``by`` is what the option of that name says."""

    def read(params: Mapping[str, Any]) -> Mapping[str, Any]:
        client = connect(params)
        objects = [(kind.state(each), each) for each in client.list(kind.collection, kind.plural)]
        chosen = sorted(((state, each) for state, each in objects if params[by] in (None, state[by])), key=lambda one: str(one[0][by]))
        told = [{**state, **kind.more(client, each)} for state, each in chosen]
        return {f"{kind.key}s": [{field: state.get(field) for field in kind.shown} for state in told]}

    return read
