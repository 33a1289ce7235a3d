# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, commands and files."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for


class MovingClock(Clock):
    """Time passes only by sleeping."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def test_waiting_ends_when_it_holds():
    clock, seen = MovingClock(), iter(["new", "new", "active"])
    assert wait_for("the droplet", lambda: next(seen), lambda s: s == "active", timeout=10, clock=clock) == "active"
    assert clock.time == 2.0


def test_waiting_gives_up_at_the_deadline_with_the_last_thing_seen():
    clock = MovingClock()
    with pytest.raises(OpsError, match="droplet web-1 to become active after 5 s; last seen: new"):
        wait_for("droplet web-1 to become active", lambda: "new", lambda s: s == "active", timeout=5, interval=2, clock=clock)
    assert clock.time == 5.0


def test_a_command_gets_stdin_and_environment_and_no_shell():
    done = Runner().run([sys.executable, "-c", "import os,sys; print(os.environ['A'], sys.stdin.read(), sys.argv[1])", "$HOME"], env={"A": "1"}, stdin="in")
    assert done.stdout == "1 in $HOME\n"


@pytest.mark.parametrize(
    ("argv", "options", "message"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('it broke')"], {}, "exit code 1: it broke"),
        ([sys.executable, "-c", "import time; time.sleep(30)"], {"timeout": 0.2}, "did not end within 0.2 s"),
        (["no-such-program"], {}, "not installed"),
    ],
)
def test_a_command_that_ends_badly_says_how(argv, options, message):
    with pytest.raises(OpsError, match=message):
        Runner().run(argv, **options)


def test_a_file_is_replaced_whole_with_its_mode(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")
    write_atomic(path, "new", mode=0o400)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o400
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_atomic(path, 7)  # type: ignore[arg-type]
    with pytest.raises(OSError):
        write_atomic(tmp_path / "missing" / "state.json", "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_specifications_merge_and_refuse_a_double():
    assert merge({"a": {"type": "str"}}, {"b": {}}) == {"a": {"type": "str"}, "b": {}}
    with pytest.raises(ValueError, match="option a"):
        merge({"a": {}}, {"a": {}})
