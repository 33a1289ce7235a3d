# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apt's readiness: real locks of a second process, a scripted dpkg, and what is refused with its number."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._host.packages import LOCKS, UPDATES, Ready, Space, System, shortage

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"


class Dpkg(Runner):
    """Answers as dpkg does while ``audits`` last, and remembers what it was told to do."""

    def __init__(self, *audits: str) -> None:
        self._audits = [*audits]
        self.ran: list[str] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        self.ran.append(" ".join(argv[:2]))
        said = (self._audits.pop(0) if len(self._audits) > 1 else self._audits[0]) if argv[1] == "--audit" else ""
        return Completed(tuple(argv), 0, said, "")


class Hurried(Clock):
    """Time that passes as soon as somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in LOCKS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / UPDATES).mkdir()
    (tmp_path / "usr").mkdir()
    return tmp_path


@pytest.fixture
def held(root: Path) -> Iterator[int]:
    """A process that holds dpkg's lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, root / LOCKS[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout and process.stdout.readline() == "held\n"
    yield process.pid
    process.stdin.close()
    process.wait()


def ready(root: Path, dpkg: Dpkg, **options: int) -> Ready:
    return Ready({"lock_timeout": 30, "minimum_free_mib": 1, **options}, System(str(root), dpkg), Hurried())


def test_a_held_lock_is_waited_for_and_its_holder_named(root: Path, held: int) -> None:
    with pytest.raises(OpsError, match=rf"after 30 s; last seen: process {held} \(.*lockf.*\) holds /{LOCKS[1]}"):
        ready(root, Dpkg("")).plan()


def test_a_free_lock_is_not_waited_for(root: Path) -> None:
    made = ready(root, Dpkg(""))
    planned = made.plan()
    assert not planned.changed and made.result(planned) == {"repaired": "", "waited": 0.0}


def test_an_interrupted_dpkg_is_finished(root: Path) -> None:
    dpkg = Dpkg("tree: unpacked but not configured", "")
    made = ready(root, dpkg)
    planned = made.plan()
    assert planned.changed and dpkg.ran == ["dpkg --audit"], "a plan only reads"
    assert made.apply(planned)["repaired"].startswith("tree:")
    assert dpkg.ran[1:] == ["dpkg --configure", "dpkg --audit", "dpkg --audit"]


def test_changes_that_dpkg_had_not_written_down_count_as_interrupted(root: Path) -> None:
    (root / UPDATES / "0001").touch()
    assert ready(root, Dpkg("")).plan().changed


def test_what_dpkg_cannot_finish_alone_apt_installs_again(root: Path) -> None:
    dpkg = Dpkg("tree: half-installed", "tree: half-installed", "")
    made = ready(root, dpkg)
    made.apply(made.plan())
    assert "apt-get --assume-yes" in dpkg.ran


def test_what_cannot_be_repaired_is_an_error(root: Path) -> None:
    made = ready(root, Dpkg("tree: half-installed"))
    with pytest.raises(OpsError, match="could not be repaired: tree: half-installed"):
        made.apply(made.plan())


def test_a_full_disk_is_refused_with_its_number_before_anything_is_asked(root: Path) -> None:
    dpkg = Dpkg("tree: half-installed")
    with pytest.raises(OpsError, match=r"No room for packages: /\S+ has \d+ MiB free, 999999999 are needed"):
        ready(root, dpkg, minimum_free_mib=999999999).plan()
    assert dpkg.ran == []


@pytest.mark.parametrize(
    ("spaces", "words"),
    [
        ([Space("/var", 199, None)], "/var has 199 MiB free, 200 are needed"),
        ([Space("/var", 200, 1999)], "/var has 1999 inodes free"),
        ([Space("/var", 200, 2000), Space("/usr", 500, None)], None),
    ],
)
def test_shortage(spaces: list[Space], words: str | None) -> None:
    found = shortage(spaces, 200)
    assert found == words if words is None else words in (found or "")
