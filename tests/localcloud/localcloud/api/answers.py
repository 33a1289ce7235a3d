# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in the API's own form: errors, pages, and reading a request's body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from localcloud.store import Document

LARGEST_PAGE = 200


class ApiError(Exception):
    """An error answer."""

    def __init__(self, status: int, id_: str, message: str) -> None:
        super().__init__(message)
        self.status, self.id, self.message = status, id_, message


def not_found(message: str = "The resource you requested could not be found.") -> ApiError:
    return ApiError(404, "not_found", message)


def unprocessable(message: str) -> ApiError:
    return ApiError(422, "unprocessable_entity", message)


def found(document: Document | None) -> Document:
    """The document, or the answer that there is none."""
    if document is None:
        raise not_found()
    return document


def body() -> Document:
    """The request's JSON object."""
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        raise ApiError(400, "bad_request", "The request body is not a JSON object.")
    return data


def required(data: Document, *names: str) -> list[Any]:
    """The values of fields that must be there."""
    missing = [name for name in names if data.get(name) in (None, "")]
    if missing:
        raise unprocessable(f"{missing[0]} is a required field")
    return [data[name] for name in names]


def page(key: str, items: list[Document], show: Callable[[Document], Document] = dict) -> Document:
    """One page of a list, with its links; ``show`` makes an item what the API shows."""
    per_page, number = _positive("per_page", 20), _positive("page", 1)
    if per_page > LARGEST_PAGE:
        raise unprocessable(f"per_page must be at most {LARGEST_PAGE}")
    last = max(1, -(-len(items) // per_page))
    start = (number - 1) * per_page
    pages: Document = {}
    if number > 1:
        pages |= {"first": _link(1), "prev": _link(number - 1)}
    if number < last:
        pages |= {"next": _link(number + 1), "last": _link(last)}
    return {key: [show(item) for item in items[start : start + per_page]], "links": {"pages": pages} if pages else {}, "meta": {"total": len(items)}}


def link(path: str) -> str:
    return f"{request.host_url.rstrip('/')}{path}"


def _link(number: int) -> str:
    arguments = {**request.args.to_dict(), "page": str(number)}
    return link(f"{request.path}?{'&'.join(f'{key}={value}' for key, value in arguments.items())}")


def _positive(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise unprocessable(f"{name} must be a positive number")
    return int(text)
