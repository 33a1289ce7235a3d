# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role host makes its swap file anew, with stand-ins for the programs that ask the kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "roles" / "host" / "files" / "swap_file.sh"


@pytest.fixture
def swap(tmp_path: Path) -> Path:
    """A swap file of before, and beside it the programs."""
    for name, lines in {
        "mkswap": 'echo "made $1"',
        "swapon": f"cat {tmp_path}/in-use",
        "swapoff": f'[ ! -e {tmp_path}/memory-is-full ] || {{ echo "swapoff failed: Cannot allocate memory" >&2; exit 1; }}\n: > {tmp_path}/in-use',
    }.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
    (tmp_path / "in-use").write_text("")
    (tmp_path / "swapfile").write_text("of before")
    return tmp_path / "swapfile"


def make(swap: Path) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{swap.parent}/bin:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", PROGRAM.read_text(), PROGRAM.name, str(swap), "1"], env=path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("in_use", ["", "{}\n", "{}\\x20(deleted)\n", "/dev/sdb\n{}\n"])
def test_it_is_made_and_out_of_use(swap: Path, in_use: str) -> None:
    seen = swap.with_name("in-use")
    seen.write_text(in_use.format(swap))
    done = make(swap)
    assert done.returncode == 0, done.stderr
    assert swap.read_bytes() == bytes(1 << 20) and swap.stat().st_mode & 0o777 == 0o600 and not swap.with_name("swapfile.new").exists()
    assert str(swap) not in seen.read_text().splitlines()


def test_what_is_in_use_stays_where_memory_does_not_suffice_without_it(swap: Path) -> None:
    swap.with_name("in-use").write_text(f"{swap}\n")
    swap.with_name("memory-is-full").touch()
    refused = make(swap)
    assert refused.returncode != 0 and "Cannot allocate memory" in refused.stderr
    assert swap.read_text() == "of before" and not swap.with_name("swapfile.new").exists()
