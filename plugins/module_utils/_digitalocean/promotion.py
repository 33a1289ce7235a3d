# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a read-only replica a cluster of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import informed, is_online
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.resource import LOOK_EVERY


class Promotion:
    """The end of a replication. A replica that is gone while a cluster of its name is there has been promoted."""

    def __init__(self, client: Client, cluster: str, name: str, *, timeout: float, clock: Clock | None = None) -> None:
        self._client = client
        self._cluster = cluster
        self._name = name
        self._timeout = timeout
        self._clock = clock or Clock()
        self._where: str | None = None

    def plan(self) -> Plan:
        parent = lookup.cluster_id(self._client, self._cluster)
        replicas = self._client.list(path("databases", parent, "replicas"), "replicas") if parent else []
        self._where = next((path("databases", parent, "replicas", each["name"]) for each in replicas if each["name"] == self._name), None)
        after = {"name": self._name, "replicates": None}
        if self._where:
            return Plan("promote", {"name": self._name, "replicates": self._cluster}, after)
        if self._promoted() is None:
            raise OpsError(
                f"{self._cluster} has no read-only replica {self._name}, and there is no cluster of that name either."
                " Name a replica that exists, or create it with do_database_replica.",
                cluster=self._cluster,
                replica=self._name,
            )
        return Plan("none", after, after)

    def apply(self, planned: Plan) -> Mapping[str, Any]:
        # Not found: a request whose answer got lost did it, or somebody else; the cluster tells.
        with suppress(NotFoundError):
            self._client.send("PUT", f"{self._where}/promote", None)
        found = wait_for(
            f"{self._name} to be a cluster that is online",
            self._promoted,
            lambda seen: seen is not None and is_online(seen),
            timeout=self._timeout,
            interval=LOOK_EVERY,
            clock=self._clock,
            describe=lambda seen: str(seen["status"]) if seen else "not there",
        )
        return {"database_cluster": informed(self._client, found) if found else None}

    def result(self, planned: Plan) -> Mapping[str, Any]:
        found = self._promoted()
        return {"database_cluster": informed(self._client, found) if found else None}

    def _promoted(self) -> Object | None:
        return lookup.find_cluster(self._client, self._name)


def promotion(params: Mapping[str, Any]) -> Promotion:
    return Promotion(connect(params), params["cluster"], params["name"], timeout=float(params["wait_timeout"]))
