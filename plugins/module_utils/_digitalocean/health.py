# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a new droplet does its work, seen from here."""

from __future__ import annotations

import socket

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.model import Health, address
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Object

ASK_EVERY = 2.0  # seconds
PATIENCE = 5.0  # seconds for one answer


def require_healthy(health: Health, droplet: Object, clock: Clock) -> None:
    """Wait until a droplet answers. Raises OpsError with the last thing seen."""
    wait_for(
        f"droplet {droplet['name']} ({droplet['id']}) to answer",
        lambda: complaint(health, droplet),
        lambda said: said is None,
        timeout=health.timeout,
        interval=ASK_EVERY,
        clock=clock,
        describe=str,
    )


def complaint(health: Health, droplet: Object) -> str | None:
    """What is wrong with a droplet, None when it answers."""
    host = address(droplet, health.address)
    if host is None:
        return f"it has no {health.address} address"
    try:
        if health.path is None:
            socket.create_connection((host, health.port), timeout=PATIENCE).close()
            return None
        status = Http(f"http://{host}:{health.port}", timeout=PATIENCE, attempts=1).request("GET", health.path).status
    except OSError as error:
        return f"{host}:{health.port}: {error}"
    except OpsError as error:
        return error.message
    return None if status < 400 else f"{host}:{health.port}{health.path} answers {status}"
