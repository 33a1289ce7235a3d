# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User data of a droplet, as the shell script that its host runs at first boot."""

from __future__ import annotations

import base64
import shlex
from typing import Any

import yaml

UNDERSTOOD = {"packages", "package_update", "write_files", "runcmd"}


class UserDataError(ValueError):
    """User data that this cloud cannot carry out."""


def script(user_data: str | None) -> str:
    """The script for user data: a script as it is, a cloud-config in its own order (files, packages, commands)."""
    text = (user_data or "").strip()
    if not text:
        return ""
    if text.startswith("#!"):
        return f"{text}\n"
    if not text.startswith("#cloud-config"):
        raise UserDataError("User data must begin with '#!' or '#cloud-config'.")
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise UserDataError(f"User data is not YAML: {error}") from error
    unknown = sorted(set(config) - UNDERSTOOD)
    if unknown:
        raise UserDataError(f"This local cloud carries out {', '.join(sorted(UNDERSTOOD))} of a cloud-config, not {', '.join(unknown)}.")
    lines = ["#!/bin/sh", "set -x"]
    for file in config.get("write_files", []):
        lines += _write(file)
    if config.get("package_update") or config.get("packages"):
        lines.append("apt-get update -q")
    if config.get("packages"):
        lines.append(f"apt-get install -q -y {' '.join(shlex.quote(package) for package in config['packages'])}")
    lines += [command if isinstance(command, str) else shlex.join(map(str, command)) for command in config.get("runcmd", [])]
    return "\n".join(lines) + "\n"


def _write(file: dict[str, Any]) -> list[str]:
    unknown = sorted(set(file) - {"path", "content", "permissions", "owner", "append"})
    if unknown:
        raise UserDataError(f"write_files: this local cloud does not know {', '.join(unknown)}.")
    path = shlex.quote(file["path"])
    content = base64.b64encode(str(file.get("content", "")).encode()).decode()
    lines = [
        f'mkdir -p "$(dirname {path})"',
        f"echo {content} | base64 -d {'>>' if file.get('append') else '>'} {path}",
        f"chmod {shlex.quote(str(file.get('permissions', '0644')))} {path}",
    ]
    if "owner" in file:
        lines.append(f"chown {shlex.quote(file['owner'])} {path}")
    return lines
