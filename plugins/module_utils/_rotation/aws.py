# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of AWS services by botocore, which boto3 is a layer on."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

try:
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
except ImportError:
    HAS_BOTOCORE = False
    BotoCoreError = OSError  # without botocore there is no client that raises it
else:
    HAS_BOTOCORE = True


def client(service: str, settings: S3Settings, *, attempts: int = 5) -> Any:
    """attempts: how often botocore asks; 1 where a request must not be repeated blindly."""
    if not HAS_BOTOCORE:
        raise OpsError("botocore, a part of boto3, is not installed for this Python: install python3-boto3 (Debian, Ubuntu) or the package boto3.")
    try:
        return botocore.session.Session().create_client(
            service,
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token,
            verify=settings.ca_bundle or None,
            config=Config(retries={"mode": "standard", "max_attempts": attempts}, connect_timeout=10, read_timeout=30),
        )
    except (BotoCoreError, ValueError) as error:
        raise OpsError(f"Cannot use the AWS service {service}: {error}") from error
