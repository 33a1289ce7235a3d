# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts with an application behind an HAProxy, and a security archive of their own that has an upgrade for them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration import checkmode
from tests.integration.release_host import SSH_OPTIONS
from tests.load.balancer import Balancer
from tests.load.client import Report

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("p1", "p2", "p3")

# Answers after a moment, so that requests are under way whenever a host goes down.
APPLICATION = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_words):
        pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""
UNIT = "[Service]\nExecStart=/usr/bin/python3 /srv/app.py\n[Install]\nWantedBy=multi-user.target\n"


class Fleet:
    """The hosts, what is before them, and the playbook over them."""

    def __init__(self, cloud: Any, work: Path, addresses: dict[str, str], droplets: dict[str, int]) -> None:
        self.cloud, self.work, self.addresses, self.droplets = cloud, work, addresses, droplets
        self.balancer = Balancer(work, addresses)
        settings = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(cloud.cloud.ssh_key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        self.inventory = work / "hosts.json"
        hosts = {name: {"ansible_host": address, "ansible_connection": "ssh"} for name, address in addresses.items()}
        self.inventory.write_text(json.dumps({"app": {"hosts": hosts, "vars": settings}}))
        collection = work / "ansible_collections" / "groundcrew" / "ops"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(ROOT)

    def ssh(self, name: str, command: str, stdin: str = "") -> str:
        address = f"root@{self.addresses[name]}"
        done = subprocess.run(
            ["ssh", "-i", str(self.cloud.cloud.ssh_key), *SSH_OPTIONS.split(), address, command], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def patch(self, *arguments: str, drain: bool = True, **variables: Any) -> checkmode.Run:
        """Run the playbook; without drain, nothing is told to the balancer."""
        hooks = self.balancer.hooks if drain else {}
        given = {**hooks, "host_health_urls": ["http://127.0.0.1/"], "host_reboot_timeout": 60, "host_health_timeout": 30, **variables}
        env = {"ANSIBLE_COLLECTIONS_PATH": f"{self.work}:{ROOT / 'build' / 'collections'}", "ANSIBLE_PIPELINING": "1"}
        return checkmode.run(ROOT / "playbooks/patch.yml", self.inventory, "--extra-vars", json.dumps(given), *arguments, env=env)

    def publish(self, version: str) -> None:
        """Have the hosts' security archive offer the package at this version, which asks for a reboot."""
        for name in NAMES:
            self.ssh(name, f"sh -s {version}", PUBLISH)

    def versions(self) -> list[str]:
        return [self.ssh(name, "dpkg-query --show --showformat '${Version}' gc-demo") for name in NAMES]

    def booted(self) -> dict[str, float]:
        """When each host was started, in its own words."""
        return {name: float(self.ssh(name, "systemctl show --value --property=UserspaceTimestampMonotonic")) for name in NAMES}

    @contextmanager
    def load(self, **options: Any) -> Iterator[Report]:
        with self.balancer.load(**{"connections": 12, "post_share": 0.0, **options}) as report:
            yield report


# VERSION [MORE]: a package with nothing in it but a wish to reboot, in an archive that says it is Debian's security archive. It may depend on one more.
PUBLISH = """set -eu
mkdir -p /srv/security /tmp/gc-demo/DEBIAN && cd /srv/security
printf 'Package: gc-demo\\nVersion: %s\\nArchitecture: all\\nMaintainer: nobody <nobody@example.com>\\nDescription: a wish\\n' $1 > /tmp/gc-demo/DEBIAN/control
[ -z "${2:-}" ] || echo "Depends: $2" >> /tmp/gc-demo/DEBIAN/control
printf '#!/bin/sh\\ntouch /run/reboot-required\\necho gc-demo >> /run/reboot-required.pkgs\\n' > /tmp/gc-demo/DEBIAN/postinst
chmod 755 /tmp/gc-demo/DEBIAN/postinst
dpkg-deb --build --root-owner-group /tmp/gc-demo gc-demo_$1.deb > /dev/null
{ cat /tmp/gc-demo/DEBIAN/control
  printf 'Filename: ./gc-demo_%s.deb\\nSize: %s\\nSHA256: %s\\n' $1 $(stat -c %s gc-demo_$1.deb) $(sha256sum gc-demo_$1.deb | cut -d' ' -f1)
  [ -z "${2:-}" ] || { echo; sed "s/^Package: .*/Package: $2/; /^Depends:/d" /tmp/gc-demo/DEBIAN/control; echo 'Filename: ./none.deb'; echo 'Size: 1'; }
} > Packages
. /etc/os-release
printf 'Origin: Debian\\nLabel: Debian-Security\\nSuite: stable-security\\nCodename: %s-security\\nSHA256:\\n %s %s Packages\\n' \\
  $VERSION_CODENAME $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) > Release
echo 'deb [trusted=yes] file:/srv/security ./' > /etc/apt/sources.list.d/security-demo.list
"""


@contextmanager
def launch(cloud: Any, work: Path) -> Iterator[Fleet]:
    """Three droplets behind an HAProxy on loopback, gone afterwards."""
    key = cloud.ssh_key()
    droplets: dict[str, int] = {}
    try:
        for name in NAMES:
            wanted = {"name": name, "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1", "ssh_keys": [key]}
            droplets[name] = cloud.request("POST", "/v2/droplets", wanted)[1]["droplet"]["id"]
        addresses = {
            name: cloud.wait(name, f"/v2/droplets/{number}", lambda _, body: body["droplet"]["status"] == "active")["droplet"]["networks"]["v4"][0][
                "ip_address"
            ]
            for name, number in droplets.items()
        }
        fleet = Fleet(cloud, work, addresses, droplets)
        for name in NAMES:
            fleet.ssh(name, "cat > /srv/app.py", APPLICATION)
            fleet.ssh(name, "cat > /etc/systemd/system/app.service && systemctl enable --now --quiet app.service", UNIT)
        with fleet.balancer.running():
            yield fleet
    finally:
        for number in droplets.values():
            cloud.request("DELETE", f"/v2/droplets/{number}")
