# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Signature Version 4 for one plain request: enough to ask a server whether it stores."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime


def signed_headers(method: str, host: str, path: str, data: bytes, access_key: str, secret_key: str, region: str = "us-east-1") -> dict[str, str]:
    """The headers of a request without a query."""
    instant = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(data).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": instant}
    names = ";".join(headers)
    canonical = "\n".join([method, path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names, digest])
    scope = f"{instant[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", instant, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"}
