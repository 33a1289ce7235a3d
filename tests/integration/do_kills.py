# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill -9 at every moment that a request leaves or its answer arrives: in between, nothing outside can tell the difference."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from tests.integration.do_inprocess import Account, main_of

Work = Callable[[Mapping[str, str], Any], object]

# A new process for each run; what it imports is imported once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, *(f"ansible_collections.groundcrew.ops.plugins.modules.{name}" for name in ("do_droplet", "ec2_fleet_launch"))])


class Watched(Protocol):
    """A stand-in that tells of each moment, "asked" or "answered", with the method and what was asked for."""

    watcher: Callable[[str, str, str], None] | None


def a_module(env: Mapping[str, str], call: tuple[str, Mapping[str, Any]]) -> None:
    """Run a module, given as its name and arguments."""
    main_of(env, *call)


class Killer:
    """Runs work in a process of its own, and kills it at one moment."""

    def __init__(self, env: Mapping[str, str], watched: Watched, work: Work, argument: Any) -> None:
        self._env = env
        self._watched = watched
        self._work = work
        self._argument = argument

    def until(self, moment: int) -> bool:
        """Kill at the moment of this number; False when the work was done before."""
        process = PROCESSES.Process(target=self._work, args=(self._env, self._argument))
        passed, settled = 0, threading.Event()

        def watch(kind: str, _method: str, _path: str) -> None:
            nonlocal passed
            passed += 1
            if passed == moment:
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
            if passed >= moment and kind == "answered":
                settled.set()  # what was asked for is carried out, with nobody there to hear of it

        self._watched.watcher = watch
        process.start()
        process.join(120)
        if passed >= moment:
            assert process.exitcode == -signal.SIGKILL
            assert settled.wait(10)
        else:
            assert process.exitcode == 0, f"ended with {process.exitcode}"
        self._watched.watcher = None
        return passed >= moment


def moments(account: Account, prepare: Callable[[], object], work: Work, argument: Any) -> Iterator[int]:
    """Kill the work at the first moment, the second and so on until it is done, each time from the state that ``prepare`` makes."""
    killer, moment = Killer(account.env, account.world, work, argument), 1
    while True:
        account.world.reset()
        prepare()
        if not killer.until(moment):
            return
        yield moment
        moment += 1
