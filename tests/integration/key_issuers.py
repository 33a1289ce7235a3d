# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issuers of keys on loopback, in this process: IAM as moto has it, checking every signature, and an object store that asks who holds a Spaces key."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto import settings
from moto.iam.access_control import CreateAccessKeyFailure, IAMUserAccessKey
from moto.iam.models import iam_backends

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, client
from tests.integration.secret_stores import moto

ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def refuses_inactive(make: Callable[..., None]) -> Callable[..., None]:
    """AWS refuses a key that is Inactive as one that it does not know; moto lets it in."""

    def made(self: Any, account_id: str, partition: str, access_key_id: str, headers: dict[str, str]) -> None:
        users = iam_backends[account_id][partition].list_users("/", None, None)
        if any(key.access_key_id == access_key_id and key.status == "Inactive" for user in users for key in user.access_keys):
            raise CreateAccessKeyFailure(reason="InvalidId")
        make(self, account_id, partition, access_key_id, headers)

    return made


@contextmanager
def iam() -> Iterator[Account]:
    """An account of AWS that checks who asks; its administrator."""
    with pytest.MonkeyPatch.context() as patch, moto() as url:
        root = client("iam", Account(url, "us-east-1", "testing", "testing"))
        root.create_user(UserName="administrator")
        root.put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=ANYTHING)
        key = root.create_access_key(UserName="administrator")["AccessKey"]
        patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
        patch.setattr(botocore.session, "Session", functools.cache(botocore.session.Session))  # each reads the description of AWS anew
        patch.setattr(IAMUserAccessKey, "__init__", refuses_inactive(IAMUserAccessKey.__init__))
        yield Account(url, "us-east-1", key["AccessKeyId"], key["SecretAccessKey"])


class Space:
    """Answers who holds a key that ``holds`` knows, and signs with its secret. secrets: by access key, as the answers of their creation told them."""

    def __init__(self, holds: Callable[[str], bool]) -> None:
        self.secrets: dict[str, str] = {}
        self._holds = holds
        space = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                refusal = space.refusal(self.headers, f"http://{self.headers['Host']}{self.path}")
                body = f"<Error><Code>{refusal}</Code></Error>" if refusal else "<ListBucketResult></ListBucketResult>"
                self.send_response(403 if refusal else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_arguments: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def refusal(self, headers: Any, url: str) -> str | None:
        said = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/.*SignedHeaders=([^,]+), Signature=(\w+)", headers["Authorization"])
        assert said, headers["Authorization"]
        key, signed, signature = said.groups()
        if not self._holds(key):
            return "InvalidAccessKeyId"
        request = AWSRequest("GET", url, headers={name: headers[name] for name in signed.split(";")})
        request.context["timestamp"] = headers["X-Amz-Date"]
        signer = S3SigV4Auth(Credentials(key, self.secrets[key]), "s3", "us-east-1")
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return None if signature == expected else "SignatureDoesNotMatch"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
