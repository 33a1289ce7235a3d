# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, what counts as a backup, and when two truths are equal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, schema
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import (
    DatabaseSettings,
    Identity,
    Listed,
    SchemaPart,
    SequenceTruth,
    TableTruth,
    Truth,
)
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

TRUTH = Truth(
    taken_at="2026-11-21T05:00:00Z",
    server_version=150020,
    settings=DatabaseSettings("shop", "UTF8", "C.UTF-8", "C.UTF-8", "c", None),
    extensions=("plpgsql",),
    tables=(TableTruth("public.a", 2, "17"), TableTruth("public.b", 0, "0")),
    sequences=(SequenceTruth("public.s", 10, True, 1), SequenceTruth("public.down", -10, True, -1)),
    schema=(SchemaPart("relations", 2, "aa"), SchemaPart("indexes", 1, "bb")),
    large_objects=1,
    large_objects_hash="5",
)
ID = "20261121T050000Z-0011aabb"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tables": (TableTruth("public.a", 1, "9"), TRUTH.tables[1])}, "table public.a has 1 rows, not 2"),
        ({"tables": (TableTruth("public.a", 2, "18"), TRUTH.tables[1])}, "table public.a has 2 rows as it should, but other content"),
        ({"tables": TRUTH.tables[:1]}, "table public.b is missing"),
        ({"tables": (*TRUTH.tables, TableTruth("public.c", 0, "0"))}, "table public.c is there but was not backed up"),
        ({"sequences": (replace(TRUTH.sequences[0], value=9), TRUTH.sequences[1])}, "sequence public.s is at 9, behind 10"),
        ({"sequences": (TRUTH.sequences[0], replace(TRUTH.sequences[1], value=-9))}, "sequence public.down is at -9, behind -10"),
        ({"sequences": TRUTH.sequences[:1]}, "sequence public.down is missing"),
        ({"extensions": ()}, "extensions are missing: plpgsql"),
        ({"large_objects": 0}, "there are 0 large objects, not 1"),
        ({"large_objects_hash": "6"}, "the large objects have other content"),
        ({"schema": (TRUTH.schema[0], SchemaPart("indexes", 1, "cc"))}, "the definitions of the indexes differ"),
        ({"schema": TRUTH.schema[:1]}, "there are 0 indexes, not 1"),
    ],
)
def test_each_difference_is_told(change, told):
    compared = policy.compare(TRUTH, replace(TRUTH, **change))
    assert compared.differences == (told,)
    assert compared.verdict == "different"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"taken_at": "2027-01-01T00:00:00Z"},
        {"extensions": ("plpgsql", "pg_trgm")},
        {"sequences": (replace(TRUTH.sequences[0], value=42), replace(TRUTH.sequences[1], value=-42))},
        {"tables": (TableTruth("public.a", 2, None), TRUTH.tables[1])},
        {"server_version": 170000, "schema": (TRUTH.schema[0], SchemaPart("indexes", 1, "printed in other words"))},
    ],
)
def test_what_does_not_matter_is_equal(change):
    assert policy.compare(TRUTH, replace(TRUTH, **change)).differences == ()


def test_tables_are_compared_side_by_side():
    compared = policy.compare(TRUTH, replace(TRUTH, tables=(TableTruth("public.a", 1, "9"), TRUTH.tables[1])))
    assert [(table.name, table.source_rows, table.restored_rows, table.equal) for table in compared.tables] == [
        ("public.a", 2, 1, False),
        ("public.b", 0, 0, True),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_name_is_one_part_of_a_key_and_no_two_share_one(one, other):
    part = policy.encode(one)
    assert policy.decode(part) == one
    assert "/" not in part
    assert part not in ("", ".", "..")
    assert (part == policy.encode(other)) == (one == other)


@pytest.mark.parametrize("prefix", ["", "/", "a/b", "/a//b/"])
def test_a_home_never_contains_another(prefix):
    app = policy.home(prefix, Identity("postgresql", "7", "app"))
    assert app.endswith("postgresql/7/app/")
    assert not app.startswith("/")
    assert not policy.home(prefix, Identity("postgresql", "7", "app-staging")).startswith(app)


def listing(*names):
    return [Listed(f"home/{name}", 1) for name in names]


def test_only_what_looks_like_ours_is_grouped():
    found = policy.group(listing(f"{ID}/manifest.json", f"{ID}/data/toc.dat", "failed/x.json", "lease.json", "notes/read.me", f"{ID}"), "home/")
    assert {backup_id: sorted(of.objects) for backup_id, of in found.items()} == {ID: ["data/toc.dat", "manifest.json"]}


@pytest.mark.parametrize(
    ("names", "orphan"),
    [
        (["data/toc.dat"], True),
        (["data/toc.dat", "manifest.json"], False),
        (["data/toc.dat", "manifest.json", "deleting.json"], True),
        (["deleting.json"], True),
        (["data/toc.dat", "verified/20261121T050000000Z.json"], False),
    ],
)
def test_an_orphan_is_what_never_became_a_backup_or_is_being_removed(names, orphan):
    found = policy.group(listing(*(f"{ID}/{name}" for name in names)), "home/")
    assert policy.is_orphan(found[ID]) is orphan


def test_the_identifier_sorts_by_time():
    assert policy.new_backup_id(0, "00000000") == "19700101T000000Z-00000000"
    assert policy.BACKUP_ID.fullmatch(policy.new_backup_id(1.8e9, "0011aabb"))
    assert policy.moment(1.0625) == "1970-01-01T00:00:01.062Z"


@pytest.mark.parametrize(("size", "sha256", "told"), [(9, "aa", "has 9 bytes, not 10"), (10, "bb", "another content")])
def test_a_damaged_object_is_named(size, sha256, told):
    policy.check_object("home/x", 10, "aa", 10, "aa")
    with pytest.raises(OpsError, match=told) as caught:
        policy.check_object("home/x", size, sha256, 10, "aa")
    assert caught.value.details["object"] == "home/x"


def test_definitions_differ_in_what_matters_only():
    before = "CHECK (((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))"
    after = "CHECK (((state)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))"
    assert schema.fingerprint("constraints", [("t", before)]) == schema.fingerprint("constraints", [("t", after)])
    assert schema.fingerprint("constraints", [("t", before)]) != schema.fingerprint("constraints", [("t", before.replace("'b'", "'c'"))])
    assert schema.fingerprint("x", [("a",), ("b",)]) == schema.fingerprint("x", [("b",), ("a",)])
