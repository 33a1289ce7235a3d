# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that was changed, moved or signed by somebody else is not opened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.manifest import Signer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    DatabaseSettings,
    Identity,
    Manifest,
    ObjectRecord,
    SequenceTruth,
    TableTruth,
    Truth,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

KEY = "k" * 32
SETTINGS = DatabaseSettings("ö", "UTF8", "C", "C", "c", None)
TRUTH = Truth("2026-11-21T05:00:00Z", 150020, SETTINGS, ("plpgsql",), (TableTruth('"ünï".t', 3, "-12"),), (SequenceTruth("s", 1, False, 1),), (), 0, "0")
IDENTITY = Identity("postgresql", "7", "shop")
ID = "20261121T050000Z-0011aabb"
MANIFEST = Manifest(1, ID, IDENTITY, "a", "b", "pg_dump 15.20", "1", (ObjectRecord("data/toc.dat", 3, "aa"),), TRUTH)
SEALED = Signer(KEY).seal(MANIFEST.to_dict())


def test_what_was_sealed_opens_equal():
    assert Signer(KEY).open_manifest(SEALED, "key", ID, IDENTITY) == MANIFEST


@given(st.integers(0, len(SEALED) - 2), st.integers(1, 127))
def test_no_byte_can_be_changed_unseen(at, mask):
    changed = bytearray(SEALED)
    changed[at] ^= mask
    try:
        opened = Signer(KEY).open_manifest(bytes(changed), "key", ID, IDENTITY)
    except OpsError:
        return
    assert opened == MANIFEST  # a byte outside of what is signed, such as the name of the algorithm


def test_another_key_is_named_as_such():
    with pytest.raises(OpsError, match="signed with another key"):
        Signer("x" * 32).open(SEALED, "key")


def test_a_manifest_that_was_moved_is_foreign():
    with pytest.raises(OpsError, match="moved here"):
        Signer(KEY).open_manifest(SEALED, "key", ID, Identity("postgresql", "7", "shop-staging"))
    with pytest.raises(OpsError, match="moved here"):
        Signer(KEY).open_manifest(SEALED, "key", ID[:-1] + "c", IDENTITY)


def test_another_format_and_a_short_key_are_refused():
    signer = Signer(KEY)
    with pytest.raises(OpsError, match="format 2"):
        signer.open_manifest(signer.seal({**MANIFEST.to_dict(), "format": 2}), "key", ID, IDENTITY)
    with pytest.raises(OpsError, match="at least 16"):
        Signer("short")


def test_the_key_shows_nowhere():
    assert KEY.encode() not in SEALED
    assert KEY not in Signer(KEY).key_id
