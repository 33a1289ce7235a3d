# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API as a process: takes up what is unfinished, then answers."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from werkzeug.serving import make_server

from localcloud.api import app_deployments, databases, droplet_actions
from localcloud.api.app import create_app
from localcloud.api.validation import SPECIFICATION, Validator
from localcloud.certificates import Authority
from localcloud.config import Cloud, load_cloud
from localcloud.shell import CloudError
from localcloud.store import Store
from localcloud.world import World


def serve(cloud: Cloud) -> None:
    """Answer until ended. Nothing is lost by an end at any moment: the state is on disk before an answer is given."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    validator = _validator(cloud)
    Authority(cloud.dir)  # made before two databases ask for it at once
    world = World(cloud, Store(cloud.database))
    server = make_server("127.0.0.1", cloud.api_port, create_app(world, validator), threaded=True)
    world.later(world.finish_removals)
    droplet_actions.resume(world)
    databases.resume(world)
    app_deployments.resume(world)
    server.serve_forever()


def _validator(cloud: Cloud) -> Validator | None:
    """Validates when it can: LOCALCLOUD_VALIDATE=1 insists, LOCALCLOUD_VALIDATE=0 switches it off."""
    wanted = os.environ.get("LOCALCLOUD_VALIDATE")
    if wanted == "0" or (wanted != "1" and not SPECIFICATION.exists()):
        return None
    if not SPECIFICATION.exists():
        raise CloudError(f"LOCALCLOUD_VALIDATE=1 wants the specification at {SPECIFICATION}.")
    return Validator(cloud.api_url)


if __name__ == "__main__":
    serve(load_cloud(Path(sys.argv[1])))
