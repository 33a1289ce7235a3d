# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run tells how far it is for as long as it lasts, and no trouble with telling ends it."""

from __future__ import annotations

import json
import re
import time

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.progress import Telling


def test_it_tells_in_a_file_and_in_lines_while_it_works(tmp_path, capsys):
    file = tmp_path / "progress.json"
    with Telling(file, True, 0.01).of(lambda: {"tables": 7, "files": 3, "stored": 5 * 2**20}):
        deadline = time.monotonic() + 10
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        seen = json.loads(file.read_text())
    assert (seen["tables"], seen["files"], seen["stored"]) == (7, 3, 5 * 2**20)
    assert seen["bytes_per_second"] > 0
    assert not file.exists(), "nothing works any more"
    assert re.match(r"\d+ s: 7 tables, 3 files, 5\.0 MiB stored, [\d.]+ \w+/s\n", capsys.readouterr().err)


def test_a_place_that_cannot_be_written_to_ends_nothing(tmp_path, capsys):
    with Telling(tmp_path / "nowhere" / "progress.json", True, 0.01).of(lambda: {"stored": 0}):
        time.sleep(0.1)
    assert " s: 0 B stored, 0 B/s" in capsys.readouterr().err


def test_nobody_who_did_not_ask_is_told(capsys):
    with Telling(every=0.001).of(lambda: {"stored": 1}):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
