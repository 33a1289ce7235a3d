# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container registry: Debian's, over plain HTTP.

Two processes over one store: droplets pull from the gateway's address, and the machine's own Docker pushes to
loopback, the only address that Docker trusts without TLS by itself.
"""

from __future__ import annotations

import http.client
from functools import partial

from localcloud.config import Cloud
from localcloud.process import Process, require_free
from localcloud.shell import step

START_SECONDS = 20
CONFIG = """version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: "{root}"}}
  delete: {{enabled: true}}
http: {{addr: "{address}:{port}"}}
"""


def processes(cloud: Cloud) -> dict[str, Process]:
    """By the address each listens at."""
    return {cloud.gateway: Process("registry", cloud.dir), "127.0.0.1": Process("registry-push", cloud.dir)}


def require_ports(cloud: Cloud) -> None:
    """Refuse to start beside a stranger on its ports."""
    for address, process in processes(cloud).items():
        if not process.pid:
            require_free(address, {"registry": cloud.registry_port})


def up(cloud: Cloud) -> None:
    todo = {address: process for address, process in processes(cloud).items() if not (process.pid and _answers(address, cloud.registry_port))}
    if not todo:
        return
    with step(f"registry at {cloud.registry}"):
        for address, process in todo.items():
            process.stop()
            config = cloud.dir / f"{process.name}.yml"
            config.write_text(CONFIG.format(root=cloud.dir / "registry", address=address, port=cloud.registry_port))
            process.start(["docker-registry", "serve", str(config)])
        for address, process in todo.items():
            process.wait_for(partial(_answers, address, cloud.registry_port), START_SECONDS)


def _answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
