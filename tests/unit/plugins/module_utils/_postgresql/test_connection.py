# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which answers of a server are a refusal, and which are doubt."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import connection as tested
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql.connection import Connection

CONNECTION = Connection("db", 5432, "shop_a", "the-value", "shop", "require")


def answer(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    def connect(**_options: Any) -> None:
        raise psycopg2.OperationalError(message)

    monkeypatch.setattr(psycopg2, "connect", connect)


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "db" failed: FATAL:  password authentication failed for user "shop_a"',
        'connection to server at "db" failed: FATAL:  role "shop_a" is not permitted to log in',
    ],
)
def test_a_refusal(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    answer(monkeypatch, message)
    assert CONNECTION.refused()


@pytest.mark.parametrize(
    "message", ["Connection refused", "FATAL:  sorry, too many clients already", "FATAL:  the database system is starting up", "timeout expired"]
)
def test_anything_else_is_doubt(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    answer(monkeypatch, message)
    with pytest.raises(OpsError, match="PostgreSQL at db:5432, database shop, as shop_a") as caught:
        CONNECTION.refused()
    assert "the-value" not in caught.value.message


def test_the_password_is_not_shown() -> None:
    assert "the-value" not in repr(CONNECTION)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "psycopg2", None)
    with pytest.raises(OpsError, match="python3-psycopg2"):
        CONNECTION.refused()
