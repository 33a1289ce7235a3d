# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON over HTTP on ``ansible.module_utils.urls``: nothing to install on any host.

A request that may have happened is never repeated blindly: only GET, HEAD, PUT and DELETE are retried after a
failure of the transport or a 5xx; every verb is retried after a 429, which the server answers before acting.
"""

from __future__ import annotations

import email.utils
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import Request, make_context

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@cache
def _context(ca_path: str | None, validate_certs: bool) -> Any:
    return make_context(cafile=ca_path, validate_certs=validate_certs)


def open_once_secured(url: str, *, ca_path: str | None = None, validate_certs: bool = True, **options: Any) -> Any:
    """As ``open_url``, which reads all certificates of the machine anew for each request: a tenth of a second each time."""
    return Request(context=_context(ca_path, validate_certs)).open(options.pop("method"), url, **options)


@dataclass(frozen=True)
class Response:
    """An answer. ``body`` is decoded JSON, None when the answer had none; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


class AmbiguousError(OpsError):
    """The request was sent but no answer came: it may have happened. Look before asking again."""


class Http:
    """A client for one API.

    base_url: without a trailing slash.
    headers: sent with each request; may hold a credential, so they never appear in an error.
    timeout: seconds for one request.
    attempts: how often a repeatable request is tried at the most.
    longest_wait: seconds; a server that asks for a longer pause gets an error that says so.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        attempts: int = 5,
        longest_wait: float = 120.0,
        validate_certs: bool = True,
        ca_path: str | None = None,
        clock: Clock | None = None,
        opener: Any = open_once_secured,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._validate_certs = validate_certs
        self._ca_path = ca_path
        self._clock = clock or Clock()
        self._open = opener

    def request(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request and return the answer, whatever its status below 500.

        Raises AmbiguousError when a request that must not be repeated got no answer, OpsError when every attempt failed.
        """
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                response = self._send(method, path, body)
            except (URLError, OSError) as error:
                # A refused connection never reached the server, so any verb may try again.
                if method not in REPEATABLE and not _never_sent(error):
                    raise AmbiguousError(
                        f"{method} {path}: no answer from {self._base_url} ({_reason(error)}); the request may have been carried out."
                    ) from error
                if last:
                    raise OpsError(
                        f"{method} {path}: cannot reach {self._base_url}: {_reason(error)}. Check the address, the network and the API's status."
                    ) from error
                self._clock.sleep(_backoff(attempt))
                continue
            if response.status == 429 and not last:
                self._clock.sleep(self._pause(method, path, response, attempt))
                continue
            if response.status >= 500:
                if method not in REPEATABLE:
                    raise AmbiguousError(
                        f"{method} {path}: {self._base_url} answered {response.status}{_said(response)}; the request may have been carried out.",
                        status=response.status,
                    )
                if last:
                    raise OpsError(f"{method} {path}: {self._base_url} answered {response.status}{_said(response)}, {attempt} times.", status=response.status)
                self._clock.sleep(_backoff(attempt))
                continue
            return response
        raise OpsError(f"{method} {path}: {self._base_url} allowed no attempt; attempts must be at least 1.")

    def _send(self, method: str, path: str, body: Any) -> Response:
        headers = {"Accept": "application/json", **self._headers}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        try:
            answer = self._open(
                self._base_url + path,
                method=method,
                data=data,
                headers=headers,
                timeout=self._timeout,
                validate_certs=self._validate_certs,
                ca_path=self._ca_path,
                http_agent="groundcrew.ops",
            )
            status, raw, received = answer.getcode(), answer.read(), answer.headers
        except HTTPError as error:
            status, raw, received = error.code, error.read(), error.headers
        return Response(status, {key.lower(): value for key, value in received.items()}, _decode(raw))

    def _pause(self, method: str, path: str, response: Response, attempt: int) -> float:
        wanted = _retry_after(response.headers, self._clock.now())
        if wanted is None:
            return _backoff(attempt)
        if wanted > self._longest_wait:
            raise OpsError(
                f"{method} {path}: {self._base_url} asks to wait {wanted:.0f} s, longer than the {self._longest_wait:g} s allowed. Run again then.",
                retry_after=wanted,
            )
        return wanted


def read_text(url: str, *, timeout: float = 30.0, last: int = 65536, opener: Any = open_once_secured) -> str:
    """The end of a text behind a link that needs no credential.

    last: bytes that are asked for; a server may send all of it.
    """
    try:
        answer = opener(url, method="GET", headers={"Range": f"bytes=-{last}"}, timeout=timeout, http_agent="groundcrew.ops")
        return bytes(answer.read()).decode("utf-8", "replace")
    except (URLError, OSError) as error:
        if isinstance(error, HTTPError) and error.code == 416:
            return ""  # an empty text has no end
        # The link may hold a signature, so it is not repeated.
        raise OpsError(f"A text could not be read: {_reason(error)}.") from error


def _backoff(attempt: int) -> float:
    return min(0.5 * 2.0 ** (attempt - 1), 15.0)


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    value = headers.get("retry-after")
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - now, 0.0)
    except ValueError:
        return None


def _decode(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return {"message": raw[:500].decode("utf-8", "replace")}


def _never_sent(error: BaseException) -> bool:
    return isinstance(getattr(error, "reason", error), ConnectionRefusedError)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error)


def _said(response: Response) -> str:
    message = response.body.get("message") if isinstance(response.body, dict) else None
    return f" ({message})" if message else ""
