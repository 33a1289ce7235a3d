# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of AWS, and of what speaks like it, by botocore (1.29 of Debian 12 and later).

What boto3 adds to it is not used, and takes as long again to load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

try:
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    HAS_BOTOCORE = False
    BotoCoreError, ClientError = OSError, LookupError  # without botocore there is no client that raises them
else:
    HAS_BOTOCORE = True

__all__ = ["Account", "BotoCoreError", "ClientError", "client"]


@dataclass(frozen=True)
class Account:
    """Where a service is and who asks. What is None is found as botocore finds it (environment, profile, instance role)."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None


def client(service: str, account: Account, *, attempts: int = 5, **config: Any) -> Any:
    """attempts: how often botocore asks; 1 where a request must not be repeated blindly. config: of botocore, those that its version has."""
    if not HAS_BOTOCORE:
        raise OpsError("botocore, a part of boto3, is not installed for this Python: install python3-boto3 (Debian, Ubuntu) or the package boto3.")
    known = {name: value for name, value in config.items() if name in Config.OPTION_DEFAULTS}
    try:
        return botocore.session.Session().create_client(
            service,
            endpoint_url=account.endpoint_url,
            region_name=account.region,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            aws_session_token=account.session_token,
            verify=account.ca_bundle or None,
            config=Config(retries={"mode": "standard", "max_attempts": attempts}, connect_timeout=10, **{"read_timeout": 60, **known}),
        )
    except (BotoCoreError, ValueError) as error:
        raise OpsError(f"Cannot use {service} at {account.endpoint_url or 'AWS'}: {error}") from error
