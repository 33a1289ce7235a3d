# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application: who may ask, what is asked of it, what goes wrong on purpose."""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections import Counter, deque

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from localcloud.api import (
    account,
    actions,
    apps,
    catalog,
    certificates,
    control,
    databases,
    domains,
    droplets,
    firewalls,
    load_balancers,
    projects,
    reserved_ips,
    spaces_keys,
    tags,
    volumes,
    vpcs,
)
from localcloud.api.answers import ApiError, not_found
from localcloud.api.validation import Validator
from localcloud.world import World

log = logging.getLogger("localcloud")

PARTS = (
    *(account, actions, apps, catalog, certificates, databases, domains, droplets, firewalls, load_balancers),
    *(projects, reserved_ips, spaces_keys, tags, volumes, vpcs),
)


def create_app(world: World, validator: Validator | None = None) -> Flask:
    """The API of a world. With a validator each pair of request and answer is checked against the specification."""
    app = Flask("localcloud")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    asked: deque[float] = deque()
    calls: Counter[str] = Counter()

    @app.before_request
    def admit() -> Response | None:
        if request.path.startswith("/_localcloud"):
            return None
        calls[f"{request.method} {request.path}"] += 1
        world.watch("asked", request.method, request.path)
        world.catch_up()
        settings = world.settings()
        time.sleep(settings["latency_seconds"])
        if request.headers.get("Authorization") != f"Bearer {world.cloud.token}":
            raise ApiError(401, "Unauthorized", "Unable to authenticate you")
        instant = time.time()
        while asked and asked[0] <= instant - settings["rate_window_seconds"]:
            asked.popleft()
        asked.append(instant)
        g.remaining = settings["rate_limit"] - len(asked)
        g.reset = int(asked[0] + settings["rate_window_seconds"]) + 1
        if g.remaining < 0:
            asked.pop()
            raise ApiError(429, "too_many_requests", "API Rate limit exceeded.")
        g.fault = control.next_fault(world, request.method, request.path)
        if g.fault and "status" in g.fault:
            raise ApiError(g.fault["status"], control.ERROR_IDS.get(g.fault["status"], "error"), g.fault.get("message", "A fault made on purpose."))
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        if request.path.startswith("/_localcloud"):
            return response
        if "remaining" in g:
            settings = world.settings()
            response.headers["ratelimit-limit"] = str(settings["rate_limit"])
            response.headers["ratelimit-remaining"] = str(max(g.remaining, 0))
            response.headers["ratelimit-reset"] = str(g.reset)
            if response.status_code == 429:
                fault = g.get("fault") or {}
                response.headers["retry-after"] = str(fault.get("retry_after", max(g.reset - int(time.time()), 1)))
        if validator:
            validator.check(request, response)
        world.watch("answered", request.method, request.path)
        if (g.get("fault") or {}).get("drop"):
            # Done, but nobody hears of it.
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return response

    @app.errorhandler(ApiError)
    def refused(error: ApiError) -> tuple[Response, int]:
        return jsonify({"id": error.id, "message": error.message, "request_id": str(uuid.uuid4())}), error.status

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> tuple[Response, int]:
        if isinstance(error, MethodNotAllowed | NotFound) and request.path.startswith("/v2/") and validator and validator.knows(request.method, request.path):
            return refused(ApiError(501, "not_implemented", f"The local cloud does not do {request.method} {request.path} (the real API does)."))
        if isinstance(error, NotFound):
            return refused(not_found())
        return refused(ApiError(error.code or 500, error.name.lower().replace(" ", "_"), error.description or error.name))

    @app.errorhandler(Exception)
    def defect(error: Exception) -> tuple[Response, int]:
        log.exception("%s %s", request.method, request.path)
        return refused(
            ApiError(500, "server_error", f"A defect of the local cloud: {type(error).__name__}: {error}. The trace is in {world.cloud.log('api')}.")
        )

    for part in PARTS:
        routes = Blueprint(part.__name__.rpartition(".")[2], __name__)
        part.register(routes, world)
        app.register_blueprint(routes)
    control.register(app, world, calls, validator)
    return app
