# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where secrets are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.vault_cli import VaultCommand

SPEC: dict[str, dict[str, Any]] = {
    "store_path": {"type": "path", "required": True, "fallback": from_env("GROUNDCREW_SECRET_STORE")},
    "vault_password_file": {"type": "path", "required": True, "no_log": False, "fallback": from_env("ANSIBLE_VAULT_PASSWORD_FILE")},
}


def open_store(params: Mapping[str, Any]) -> tuple[FileStore, FileRecords]:
    """The store and the rotation records that a module's options name."""
    return FileStore(params["store_path"], VaultCommand(params["vault_password_file"])), FileRecords(params["store_path"])
