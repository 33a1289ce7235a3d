# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a managed cluster is the reason that nobody reaches a database: what the vendor says of its state, its maintenance and whom it lets in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, Unread, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.cluster import trusted_sources as sources_of
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import connect
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

CATALOG = Catalog("diagnose.managed_database")
check = CATALOG.check
# The vendor applies updates within so many hours after the window begins.
WINDOW = dt.timedelta(hours=4)


@check("critical", "The declared cluster is there", "Correct its name, or run playbooks/provision.yml; playbooks/restore.yml brings its data back.")
def exists(found: Sequence[Object]) -> Told:
    return len(found) == 1, f"There {'is one' if len(found) == 1 else f'are {len(found)}'} of that name."


@check("critical", "The cluster is online", "Wait while it is created, resized, migrated or forked; else see its events in the control panel.")
def online(cluster: Object) -> Told:
    return cluster.get("status") == "online", f"It is {cluster.get('status')}, with {cluster.get('num_nodes')} nodes of {cluster.get('size')}."


@check(
    "high",
    "No maintenance is done right now",
    "Wait until it is over; declare maintenance_window with quiet hours, and num_nodes: 2 so that a standby takes over.",
)
def maintenance(window: Mapping[str, Any], now: dt.datetime) -> Told:
    said = f"its window begins {window.get('day')} at {str(window.get('hour'))[:5]} UTC"
    waiting = "; ".join(str(each) for each in window.get("description") or []) or "an update"
    if not window.get("pending"):
        return True, f"Nothing waits to be applied; {said}."
    return not _within(window, now), f"Applied in that window: {waiting}; {said}."


@check("critical", "The cluster lets in whom it should", "Run playbooks/provision.yml; a droplet that was made since needs the tag that is trusted.")
def trusted_sources(sources: Sequence[str], declared_sources: Sequence[str]) -> Told:
    missing = sorted(set(declared_sources) - set(sources))
    # One without any lets everybody in, which is the audit's to say.
    return not (missing and sources), f"Trusted: {', '.join(sorted(sources)) or 'everybody'}{'; missing: ' + ', '.join(missing) if missing else ''}."


def _within(window: Mapping[str, Any], now: dt.datetime) -> bool:
    hour, minute = (int(part) for part in str(window["hour"]).split(":")[:2])
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    # It may have begun yesterday.
    begins = (today - dt.timedelta(days=days) for days in (0, 1))
    return any(f"{begin:%A}".lower() == window["day"] and begin <= now < begin + WINDOW for begin in begins)


def facts(client: Client, clusters: Sequence[Object], declared: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    found = [each for each in clusters if each["name"] == declared["name"]]
    if len(found) != 1:
        return {"found": found, **dict.fromkeys(("cluster", "window", "sources"), Unread("there has to be one of that name first"))}
    cluster, wanted = found[0], declared["trusted_sources"]
    readers: dict[str, Callable[[], Any]] = {
        "sources": lambda: [f"{rule['type']}:{rule['value']}" for rule in client.get(path("databases", cluster["id"], "firewall")).get("rules") or []],
        "declared_sources": partial(_declared, client, wanted),
    }
    return {"found": found, "cluster": cluster, "window": cluster.get("maintenance_window") or Unread("there is no window"), "now": now, **gather(readers)}


def _declared(client: Client, wanted: Sequence[Mapping[str, Any]] | None) -> Sequence[str]:
    sources = sources_of(client, wanted)
    if sources is None:
        raise OpsError("trusted_sources is not declared")
    return sources


def diagnose_clusters(params: Mapping[str, Any], clock: Clock | None = None) -> dict[str, Any]:
    """The question that the module do_database_diagnose answers. Without a token, or an answer, it is unknown."""
    now = dt.datetime.fromtimestamp((clock or Clock()).now(), tz=dt.timezone.utc)
    every = {name for rule in CATALOG.rules for name in rule.needs}
    try:
        client = connect(params)
        there = client.list("/v2/databases", "databases")
        known = [facts(client, there, declared, now) for declared in params["clusters"]]
    except OpsError as error:
        known = [dict.fromkeys(every, Unread(error.message)) for _declared_one in params["clusters"]]
    told = (CATALOG.examine(declared["name"], each) for declared, each in zip(params["clusters"], known, strict=True))
    return {"findings": [each.as_dict() for findings in told for each in findings]}
