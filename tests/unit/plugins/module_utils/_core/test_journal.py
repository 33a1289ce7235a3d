# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal keeps its chain, survives a cut line, and notices a change."""

from __future__ import annotations

import json

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.journal import Journal


def journal(tmp_path, entries=3):
    kept = Journal(tmp_path / "journal.jsonl")
    for number in range(entries):
        kept.append("step", number=number)
    return kept, tmp_path / "journal.jsonl"


def test_entries_come_back_in_order_and_only_the_owner_reads_them(tmp_path):
    kept, path = journal(tmp_path)
    assert [entry["number"] for entry in kept.read()] == [0, 1, 2]
    assert [entry["seq"] for entry in kept.read()] == [1, 2, 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_by_a_crash_is_dropped_and_writing_goes_on(tmp_path):
    kept, path = journal(tmp_path)
    with path.open("ab") as stream:
        stream.write(b'{"seq": 4, "ki')
    assert len(kept.read()) == 3
    kept.append("step", number=3)
    assert [entry["number"] for entry in kept.read()] == [0, 1, 2, 3]


def changed(lines):
    lines[1] = lines[1].replace('"number": 1', '"number": 9')


def removed(lines):
    del lines[1]


def garbled(lines):
    lines[1] = "{"


@pytest.mark.parametrize("damage", [changed, removed, garbled])
def test_damage_is_noticed_with_its_line(tmp_path, damage):
    kept, path = journal(tmp_path)
    lines = path.read_text().splitlines()
    damage(lines)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(OpsError, match="Line 2"):
        kept.read()


def test_an_unchanged_journal_passes_the_same_check(tmp_path):
    kept, path = journal(tmp_path)
    assert len(kept.read()) == len([json.loads(line) for line in path.read_text().splitlines()]) == 3
