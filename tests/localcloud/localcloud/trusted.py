# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trusted sources of managed databases: what the rules mean now, and that the servers admit exactly that."""

from __future__ import annotations

from localcloud import servers
from localcloud.store import Document
from localcloud.world import World


def sources(world: World, cluster: Document) -> list[str] | None:
    """The addresses that may connect; None when there are no rules, which means everybody."""
    if not cluster["rules"]:
        return None
    droplets = world.store.all("droplet")
    admitted: set[str] = set()
    for rule in cluster["rules"]:
        if rule["type"] == "ip_addr":
            admitted.add(rule["value"])
        elif rule["type"] == "droplet":
            admitted |= {droplet["address"] for droplet in droplets if str(droplet["id"]) == rule["value"]}
        else:
            admitted |= {droplet["address"] for droplet in droplets if rule["value"] in droplet["tags"]}
    return sorted(admitted)


def refresh(world: World) -> None:
    """Bring every running server's packet filter up to its rules."""
    for cluster_id in [cluster["id"] for cluster in world.store.all("database")]:
        with world.locks[f"database-{cluster_id}"]:
            cluster = world.store.get("database", cluster_id)
            if cluster is None or cluster["status"] != "online":
                continue
            wanted = sources(world, cluster)
            if wanted != cluster.get("applied_sources"):
                servers.trust(world.cloud, cluster, wanted)
                with world.store.edit("database", cluster_id) as current:
                    if current is not None:
                        current["applied_sources"] = wanted
