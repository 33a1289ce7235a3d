# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access keys of DigitalOcean Spaces. There is no way to block one for a while."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, BotoCoreError, ClientError, client, code
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.client import Client, NotFoundError, path
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.spaces import SPACES_KEY

REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch")


class SpacesKeys:
    """AccessKeys by the API.

    name: of the key; those that a rotation makes are called ``<name>-<the first 8 digits of the version's id>``.
    space: the address of Spaces, without keys. bucket: one that the key may list; without it the key has to be one for all of them.
    """

    def __init__(self, api: Client, name: str, space: Account, bucket: str | None) -> None:
        self._api = api
        self._name = name
        self._space = space
        self._bucket = bucket
        self.where = f"The Spaces key {name}"

    def listed(self) -> list[str]:
        return [str(key["access_key"]) for key in self._ours()]

    def create(self, version_id: str, beside: str) -> dict[str, str]:
        grants = next((key.get("grants") for key in self._ours() if key["access_key"] == beside), None)
        if grants is None:
            raise OpsError(f"The API lists no Spaces key {beside} named {self._name}, so the rights of the next one are not known.")
        made = self._api.post(SPACES_KEY.collection, {"name": f"{self._name}-{version_id[:8]}", "grants": grants})["key"]
        return {"access_key": made["access_key"], "secret_key": made["secret_key"]}

    def accepted(self, value: Mapping[str, str]) -> bool:
        account = Account(self._space.endpoint_url, self._space.region or "us-east-1", value["access_key"], value["secret_key"], None, self._space.ca_bundle)
        s3 = client("s3", account, s3={"addressing_style": "path"})
        try:
            if self._bucket:
                s3.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
            else:
                s3.list_buckets()
        except (BotoCoreError, ClientError) as error:
            if code(error) in REFUSED:
                return False
            raise self._unclear(error) from error
        return True

    def used(self, key: str) -> str | None:
        return None

    def block(self, key: str, blocked: bool) -> None:
        """A key is there or not."""

    def delete(self, key: str) -> None:
        try:
            self._api.delete(path("spaces", "keys", key))
        except NotFoundError:
            return

    def _ours(self) -> list[dict[str, Any]]:
        ours = re.compile(rf"{re.escape(self._name)}(-[0-9a-f]{{8}})?")
        return [key for key in self._api.list(SPACES_KEY.collection, SPACES_KEY.plural) if ours.fullmatch(key["name"])]

    def _unclear(self, error: Exception) -> OpsError:
        return OpsError(
            f"{self._space.endpoint_url} says neither that a key of {self._name} is accepted nor that it is refused: {error}."
            " Name a bucket that the key may list, and the address of its region."
        )
