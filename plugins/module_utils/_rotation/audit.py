# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets against the security checklists. Pure but for the modes of the store's files, which are read where the store is."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, gather, nothing_of

CATALOG = Catalog("secret")
STORE = Catalog("secret_store")
check = CATALOG.check


@check("high", "It is not older than it may be", "Run playbooks/rotate.yml.")
def age(secret: Mapping[str, Any]) -> Told:
    return not secret["late"], f"It is {secret['age_days']:.0f} days old; the limit is {secret['max_age_days']:g}."


@check("medium", "No rotation was left halfway", "Run playbooks/rotate.yml again: it ends what was begun.")
def rotation(secret: Mapping[str, Any]) -> Told:
    return secret["state"] == "STEADY", "None is in progress." if secret["state"] == "STEADY" else f"One is in the state {secret['state']}."


@STORE.check("high", "Every secret that is declared is there", "Run the verb main of the role secret.")
def complete(secrets: Sequence[Mapping[str, Any]], declared_names: Sequence[str]) -> Told:
    there = {each["name"] for each in secrets}
    return nothing_of([f"{name} is missing" for name in declared_names if name not in there], f"{len(declared_names)} secrets.")


@STORE.check("low", "Nothing is kept that nobody declared", "Remove it with the verb remove of the role secret, or declare it.")
def undeclared(secrets: Sequence[Mapping[str, Any]], declared_names: Sequence[str]) -> Told:
    return nothing_of([f"{each['name']} is not declared" for each in secrets if each["name"] not in declared_names], "Nothing is.")


@STORE.check("critical", "The store's files are their owner's alone", "chmod -R go= the store and the file of its password or key.")
def files(open_files: Sequence[str]) -> Told:
    return nothing_of(list(open_files), "None of them is open to others.")


def audit_secrets(params: Mapping[str, Any]) -> dict[str, Any]:
    """The question that the module secret_audit answers, about what secret_info told."""
    found = STORE.examine(
        params["subject"],
        {
            "secrets": params["secrets"],
            "declared_names": params["declared"],
            **gather({"open_files": lambda: _open([params[name] for name in ("store_path", "vault_password_file", "age_key_file") if params[name]])}),
        },
    )
    for each in params["secrets"]:
        found += CATALOG.examine(each["name"], {"secret": each})
    return {"findings": [each.as_dict() for each in found]}


def _open(places: Sequence[str]) -> list[str]:
    paths = [path for place in places for path in ([Path(place), *Path(place).rglob("*")] if Path(place).is_dir() else [Path(place)])]
    seen = [(path, path.stat()) for path in sorted(paths)]
    return [f"{path} has mode {stat.S_IMODE(each.st_mode):04o}" for path, each in seen if stat.S_ISREG(each.st_mode) and each.st_mode & 0o077]
