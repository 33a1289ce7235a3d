# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as tasks of a playbook, against hosts that are hosts.

What each module does to each field is proven in one process: test_do_droplet, test_do_kill_points, test_do_inventory, test_do_network,
test_do_certificate and test_do_database_modules.
"""

from __future__ import annotations

import socket
from typing import Any

FOUND = {"fleet_tag": "mx-fleet", "name_prefix": "mx"}
FLEET = {**FOUND, "count": 1, "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1"}


def test_a_droplet_of_a_task_is_a_host(cloud: Any) -> None:
    """A dry run foretells it, a run makes a host with a server of SSH, a second run changes nothing."""
    try:
        said = cloud.module("groundcrew.ops.do_droplet", FLEET, check=True)
        done = cloud.module("groundcrew.ops.do_droplet", FLEET)
        assert not done.get("failed"), done
        assert (said["changed"], said["diff"]) == (True, done["diff"])
        [droplet] = done["droplets"]
        with socket.create_connection((droplet["public_address"], 22), timeout=10) as connection:
            assert connection.recv(4) == b"SSH-"
        assert not cloud.module("groundcrew.ops.do_droplet", FLEET)["changed"]
    finally:
        assert cloud.module("groundcrew.ops.do_droplet", {**FOUND, "state": "absent"})["changed"]
