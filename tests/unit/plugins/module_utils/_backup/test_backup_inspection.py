# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bucket is fit for backups: each thing that is not as it should be is told, and what nobody can tell is no pass."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.inspection import inspect
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

GOOD = {
    "bucket": "vault",
    "region": None,
    "versioning": "enabled",
    "encryption": "AES256",
    "lifecycle": {"noncurrent_days": 7, "unfinished_days": 2},
    "public_access": "blocked",
}


def verdicts(state: Any, store: Any = None) -> dict[str, str]:
    bucket = Mock()
    bucket.read.side_effect = state if isinstance(state, OpsError) else None
    bucket.read.return_value = state
    return {one.id: one.verdict for one in inspect(bucket, store, "vault", "")}


def test_a_good_bucket_passes():
    assert set(verdicts(GOOD, Mock()).values()) == {"pass"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"versioning": "suspended"}, {"repository.versioning": "fail"}),
        ({"public_access": "open"}, {"repository.public_access": "fail"}),
        ({"public_access": "unsupported"}, {"repository.public_access": "unjudged"}),
        ({"encryption": "none"}, {"repository.encryption": "fail"}),
        ({"encryption": "unsupported"}, {"repository.encryption": "unjudged"}),
        ({"lifecycle": None}, {"repository.lifecycle": "fail"}),
        ({"lifecycle": {"noncurrent_days": 7, "unfinished_days": 2, "altered": {"Status": "Disabled"}}}, {"repository.lifecycle": "fail"}),
    ],
)
def test_each_flaw_is_told(change, told):
    assert {check: verdict for check, verdict in verdicts({**GOOD, **change}).items() if verdict != "pass"} == told


def test_a_bucket_that_is_not_there_one_that_cannot_be_read_and_one_that_cannot_be_used():
    assert verdicts(None) == {"repository.exists": "fail"}
    assert verdicts(OpsError("no access")) == {"repository.exists": "unknown"}
    store = Mock()
    store.probe.side_effect = OpsError("The store ignores If-None-Match")
    assert verdicts(GOOD, store)["repository.usable"] == "fail"
