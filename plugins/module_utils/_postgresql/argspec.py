# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a connection, apart from it: a timer connects without Ansible."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env

CONNECTION: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "required": True, "fallback": from_env("PGHOST")},
    "login_port": {"type": "int", "default": 5432, "fallback": from_env("PGPORT")},
    "login_user": {"type": "str", "required": True, "fallback": from_env("PGUSER")},
    "login_password": {"type": "str", "required": True, "no_log": True, "fallback": from_env("PGPASSWORD")},
    "login_db": {"type": "str", "required": True, "fallback": from_env("PGDATABASE")},
    "ssl_mode": {
        "type": "str",
        "default": "require",
        "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        "fallback": from_env("PGSSLMODE"),
    },
    "ca_cert": {"type": "path", "fallback": from_env("PGSSLROOTCERT")},
}
