# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for one run: what a killed one left goes with the next, what one that works has stays."""

from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import disposable, restore


def test_what_killed_runs_left_is_removed_and_what_works_is_not(tmp_path):
    dead, of_another_kind = tmp_path / f"{restore.MARK}dead", tmp_path / "groundcrew-backup-1"
    for left in (dead, of_another_kind):
        (left / "staging").mkdir(parents=True)
        (left / "staging" / "1.dat").write_text("left")
    with disposable.folder(tmp_path, restore.MARK) as one:
        assert not dead.exists()
        with disposable.folder(tmp_path, restore.MARK) as other:
            assert one.exists() and other.exists() and one != other
        assert one.exists() and not other.exists()
    assert list(tmp_path.iterdir()) == [of_another_kind]
