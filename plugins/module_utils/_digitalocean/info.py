# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import informed
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import comparable, summary


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
