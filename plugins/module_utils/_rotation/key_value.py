# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents in version 2 of the key-value engine of OpenBao and HashiCorp Vault. Check-and-set makes every write safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import NOT_MET
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Http, Response


@dataclass(frozen=True)
class KeyValueSettings:
    """url: of the server; mount: where the engine is; namespace: where the server has such things."""

    url: str
    token: str = field(repr=False)
    mount: str = "secret"
    namespace: str | None = None
    ca_bundle: str | None = None


class KeyValue:
    """Documents, each a JSON object, so that others read its fields as those of any secret."""

    def __init__(self, settings: KeyValueSettings, http: Http | None = None) -> None:
        headers = {"X-Vault-Token": settings.token, "X-Vault-Request": "true"}
        if settings.namespace:
            headers["X-Vault-Namespace"] = settings.namespace
        self._settings = settings
        self._http = http or Http(settings.url, headers=headers, ca_path=settings.ca_bundle, attempts=4)

    def look(self, key: str) -> Versioned | None:
        answer = self._http.request("GET", self._path("data", key))
        if answer.status == 404:
            return None
        self._require(answer, "read", key)
        found = answer.body["data"]
        # Both times are the server's own. It writes nanoseconds, which Python does not read.
        created = datetime.fromisoformat(found["metadata"]["created_time"].partition(".")[0].rstrip("Z") + "+00:00")
        age = (parsedate_to_datetime(answer.headers["date"]) - created).total_seconds()
        return Versioned(json.dumps(found["data"]).encode(), str(found["metadata"]["version"]), age)

    def create(self, key: str, data: bytes) -> str:
        made = self._put(key, data, 0)
        if made is None:
            raise OpsError(f"{key} in {self.where} exists, or its versions do: one that was deleted there is removed with its metadata.", code=NOT_MET[0])
        return made

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        return self._put(key, data, int(etag))

    def delete(self, key: str) -> None:
        answer = self._http.request("DELETE", self._path("metadata", key))
        if answer.status != 404:
            self._require(answer, "remove", key)

    def keys(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        answer = self._http.request("GET", self._path("metadata", folder) + "?list=true")
        if answer.status == 404:
            return
        self._require(answer, "list", folder or "the top")
        for name in answer.body["data"]["keys"]:
            key = f"{folder}/{name}" if folder else name
            if key.endswith("/"):
                yield from self.keys(key)
            elif key.startswith(prefix):
                yield key

    @property
    def where(self) -> str:
        return f"{self._settings.url}, mount {self._settings.mount}"

    def _put(self, key: str, data: bytes, version: int) -> str | None:
        """The version that it is now; None when ``version`` is not the one that is there."""
        content = json.loads(data)
        answer = self._http.request("PUT", self._path("data", key), {"options": {"cas": version}, "data": content})
        if answer.status == 400 and any("check-and-set" in said for said in _errors(answer)):
            # An answer that got lost made this ask again, and its own first attempt is then in the way.
            there = self.look(key)
            return there.etag if there is not None and json.loads(there.data) == content else None
        self._require(answer, "write", key)
        return str(answer.body["data"]["version"])

    def _path(self, part: str, key: str) -> str:
        return f"/v1/{quote(self._settings.mount)}/{part}/{quote(key)}"

    def _require(self, answer: Response, doing: str, key: str) -> None:
        if answer.status < 300:
            return
        said = "; ".join(_errors(answer)) or "no reason given"
        advice = {
            403: "Check the token: it needs create, read, update, delete and list there.",
            404: "Check that a key-value engine of version 2 is mounted there.",
        }
        raise OpsError(
            f"Cannot {doing} {key} in {self.where}: {answer.status} ({said}). {advice.get(answer.status, 'See the log of the server.')}", status=answer.status
        )


def _errors(answer: Response) -> list[Any]:
    return [str(said) for said in (answer.body or {}).get("errors") or ()]
