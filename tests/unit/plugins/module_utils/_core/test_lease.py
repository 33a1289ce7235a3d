# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: who holds it, until when, and how one who lost it is kept from acting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.lease import Fenced, Lease
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

SECONDS = 60.0
HOLDER = """
import sys, time
from ansible_collections.groundcrew.ops.plugins.module_utils._core.lease import Lease
lease = Lease(sys.argv[1], seconds=float(sys.argv[2]))
lease.take("theirs", "them")
with lease.beating():
    print("held", flush=True)
    sys.stdin.readline()
try:
    lease.check()
    print("may act", flush=True)
except Exception as error:
    print(type(error).__name__, flush=True)
"""


class Later(Clock):
    """The real monotonic time, and more."""

    def __init__(self) -> None:
        self.more = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.more

    def sleep(self, seconds: float) -> None:
        self.more += seconds


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lease.json"


def make(path: Path, clock: Clock) -> Lease:
    return Lease(path, seconds=SECONDS, clock=clock)


@pytest.fixture
def theirs(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease for a second at a time."""
    command = [sys.executable, "-c", HOLDER, str(path), "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_each_taking_raises_the_token(path: Path, clock: Later) -> None:
    for token in (1, 2, 3):
        lease = make(path, clock)
        lease.take(f"run {token}", "me")
        assert lease.token == token == lease.read().token
        lease.check()
        lease.drop()
    assert (lease.read().run, lease.read().token) == ("", 3)


def test_a_run_goes_on_with_its_token_in_another_call(path: Path, clock: Later) -> None:
    first, second = make(path, clock), make(path, clock)
    first.take("mine", "me")
    first.pause()
    clock.more += 10 * SECONDS  # late, but nobody took it
    second.take("mine", "me")
    assert second.token == 1
    with pytest.raises(Fenced):
        first.check()


def test_another_run_is_refused_by_name(path: Path, clock: Later, theirs: subprocess.Popen[str]) -> None:
    with pytest.raises(OpsError, match=rf"run theirs of them \(process {theirs.pid} on this host") as caught:
        make(path, clock).take("mine", "me")
    assert caught.value.details["lease"]["token"] == 1


def test_a_lease_between_two_calls_is_waited_for_until_its_time_is_over(path: Path, clock: Later) -> None:
    first, second = make(path, clock), make(path, clock)
    first.take("theirs", "them")
    first.pause()
    with pytest.raises(OpsError, match="between two steps"):
        second.take("mine", "me")
    began = clock.monotonic()
    second.take("mine", "me", wait=2 * SECONDS)
    assert (second.token, SECONDS <= clock.monotonic() - began <= SECONDS + 2) == (2, True)


def test_a_dead_holder_is_succeeded_at_once(path: Path, clock: Later, theirs: subprocess.Popen[str]) -> None:
    theirs.kill()
    theirs.wait()
    lease = make(path, clock)
    lease.take("mine", "me")
    assert lease.token == 2


def test_after_a_reboot_nobody_holds_it(path: Path, clock: Later, theirs: subprocess.Popen[str]) -> None:
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "boot": "another"}))
    make(path, clock).take("mine", "me")


def test_a_paused_holder_is_succeeded_when_its_time_is_over_and_may_not_act(path: Path, theirs: subprocess.Popen[str]) -> None:
    os.kill(theirs.pid, signal.SIGSTOP)
    lease = Lease(path, seconds=SECONDS)
    for _attempt in range(40):
        try:
            lease.take("mine", "me")
            break
        except OpsError:
            Clock().sleep(0.1)
    assert lease.token == 2
    os.kill(theirs.pid, signal.SIGCONT)
    assert theirs.communicate("go\n")[0] == "Fenced\n"
    lease.check()


def test_signs_of_life_keep_it_longer_than_its_time(path: Path, theirs: subprocess.Popen[str]) -> None:
    """The control of the paused holder: the same process, not paused, keeps the lease and may act."""
    Clock().sleep(1.5)
    with pytest.raises(OpsError, match="Another run works"):
        Lease(path, seconds=SECONDS).take("mine", "me")
    assert theirs.communicate("go\n")[0] == "may act\n"


def test_who_was_robbed_writes_and_gives_back_nothing(path: Path, clock: Later) -> None:
    robbed, thief = make(path, clock), make(path, clock)
    robbed.take("theirs", "them")
    thief.take("mine", "me", steal=True)
    for act in (robbed.beat, robbed.pause, robbed.check):
        with pytest.raises(Fenced, match=r"lost its lease .* to run mine of me"):
            act()
    with pytest.raises(Fenced), robbed.guard():
        raise AssertionError("not reached")
    robbed.drop()
    thief.check()


def test_a_clock_that_is_set_changes_nothing(path: Path, clock: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(path, clock)
    first.take("theirs", "them")
    first.pause()
    monkeypatch.setattr(clock, "now", lambda: 4e9)
    with pytest.raises(OpsError, match="Another run works"):
        make(path, clock).take("mine", "me")


def test_a_damaged_file_is_named(path: Path, clock: Later) -> None:
    path.write_text("{")
    with pytest.raises(OpsError, match=r"lease\.json is damaged"):
        make(path, clock).take("mine", "me")


def test_an_orphan_s_lease_is_taken_at_once(path: Path, clock: Later) -> None:
    first, before = make(path, clock), clock.more
    first.take("theirs", "them", controller="a process")
    first.pause()
    make(path, clock).take("mine", "me", orphan="theirs")
    assert (clock.more, make(path, clock).read().run) == (before, "mine")


def test_what_an_orphan_still_does_here_ends_first(path: Path, theirs: subprocess.Popen[str]) -> None:
    threading.Timer(1.0, theirs.kill).start()
    Lease(path, seconds=SECONDS).take("mine", "me", orphan="theirs")
    assert theirs.wait() == -signal.SIGKILL


def test_a_run_that_came_after_the_orphan_keeps_its_lease(path: Path, clock: Later) -> None:
    first = make(path, clock)
    first.take("another", "them")
    first.pause()
    with pytest.raises(OpsError, match=r"run another of them .between two steps.* its lease is over in 60 s.*, take the lease over"):
        make(path, clock).take("mine", "me", orphan="theirs")


def test_a_run_keeps_its_controller_between_its_calls(path: Path, clock: Later) -> None:
    first = make(path, clock)
    first.take("mine", "me", controller="a process")
    first.pause()
    make(path, clock).take("mine", "me")
    assert make(path, clock).read().controller == "a process"
    make(path, clock).take("another", "me", steal=True)
    assert make(path, clock).read().controller == ""
