# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to droplets: refused or begun, then performed."""

from __future__ import annotations

import re
import time

from localcloud import hosts, trusted
from localcloud.api import actions
from localcloud.api.answers import required, unprocessable
from localcloud.api.catalog import SIZES
from localcloud.store import Document
from localcloud.world import World, log

NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")
POWER = {"reboot": None, "power_cycle": None, "shutdown": "off", "power_off": "off", "power_on": "active"}
BACKUPS = ("enable_backups", "disable_backups", "change_backup_policy")
KINDS = (*POWER, *BACKUPS, "resize", "rename", "enable_ipv6")
PLANS = {"daily": 7, "weekly": 28}  # days that backups are kept
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
HOURS = (0, 4, 8, 12, 16, 20)


def backup_policy(asked: Document | None) -> Document:
    """A whole policy of what was asked for; the vendor's own is daily."""
    given = asked or {}
    plan, hour = given.get("plan", "daily"), given.get("hour", 0)
    if plan not in PLANS or hour not in HOURS or given.get("weekday", "SUN") not in DAYS:
        raise unprocessable("backup_policy is not valid: plan is daily or weekly, weekday SUN to SAT, hour a multiple of 4")
    if plan == "daily" and "weekday" in given:
        raise unprocessable("backup_policy: a daily plan has no weekday")
    day = {"weekday": given.get("weekday", "SUN")} if plan == "weekly" else {}
    return {"plan": plan, **day, "hour": hour, "window_length_hours": 4, "retention_period_days": PLANS[plan]}


def resume(world: World) -> None:
    """Take up what an earlier process left unfinished, and switch off again what should be off."""
    for action in world.store.all("action"):
        if action["status"] == "in-progress":
            world.later(perform, world, action)
    for droplet in world.store.all("droplet"):
        hosts.restore(world.cloud, droplet)


def perform(world: World, action: Document) -> None:
    """Do what an action says. Safe to repeat."""
    with world.locks[f"droplet-{action['resource_id']}"]:
        droplet = world.store.get("droplet", action["resource_id"])
        if droplet is None:
            actions.end(world, action, "errored")
            return
        try:
            change = _create(world, droplet) if action["type"] == "create" else _act(world, droplet, action)
        except Exception:
            actions.end(world, action, "errored")
            raise
        with world.store.transaction():
            with world.store.edit("droplet", droplet["id"]) as current:
                if current is not None:
                    current |= change
            actions.end(world, action, "completed")


def _create(world: World, droplet: Document) -> Document:
    start = time.monotonic()
    with world.locks[f"image-{droplet['image']}"]:
        hosts.prepare(world.cloud, droplet)
    hosts.create(world.cloud, droplet)
    hosts.wait_ready(world.cloud, droplet)
    trusted.refresh(world)
    world.boot_out(start)
    log.info("droplet %s %s at %s: up in %.1f s", droplet["id"], droplet["name"], droplet["address"], time.monotonic() - start)
    return {"status": "active"}


def _act(world: World, droplet: Document, action: Document) -> Document:
    kind, details = action["type"], action["details"]
    features = set(droplet["features"])
    if kind in POWER:
        hosts.power(world.cloud, droplet, kind)
        return {"status": POWER[kind]} if POWER[kind] else {"status": "active"}
    if kind == "resize":
        return {"size": details["size"], **({"disk": SIZES[details["size"]]["disk"]} if details.get("disk") else {})}
    if kind == "rename":
        hosts.rename(world.cloud, droplet, details["name"])
        return {"name": details["name"]}
    if kind == "enable_ipv6":
        return {"features": sorted(features | {"ipv6"})}
    if kind == "disable_backups":
        return {"features": sorted(features - {"backups"}), "backup_policy": None}
    return {"features": sorted(features | {"backups"}), "backup_policy": backup_policy(details.get("backup_policy"))}


def begin(world: World, droplet: Document, data: Document) -> Document:
    (kind,) = required(data, "type")
    if world.store.get("pending", droplet["id"]):
        raise unprocessable("Droplet already has a pending event.")
    if kind == "resize" and data.get("size") not in SIZES:
        raise unprocessable("You specified an invalid size for Droplet resize.")
    if kind == "resize" and droplet["status"] != "off":
        raise unprocessable("Droplet must be powered off to perform this action.")
    if kind == "rename" and not NAME.fullmatch(data.get("name") or ""):
        raise unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    if kind in ("power_off", "shutdown", "reboot") and droplet["status"] == "off":
        raise unprocessable("Droplet is already powered off.")
    if kind not in KINDS:
        raise unprocessable(f"The local cloud does not do the action '{kind}'.")
    if kind in BACKUPS and ("backups" in droplet["features"]) == (kind == "enable_backups"):
        raise unprocessable(f"Backups are already {'enabled' if kind == 'enable_backups' else 'disabled'} for this Droplet.")
    if kind in BACKUPS:
        backup_policy(data.get("backup_policy"))
    if kind == "enable_ipv6" and "ipv6" in droplet["features"]:
        raise unprocessable("IPv6 is already enabled for this Droplet.")
    if kind == "resize" and SIZES[data["size"]]["disk"] < droplet["disk"]:
        raise unprocessable("You can not resize to a size with a smaller disk.")
    action = actions.start(world, kind, droplet, {key: data[key] for key in ("size", "name", "disk", "backup_policy") if key in data})
    world.later(perform, world, action)
    return action
