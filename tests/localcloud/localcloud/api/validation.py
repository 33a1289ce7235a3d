# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers against DigitalOcean's own OpenAPI specification."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from flask import Request, Response
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathNotFound

SPECIFICATION = Path(__file__).resolve().parents[4].parent / "shared" / "specs" / "digitalocean-openapi.json"

# A word may be one of the few that are allowed, so it belongs to an answer's kind.
WORD = re.compile(r"[A-Za-z_]{1,24}")


class Validator:
    """Keeps what broke the specification.

    Every request is checked, but the same one once, and one answer of each kind: those that differ in names and numbers come from the same lines of code.
    Both take as long as all else that the API does.
    """

    def __init__(self, url: str, specification: Path = SPECIFICATION) -> None:
        self.url = url
        document = json.loads(specification.read_text())
        document["servers"] = [{"url": url}]
        for name in ("ssh_key_id", "ssh_key_fingerprint"):
            # Marked as never sent, although they are what a path and a new droplet name a key by.
            del document["components"]["schemas"][name]["readOnly"]
        # An action with a schema of its own, which the list of all types, part of that schema, leaves out.
        document["components"]["schemas"]["droplet_action"]["properties"]["type"]["enum"].append("change_backup_policy")
        # The specification fails the strictest check of itself at one default, which no answer depends on.
        self._openapi = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        self._paths = document["paths"]
        self._lock = threading.Lock()
        self._known: set[Hashable] = set()
        self.violations: list[dict[str, Any]] = []

    def check(self, request: Request, response: Response) -> None:
        """Note a violation by the request (unless the answer refuses it) or by the answer."""
        with self._lock:
            asked = WerkzeugOpenAPIRequest(request)
            if response.status_code < 400:
                same = (request.method, request.full_path, request.get_data())
                self._note("request", same, request, response, lambda: self._openapi.validate_request(asked))
            where = request.url_rule.rule if request.url_rule else request.path
            alike = (request.method, where, response.status_code, response.content_type, kind(response.get_json(silent=True)))
            self._note("answer", alike, request, response, lambda: self._openapi.validate_response(asked, WerkzeugOpenAPIResponse(response)))

    def knows(self, method: str, path: str) -> bool:
        """Whether the real API has such an operation."""
        parts = path.split("/")
        return any(method.lower() in operations and _matches(template.split("/"), parts) for template, operations in self._paths.items())

    def _note(self, what: str, known: Hashable, request: Request, response: Response, validate: Any) -> None:
        if known in self._known:
            return
        try:
            validate()
            self._known.add(known)
        except PathNotFound:
            if response.status_code not in (404, 405):
                self._add(what, request, response, "The specification has no such operation.")
        except OpenAPIError as error:
            cause = error.__cause__
            details = [f"{'/'.join(map(str, one.absolute_path))}: {one.message}"[:500] for one in getattr(cause, "schema_errors", [])]
            self._add(what, request, response, "; ".join(details) or f"{error} {cause or ''}".strip())

    def _add(self, what: str, request: Request, response: Response, reason: str) -> None:
        self.violations.append({"what": what, "method": request.method, "path": request.path, "status": response.status_code, "reason": reason})


def kind(value: Any) -> Hashable:
    """What is the same for two values that differ in names and numbers, or in how many items of a kind a list has, only."""
    if isinstance(value, dict):
        return tuple((key, kind(value[key])) for key in sorted(value))
    if isinstance(value, list):
        return frozenset(kind(each) for each in value)
    return value if isinstance(value, str) and WORD.fullmatch(value) else type(value).__name__


def _matches(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(one == other or one.startswith("{") for one, other in zip(template, parts, strict=True))
