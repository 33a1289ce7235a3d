# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked once for all that is like it: never something that is wrong, and nothing that differs in more than names and numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from localcloud.api.validation import Validator, kind

THING = {"type": "object", "required": ["state"], "properties": {"id": {"type": "integer"}, "state": {"type": "string", "enum": ["new", "old"]}}}
BODY = {"application/json": {"schema": THING}}
SPECIFICATION: dict[str, Any] = {
    "openapi": "3.0.0",
    "info": {"title": "things", "version": "1"},
    "paths": {"/things": {"post": {"requestBody": {"content": BODY}, "responses": {"200": {"description": "a thing", "content": BODY}}}}},
    "components": {
        "schemas": {"ssh_key_id": {"readOnly": True}, "ssh_key_fingerprint": {"readOnly": True}, "droplet_action": {"properties": {"type": {"enum": []}}}}
    },
}


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    (tmp_path / "specification.json").write_text(json.dumps(SPECIFICATION))
    return Validator("http://things.example.com", tmp_path / "specification.json")


def found(validator: Validator, asked: Any, answered: Any) -> list[str]:
    validator.violations.clear()
    request = Request(EnvironBuilder("/things", validator.url, method="POST", json=asked).get_environ())
    validator.check(request, Response(json.dumps(answered), 200, content_type="application/json"))
    return [each["what"] for each in validator.violations]


def test_each_request_is_checked_and_each_kind_of_answer(validator: Validator) -> None:
    right = {"id": 1, "state": "new"}
    assert found(validator, right, right) == []
    assert found(validator, right, {**right, "id": 2}) == []
    for _again in range(2):
        assert found(validator, {"id": 1, "state": "older"}, right) == ["request"]
        assert found(validator, right, {**right, "state": "older"}) == ["answer"]
        assert found(validator, right, {**right, "id": "1"}) == ["answer"]
        assert found(validator, right, {"id": 1}) == ["answer"]


def test_names_and_numbers_are_of_one_kind_and_words_are_not() -> None:
    assert kind({"a": [1, 2], "b": "web-1"}) == kind({"b": "web-22", "a": [3]})
    different: list[Any] = [{"a": 1}, {"a": "x-1"}, {"a": None}, {"a": []}, {"a": [1]}, {"a": "new"}, {"a": "old"}, {"a": 1, "b": 1}]
    assert len({kind(each) for each in different}) == len(different)
