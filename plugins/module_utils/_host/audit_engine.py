# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker Engine against the security checklists. The checks are pure; ``facts`` reads what they need."""

from __future__ import annotations

import grp
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, declared, gather, nothing_of
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner

CATALOG = Catalog("docker_engine")
check = CATALOG.check
ROLE = "Run the role docker_engine."
SOCKET = "/var/run/docker.sock"


@check("critical", "The engine takes orders on its own socket alone", "Take tcp:// out of the daemon's hosts; reach it over SSH (docker -H ssh://…).")
def tcp_socket(arguments: Sequence[str], daemon: Mapping[str, Any]) -> Told:
    # What has no scheme is an address of TCP.
    hosts = [each for each in [*_hosts(arguments), *daemon.get("hosts", [])] if each and not each.startswith(("unix://", "fd://"))]
    return nothing_of([f"it listens on {each}" for each in hosts], "It listens on no address.")


def _hosts(arguments: Sequence[str]) -> list[str]:
    """What -H and --host name, each in its two forms."""
    found = [follows for option, follows in pairwise(arguments) if option in ("-H", "--host")]
    return found + [given[1] for each in arguments if (given := re.match(r"(?:--host=|-H=?)(.+)", each))]


@check("critical", "The engine's socket is not open to everybody", "chmod 0660 /var/run/docker.sock; chown root:docker.")
def socket_mode(socket_mode_octal: str) -> Told:
    return socket_mode_octal[-1] == "0", f"{SOCKET} has mode {socket_mode_octal}."


@check("high", "Only those who are declared command the engine, which makes them root", "Take the account out of the group docker, or declare it.")
def group_members(docker_group: Sequence[str], declared_group: Sequence[str]) -> Told:
    strange = [f"{name} is in the group docker" for name in docker_group if name not in declared_group]
    return nothing_of(strange, f"In the group: {', '.join(docker_group) or 'nobody'}.")


@check("medium", "Containers outlive a restart of the engine", f"{ROLE} docker_engine_live_restore has to be true.")
def live_restore(info: Mapping[str, Any]) -> Told:
    return bool(info["LiveRestoreEnabled"]), f"Live restore is {'on' if info['LiveRestoreEnabled'] else 'off'}."


@check("medium", "A container's log has a limit by default", f"{ROLE} It sets docker_engine_log_max_size.")
def log_limits(info: Mapping[str, Any], daemon: Mapping[str, Any]) -> Told:
    driver, size = info["LoggingDriver"], daemon.get("log-opts", {}).get("max-size")
    return driver not in ("json-file", "local") or bool(size) or driver == "local", f"The driver is {driver}, max-size {size or 'not set'}."


@check("high", "System calls of containers are filtered", "Take the option that switches seccomp off out of daemon.json.")
def seccomp(info: Mapping[str, Any]) -> Told:
    options = [each for each in info.get("SecurityOptions", []) if "seccomp" in each]
    filtered = any("unconfined" not in each for each in options)
    return filtered, f"The engine says {', '.join(options) or 'nothing about seccomp'}."


@check("high", "Images come over TLS, but for the registries that are declared", "Take it out of insecure-registries, or declare it.")
def insecure_registries(daemon: Mapping[str, Any], declared_registries: Sequence[str]) -> Told:
    strange = [each for each in daemon.get("insecure-registries", []) if each not in declared_registries]
    return nothing_of([f"{each} is not declared" for each in strange], f"Without TLS: {', '.join(declared_registries) or 'none'}.")


@check("high", "Docker's own rules keep containers apart from the network", "Take iptables: false out of daemon.json.")
def packet_filter(daemon: Mapping[str, Any]) -> Told:
    return daemon.get("iptables", True) is not False, f"iptables is {daemon.get('iptables', True)}."


def facts(params: Mapping[str, Any], runner: Runner | None = None, config: str = "/etc/docker/daemon.json", socket: str = SOCKET) -> dict[str, Any]:
    run = runner or Runner()
    told = gather(
        {
            "info": lambda: json.loads(run.run(["docker", "info", "--format", "{{json .}}"], timeout=20).stdout),
            "daemon": lambda: json.loads(Path(config).read_text()) if os.path.exists(config) else {},
            "arguments": _arguments,
            "socket_mode_octal": lambda: f"{stat.S_IMODE(os.stat(socket).st_mode):04o}",
            "docker_group": lambda: sorted(grp.getgrnam("docker").gr_mem),
        }
    )
    return {
        **told,
        "declared_group": declared(params["group"], "docker_engine_audit_group"),
        "declared_registries": declared(params["insecure_registries"], "docker_engine_insecure_registries"),
    }


def _arguments() -> list[str]:
    """What dockerd was started with."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        words = process.read_bytes().decode(errors="replace").split("\0")
        if words[0].rpartition("/")[2] == "dockerd":
            return words
    raise LookupError("no process dockerd runs")


def audit_engine(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module docker_engine_audit answers."""
    return {"findings": [each.as_dict() for each in CATALOG.examine(params["subject"], facts(params))]}
