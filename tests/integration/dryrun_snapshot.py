# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, as one JSON object of names and values: run on the host, by its own Python. Two that are equal say that nothing was written.

Files with their content, mode and owner; packages; units of systemd; rules of the firewall; objects of Docker Engine. Left out is what a host
writes by itself (logs, caches, package lists, temporary files) and what runs for a moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys

ROOTS = ("/etc", "/usr/local", "/opt", "/home", "/root", "/srv", "/var/lib/groundcrew", "/var/lib/haproxy", "/var/spool/cron", "/swapfile")
# Ansible's own folders, caches, and what HAProxy or systemd exchange while they run.
PASSED = ("/root/.ansible", "/root/.cache", "/root/.ssh/known_hosts", "/etc/mtab", "/var/lib/haproxy/dev", "/var/lib/haproxy/server-state", "/opt/containerd")
COMMANDS = {
    "package": ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\\n"],
    "unit file": ["systemctl", "list-unit-files", "--no-legend", "--plain", "--no-pager"],
    "firewall": ["nft", "--stateless", "list", "ruleset"],
    "image": ["docker", "image", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"],
    "container": ["docker", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"],
    "volume": ["docker", "volume", "ls", "--quiet"],
    "network": ["docker", "network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"],
}


def file(path: str) -> str:
    seen = os.lstat(path)
    what = f"{stat.filemode(seen.st_mode)} {seen.st_uid}:{seen.st_gid}"
    if stat.S_ISLNK(seen.st_mode):
        return f"{what} -> {os.readlink(path)}"
    if stat.S_ISREG(seen.st_mode):
        with open(path, "rb") as stream:
            return f"{what} {hashlib.sha256(stream.read()).hexdigest()}"
    return what


def files() -> dict[str, str]:
    found = {}
    for root in ROOTS:
        paths = [root] if os.path.lexists(root) else []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name != "__pycache__" and os.path.join(folder, name) not in PASSED]
            paths += [os.path.join(folder, name) for name in folders + names]
        found.update({path: file(path) for path in paths if path not in PASSED})
    return found


def said(argv: list[str]) -> list[str]:
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def units() -> dict[str, str]:
    """Services that stay and timers: what they are now. Those that run once come and go by themselves."""
    wanted = ["--property=Id,ActiveState,UnitFileState,Type", "*.service", "*.timer"]
    blocks = "\n".join(said(["systemctl", "show", "--no-pager", *wanted])).split("\n\n")
    found = {}
    for block in blocks:
        value = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if value.get("Type") != "oneshot" and not value.get("Id", "").startswith(("user", "session", "getty", "systemd-")):
            found[value.get("Id", "")] = f"{value.get('ActiveState')} {value.get('UnitFileState')}"
    return found


def main() -> None:
    everything = {f"file {path}": value for path, value in files().items()}
    everything |= {f"unit {name}": value for name, value in units().items()}
    for kind, argv in COMMANDS.items():
        for line in said(argv):
            everything[f"{kind} {line}"] = ""
    json.dump(everything, sys.stdout)


if __name__ == "__main__":
    main()
