# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that the modules do_droplet_audit and do_database_audit answer: they read, the checks judge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import audit_database, audit_droplet, lookup
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import trusted_sources
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import Fleet
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.policy import Membership


def today(clock: Clock | None) -> dt.date:
    return dt.datetime.fromtimestamp((clock or Clock()).now(), tz=dt.timezone.utc).date()


def droplets(params: Mapping[str, Any], clock: Clock | None = None) -> Mapping[str, Any]:
    """What is wrong with a fleet of droplets."""
    client = connect(params)
    tag = params["fleet_tag"].lower()
    inbound = params["inbound_rules"]
    fleet = Fleet(
        role="droplet",
        tag=tag,
        membership=Membership("droplet", tuple(params["names"] or ()), params["name_prefix"], params["count"]),
        public=audit_droplet.openings(inbound or []),
        ssh_port=params["ssh_port"],
        max_age_days=params["image_max_age_days"],
        today=today(clock),
    )
    declared = audit_droplet.Declared(fleet, tuple(params["tags"]), inbound, params["outbound_rules"])
    found = client.list("/v2/droplets", "droplets", {"tag_name": tag})
    # An archived droplet is one that is being destroyed.
    alive = [each for each in found if each.get("status") != "archive"]
    return _told(audit_droplet.examine(declared, alive, client.list("/v2/firewalls", "firewalls")))


def clusters(params: Mapping[str, Any], clock: Clock | None = None) -> Mapping[str, Any]:
    """What is wrong with database clusters."""
    client = connect(params)
    found = client.list("/v2/databases", "databases")
    versions = client.get("/v2/databases/options").get("version_availability") or {}
    findings: list[Finding] = []
    for each in params["clusters"]:
        seen = [_seen(client, one, versions) for one in found if one["name"] == each["name"]]
        findings += audit_database.examine(_declared(client, each), seen, params["version_warning_days"], today(clock))
    return _told(iter(findings))


def _declared(client: Client, said: Mapping[str, Any]) -> audit_database.Declared:
    sources = trusted_sources(client, said["trusted_sources"])
    return audit_database.Declared(said["name"], None if sources is None else tuple(sources), said["maintenance_window"], lookup.vpc_id(client, said["vpc"]))


def _seen(client: Client, cluster: Mapping[str, Any], versions: Mapping[str, Any]) -> audit_database.Seen:
    rules = client.get(path("databases", cluster["id"], "firewall")).get("rules") or []
    return audit_database.Seen(cluster, rules, versions.get(str(cluster.get("engine"))) or [])


def _told(findings: Iterator[Finding]) -> dict[str, Any]:
    return {"findings": [each.as_dict() for each in findings]}
