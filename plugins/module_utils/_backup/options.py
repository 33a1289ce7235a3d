# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the backup modules, documented by the fragments s3 and backup."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env

S3: dict[str, dict[str, Any]] = {
    "endpoint_url": {"type": "str", "fallback": from_env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")},
    "region": {"type": "str", "fallback": from_env("AWS_REGION", "AWS_DEFAULT_REGION")},
    "access_key": {"type": "str", "no_log": False, "fallback": from_env("AWS_ACCESS_KEY_ID")},
    "secret_key": {"type": "str", "no_log": True, "fallback": from_env("AWS_SECRET_ACCESS_KEY")},
    "session_token": {"type": "str", "no_log": True, "fallback": from_env("AWS_SESSION_TOKEN")},
    "addressing_style": {"type": "str", "choices": ["auto", "path", "virtual"], "default": "auto"},
    "ca_bundle": {"type": "path", "fallback": from_env("AWS_CA_BUNDLE")},
}

# What only a backup needs to know.
STORAGE: dict[str, dict[str, Any]] = {"storage_class": {"type": "str"}, "progress_file": {"type": "path"}}

# How a bucket should be: the module that makes it and the one that looks at it.
BUCKET: dict[str, dict[str, Any]] = {
    "noncurrent_days": {"type": "int", "default": 7},
    "unfinished_days": {"type": "int", "default": 2},
    "encryption": {"type": "str", "choices": ["store", "AES256", "aws:kms"], "default": "store", "no_log": False},
    "kms_key": {"type": "str", "no_log": False},
    "object_lock_days": {"type": "int"},
    "replication": {
        "type": "dict",
        "options": {
            "role": {"type": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            "kms_key": {"type": "str", "no_log": False},
        },
    },
}

REPOSITORY: dict[str, dict[str, Any]] = {
    "bucket": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "signing_key": {"type": "str", "required": True, "no_log": True, "fallback": from_env("GROUNDCREW_BACKUP_SIGNING_KEY")},
}

IDENTITY: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "required": True},
    "system_id": {"type": "str"},
    "engine": {"type": "str", "choices": ["postgresql", "redis"], "default": "postgresql"},
}

KEEP: dict[str, dict[str, Any]] = {
    **{name: {"type": "int", "default": 0} for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")},
    "within_days": {"type": "float", "default": 30},
    "minimum": {"type": "int", "default": 2},
    "most": {"type": "int", "default": 50},
    "late_hours": {"type": "float", "default": 0},
}

LIMITS: dict[str, dict[str, Any]] = {
    "newest_hours": {"type": "float", "default": 26},
    "proven_hours": {"type": "float", "default": 50},
    "drill_days": {"type": "float", "default": 100},
    "restore_minutes": {"type": "float", "default": 0},
}

TOOLS: dict[str, dict[str, Any]] = {
    "jobs": {"type": "int", "default": 2},
    "staging_dir": {"type": "path", "default": "/var/tmp"},
    "encryption_key": {"type": "str", "no_log": True, "fallback": from_env("GROUNDCREW_BACKUP_ENCRYPTION_KEY")},
    "bin_dir": {"type": "path"},
}

# A second connection: no fallbacks, they belong to the first.
SOURCE: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str", "required": True},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str", "required": True},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str", "required": True},
    "ssl_mode": {"type": "str", "default": "require", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]},
    "ca_cert": {"type": "path"},
}
