# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed cluster is what is wrong only when the vendor says so, and maintenance only while it is done."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.diagnose import CATALOG, diagnose_clusters

WELL: dict[str, Any] = {
    "found": [{}],
    "cluster": {"status": "online", "num_nodes": 1, "size": "db-s-1vcpu-1gb"},
    "window": {"day": "monday", "hour": "22:30:00", "pending": True, "description": ["Update PostgreSQL"]},
    "now": dt.datetime(2026, 11, 22, 12, tzinfo=dt.timezone.utc),
    "sources": ["tag:app"],
    "declared_sources": ["tag:app"],
}


def failing(**facts: Any) -> set[str]:
    return {each.id.rpartition(".")[2] for each in CATALOG.examine("shop-pg", {**WELL, **facts}) if each.verdict == "fail"}


@pytest.mark.parametrize(
    ("named", "facts"),
    [
        ("", {}),
        ("exists", {"found": []}),
        ("online", {"cluster": {**WELL["cluster"], "status": "resizing"}}),
        ("trusted_sources", {"declared_sources": ["tag:app", "tag:worker"]}),
        # Without any source everybody is let in.
        ("", {"sources": []}),
        ("", {"now": dt.datetime(2026, 11, 23, 22, 29, tzinfo=dt.timezone.utc)}),
        ("maintenance", {"now": dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.timezone.utc)}),
        ("maintenance", {"now": dt.datetime(2026, 11, 24, 2, 29, tzinfo=dt.timezone.utc)}),
        ("", {"now": dt.datetime(2026, 11, 24, 2, 30, tzinfo=dt.timezone.utc)}),
        ("", {"now": dt.datetime(2026, 11, 23, 23, tzinfo=dt.timezone.utc), "window": {**WELL["window"], "pending": False}}),
    ],
)
def test_what_is_wrong_is_named(named: str, facts: dict[str, Any]) -> None:
    assert failing(**facts) == ({named} if named else set())


def test_without_a_token_nothing_is_known() -> None:
    told = diagnose_clusters({"clusters": [{"name": "shop-pg", "trusted_sources": None}], "api_token": None})["findings"]
    assert {each["verdict"] for each in told} == {"unknown"} and "DIGITALOCEAN_TOKEN" in told[0]["evidence"]
