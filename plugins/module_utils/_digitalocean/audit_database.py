# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed database clusters, measured against their declaration. Pure: what the API said in, findings out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.model import Check, Finding
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object
from ansible_collections.groundcrew.ops.plugins.module_utils._fleet.audit import WORLD

PROVISION = "Run playbooks/provision.yml with --check --diff, then without."
EXISTS = Check("managed_database.exists", "critical", "Every declared cluster exists, once", PROVISION)
ONLINE = Check("managed_database.online", "high", "Every cluster is online", "Look at the cluster's events in the control panel.")
PUBLIC = Check("managed_database.public", "critical", "No database is open to everybody", "Declare trusted_sources and run playbooks/provision.yml.")
SOURCES = Check("managed_database.trusted_sources", "high", "The trusted sources are exactly as declared", PROVISION)
TLS = Check("managed_database.tls", "high", "Every connection is encrypted", "Ask the vendor: a managed database offers no connection without TLS.")
VERSION = Check("managed_database.version", "high", "The version is supported", "Plan the upgrade: declare the next major version after a rehearsal on a fork.")
PENDING = Check(
    "managed_database.upgrade_pending", "medium", "No maintenance waits to be applied", "Let the next window pass, or apply it now in the control panel."
)
STANDBY = Check(
    "managed_database.standby", "medium", "A standby takes over when a node fails", "Declare num_nodes: 2, or waive it where a restore is fast enough."
)
WINDOW = Check("managed_database.maintenance_window", "low", "Maintenance happens when it was declared to", "Declare maintenance_window with the quiet hours.")
PRIVATE = Check(
    "managed_database.private_network", "high", "Clients in the VPC need not leave it", "Declare vpc; a cluster is moved by creating it anew from a backup."
)


@dataclass(frozen=True)
class Declared:
    """A cluster as it should be. None: not declared.

    sources: as type:value, with ids for names. vpc: its id.
    """

    name: str
    sources: tuple[str, ...] | None
    window: Mapping[str, Any] | None
    vpc: str | None


@dataclass(frozen=True)
class Seen:
    """What the API said about a cluster.

    rules: its trusted sources. versions: what the vendor says about the versions of its engine.
    """

    cluster: Object
    rules: Sequence[Object]
    versions: Sequence[Object]


def examine(declared: Declared, found: Sequence[Seen], warn_days: int, today: dt.date) -> Iterator[Finding]:
    """found: every cluster of that name."""
    yield EXISTS.judge(declared.name, len(found) == 1, f"There {'is one' if len(found) == 1 else f'are {len(found)}'} of that name.")
    if len(found) == 1:
        yield from _cluster(declared, found[0])
        yield _version(found[0], warn_days, today)


def _cluster(declared: Declared, seen: Seen) -> Iterator[Finding]:
    name, cluster = declared.name, seen.cluster
    sources = sorted(f"{rule['type']}:{rule['value']}" for rule in seen.rules)
    yield ONLINE.judge(name, cluster.get("status") == "online", f"It is {cluster.get('status')}.")
    world = [source for source in sources if source.removeprefix("ip_addr:") in WORLD]
    yield PUBLIC.judge(
        name, bool(sources) and not world, f"Trusted: {', '.join(sources)}." if sources else "There is no trusted source, so everybody may connect."
    )
    if declared.sources is None:
        yield SOURCES.unjudged(name, "No trusted sources are declared.")
    else:
        said = [f"{word} {', '.join(which)}" for word, which in _difference(sources, declared.sources)]
        yield SOURCES.judge(name, not said, f"{'; '.join(said) or 'As declared'}.")
    connections = {key: cluster[key] for key in ("connection", "private_connection", "standby_connection", "standby_private_connection") if cluster.get(key)}
    plain = sorted(key for key, each in connections.items() if each.get("ssl") is not True)
    yield TLS.judge(
        name, not plain if connections else None, f"Without TLS: {', '.join(plain)}." if plain else f"{len(connections)} connections, all with TLS."
    )
    window = cluster.get("maintenance_window") or {}
    waiting = [str(one) for one in window.get("description") or []]
    pending = window.get("pending")
    yield PENDING.judge(name, None if pending is None else not pending, "; ".join(waiting) or ("Something waits." if pending else "Nothing waits."))
    nodes = int(cluster.get("num_nodes") or 0)
    yield STANDBY.judge(name, nodes > 1, f"It has {nodes} node{'s' * (nodes != 1)}.")
    yield _window(declared, window)
    network = cluster.get("private_network_uuid")
    right = bool(network) and declared.vpc in (None, network)
    yield PRIVATE.judge(name, right, f"It is in the VPC {network}{f', not {declared.vpc}' * (not right)}." if network else "It is in no VPC.")


def _difference(has: Sequence[str], wanted: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for word, which in (("missing", set(wanted) - set(has)), ("not declared", set(has) - set(wanted))):
        if which:
            yield word, sorted(which)


def _window(declared: Declared, window: Mapping[str, Any]) -> Finding:
    has = f"{window.get('day')} {str(window.get('hour') or '')[:5]}"
    if not declared.window:
        return WINDOW.unjudged(declared.name, f"None is declared; it is {has}.")
    wanted = f"{declared.window.get('day')} {str(declared.window.get('hour') or '')[:5]}"
    return WINDOW.judge(declared.name, has == wanted, f"It is {has}{f', not {wanted}' * (has != wanted)}.")


def _version(seen: Seen, warn_days: int, today: dt.date) -> Finding:
    name, engine, version = str(seen.cluster["name"]), seen.cluster.get("engine"), str(seen.cluster.get("version"))
    known = next((each for each in seen.versions if str(each.get("version")) == version), None)
    end = seen.cluster.get("version_end_of_life") or (known or {}).get("end_of_life")
    if end:
        left = (dt.date.fromisoformat(str(end)[:10]) - today).days
        return VERSION.judge(name, left > warn_days, f"{engine} {version} is supported {'until' if left >= 0 else 'no longer since'} {str(end)[:10]}.")
    if known is None and seen.versions:
        return VERSION.judge(name, False, f"{engine} {version} is not offered any more.")
    return VERSION.judge(name, None if known is None else True, f"{engine} {version} has no end of support yet." if known else "The vendor does not say.")
