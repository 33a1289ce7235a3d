# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin client: paths in, objects out, every page, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.port import Answer, Transport

PER_PAGE = 200
AT_ONCE = 10  # pages asked for side by side
# Lists that the API answers whole; asking them for a page is not in its specification.
UNPAGED = ("/v2/databases",)

ADVICE = {
    401: "The token is not accepted: set DIGITALOCEAN_TOKEN (or api_token) to a valid personal access token (control panel, API, Tokens).",
    403: "The token may not do this: give it the scope that the message names, or use a token with more rights.",
    404: "It is not there: check the name or id, and that the token belongs to the right team.",
    409: "It is in another state than this needs: run again when the change in progress is done.",
    412: "Something that this needs is not ready: run again in a moment.",
    422: "Correct the value and run again.",
    429: "Too many requests: run again later, or share the token with fewer programs.",
}
# Values that an error may repeat; a body's other fields may hold a secret.
SHOWN = (
    *("name", "names", "region", "size", "image", "engine", "version", "num_nodes", "storage_size_mib", "vpc_uuid", "private_network_uuid"),
    *("tags", "tag", "ip_range", "ip_address", "type", "disk", "droplet_id", "droplet_ids", "size_gigabytes", "filesystem_type", "filesystem_label"),
    *("forwarding_rules", "health_check", "sticky_sessions", "redirect_http_to_https", "data", "ttl", "priority", "port", "weight", "flags"),
    *("purpose", "environment", "description", "resources", "grants"),
)


@dataclass(frozen=True)
class _Page:
    """A part of a collection. total: objects on all pages, 0 when it is not told."""

    objects: list[dict[str, Any]]
    total: int
    has_next: bool

    @classmethod
    def of(cls, body: Mapping[str, Any], key: str) -> _Page:
        objects = body.get(key) or []
        if isinstance(objects, dict):  # by id
            objects = list(objects.values())
        total = (body.get("meta") or {}).get("total")
        return cls(list(objects), total if isinstance(total, int) else 0, bool(((body.get("links") or {}).get("pages") or {}).get("next")))


class NotFoundError(OpsError):
    """The API knows no such object."""


def path(*parts: Any) -> str:
    """A path below /v2 of parts that may hold any character."""
    return "/v2/" + "/".join(quote(str(part), safe="") for part in parts)


class Client:
    """The API in our words. Raises OpsError for every answer that is not a success."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, where: str, key: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every object of a collection, from every page."""
        paged = not where.startswith(UNPAGED)
        asked: dict[str, Any] = {**(query or {}), **({"per_page": PER_PAGE} if paged else {})}

        def read(page: int) -> _Page:
            asked_now = {**asked, "page": page} if page > 1 else asked
            return _Page.of(self.get(f"{where}?{urlencode(asked_now)}" if asked_now else where), key)

        last = read(1)
        found = last.objects
        if not paged:
            return found
        number = 1
        if last.total > len(found):
            # The first page tells how many there are, so the others need not wait for each other.
            numbers = range(2, -(-last.total // PER_PAGE) + 1)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for last in pool.map(read, numbers):
                    found.extend(last.objects)
            number = numbers[-1]
        # Objects may come and go while we read: an empty page ends the list whatever the totals say.
        while last.objects and (last.has_next or len(found) < last.total):
            number += 1
            last = read(number)
            found.extend(last.objects)
        return found

    def get(self, where: str) -> dict[str, Any]:
        return self._ask("GET", where)

    def post(self, where: str, body: Any = None) -> dict[str, Any]:
        return self._ask("POST", where, body)

    def put(self, where: str, body: Any) -> dict[str, Any]:
        return self._ask("PUT", where, body)

    def patch(self, where: str, body: Any) -> dict[str, Any]:
        return self._ask("PATCH", where, body)

    def delete(self, where: str, body: Any = None) -> dict[str, Any]:
        return self._ask("DELETE", where, body)

    def send(self, method: str, where: str, body: Any) -> dict[str, Any]:
        """A request whose method is data."""
        return self._ask(method, where, body)

    def _ask(self, method: str, where: str, body: Any = None) -> dict[str, Any]:
        answer = self._transport.request(method, where, body)
        if answer.status >= 400:
            raise refused(method, where, body, answer)
        return answer.body if isinstance(answer.body, dict) else {}


def refused(method: str, where: str, body: Any, answer: Answer) -> OpsError:
    """The error for an answer that refuses: what was asked, of what, what came back, what to do next."""
    said = answer.body.get("message") if isinstance(answer.body, dict) else None
    message = f"{method} {where.split('?')[0]}: the API answered {answer.status}: {said or 'without a reason'}."
    sent = body if isinstance(body, Mapping) else {}
    fields = [field for field in sent if said and field.replace("_", " ") in str(said).lower().replace("_", " ")]
    if fields:
        message += " Field" + ("s " if len(fields) > 1 else " ") + ", ".join(_shown(field, sent) for field in fields) + "."
    advice = ADVICE.get(answer.status)
    kind = NotFoundError if answer.status == 404 else OpsError
    return kind(f"{message} {advice}" if advice else message, status=answer.status, fields=fields)


def _shown(field: str, sent: Mapping[str, Any]) -> str:
    return f"{field} ({sent[field]!r})" if field in SHOWN else field
