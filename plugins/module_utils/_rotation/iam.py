# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys of an IAM user, of which AWS allows two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, BotoCoreError, ClientError, client, code
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError

REFUSED = ("InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "UnrecognizedClientException")


class IamKeys:
    """AccessKeys by IAM. account: an administrator of the user's keys."""

    def __init__(self, account: Account, user: str) -> None:
        self._account = account
        self._user = user
        self._iam = client("iam", account)
        # Asked once: a second key would be over the limit, or one that nobody knows the secret of.
        self._once = client("iam", account, attempts=1)
        self.where = f"The IAM user {user}"

    def listed(self) -> list[str]:
        found = self._asked("list the access keys", lambda: self._iam.list_access_keys(UserName=self._user))
        return [key["AccessKeyId"] for key in found["AccessKeyMetadata"]]

    def create(self, version_id: str, beside: str) -> dict[str, str]:
        made = self._asked("make an access key", lambda: self._once.create_access_key(UserName=self._user))["AccessKey"]
        return {"access_key": made["AccessKeyId"], "secret_key": made["SecretAccessKey"]}

    def accepted(self, value: Mapping[str, str]) -> bool:
        """By the one request that every key may make."""
        account = replace(self._account, access_key=value["access_key"], secret_key=value["secret_key"], session_token=None)
        sts = client("sts", replace(account, region=account.region or "us-east-1"))
        try:
            sts.get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            if code(error) in REFUSED:
                return False
            raise self._failed("try a key", error) from error
        return True

    def used(self, key: str) -> str | None:
        last = self._asked("see when a key was used", lambda: self._iam.get_access_key_last_used(AccessKeyId=key))["AccessKeyLastUsed"]
        return str(last["LastUsedDate"]) if last.get("LastUsedDate") else None

    def block(self, key: str, blocked: bool) -> None:
        status = "Inactive" if blocked else "Active"
        self._asked(f"make the key {key} {status}", lambda: self._iam.update_access_key(UserName=self._user, AccessKeyId=key, Status=status))

    def delete(self, key: str) -> None:
        try:
            self._iam.delete_access_key(UserName=self._user, AccessKeyId=key)
        except (BotoCoreError, ClientError) as error:
            if code(error) != "NoSuchEntity":
                raise self._failed(f"delete the key {key}", error) from error

    def _asked(self, doing: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (BotoCoreError, ClientError) as error:
            raise self._failed(doing, error) from error

    def _failed(self, doing: str, error: Exception) -> OpsError:
        answer = getattr(error, "response", None)
        status = answer["ResponseMetadata"].get("HTTPStatusCode", 0) if answer else 0
        # What was refused did not happen, and what never arrived did not either; of everything else nobody knows.
        never = type(error).__name__ in ("EndpointConnectionError", "ConnectTimeoutError", "NoCredentialsError")
        kind = OpsError if never or 400 <= status < 500 else AmbiguousError
        return kind(f"Could not {doing} of the IAM user {self._user}: {error}. Check the network, and that the administrator may do it.", status=status)
