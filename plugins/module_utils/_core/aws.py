# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of AWS, and of what speaks like it, by botocore (1.29 of Debian 12 and later).

What boto3 adds to it is not used, and takes as long again to load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

__all__ = ["Account", "BotoCoreError", "ClientError", "client", "code", "explained"]


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
            config=Config(retries={"mode": "standard", "max_attempts": attempts}, connect_timeout=10, **{"read_timeout": 30, **known}),
        )
    except (BotoCoreError, ValueError) as error:
        raise OpsError(f"Cannot use {service} at {account.endpoint_url or 'AWS'}: {error}") from error


@contextmanager
def explained(what: str, advice: Mapping[str, str], **details: str) -> Iterator[None]:
    """Turn what botocore raises into an OpsError: what failed, the service's code (also in the details), and what to do about it."""
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message") or "no message"
        do = advice.get(code(error), "Run again; if it stays so, ask the store's operator.")
        raise OpsError(f"{what}: {code(error)} ({said}). {do}", code=code(error), **details) from error
    except BotoCoreError as error:
        raise OpsError(f"{what}: {error}. Check the endpoint, the credentials, the network and the certificate bundle.", **details) from error


def code(error: Any) -> str:
    """The code of an answer that is an error, its HTTP status where there is none, and nothing where nobody answered."""
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code") or answer.get("ResponseMetadata", {}).get("HTTPStatusCode")) if answer else ""
