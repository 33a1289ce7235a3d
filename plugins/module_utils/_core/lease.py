# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease in a file: who may change something on this host, until when, and under which fencing token.

Every taking raises the token. Whoever lost the lease while it was paused finds another token and must not act: it asks
with ``check`` before each act and writes within ``guard``. Time is the kernel's monotonic time of this boot, which no step
of the clock moves. A lease whose process is gone is free at once; one without a process (its run goes on elsewhere, between
two calls) is free when its time is over.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.files import write_atomic
from ansible_collections.groundcrew.ops.plugins.module_utils._core.meanwhile import meanwhile
from ansible_collections.groundcrew.ops.plugins.module_utils._core.process import alive, boot, process
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

POLL = 0.5
# Whoever knows that nobody will carry a run on waits this long for what is left of it on this host to end.
ORPHANED = 60.0


@dataclass(frozen=True)
class Grant:
    """What the file says. run, holder: empty when nobody holds it; the token stays, so that it only ever rises.

    beat: monotonic time of the last sign of life, in the boot that ``boot`` names. seconds: how long it counts.
    process: id and start of the process at work; empty between two calls of a run.
    controller: the process that makes the calls, on whatever machine.
    """

    token: int = 0
    run: str = ""
    holder: str = ""
    seconds: float = 0.0
    beat: float = 0.0
    boot: str = ""
    process: str = ""
    controller: str = ""

    @property
    def pid(self) -> int:
        return int(self.process.partition(":")[0] or 0)


class Fenced(OpsError):
    """The lease belongs to somebody else by now; whoever gets this must not act any more."""


class Lease:
    """A lease on what lies in the folder of its file.

    seconds: how long it is held without a sign of life. remedy: what to do where the holder is known to be dead, for whoever is kept out.
    """

    def __init__(self, path: str | Path, *, seconds: float = 60.0, clock: Clock | None = None, remedy: str = "take the lease over") -> None:
        self._path = Path(path)
        self._seconds = seconds
        self._remedy = remedy
        self._clock = clock or Clock()
        self._token = 0
        self._run = ""

    @property
    def token(self) -> int:
        """The token of this holder; 0 when it holds nothing."""
        return self._token

    def read(self) -> Grant:
        try:
            return Grant(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Grant()
        except (ValueError, TypeError) as error:
            raise OpsError(f"The lease {self._path} is damaged: {error}. Make sure that no run is at work, then remove it.") from error

    def take(self, run: str, holder: str, *, steal: bool = False, wait: float = 0.0, controller: str = "", orphan: str = "") -> None:
        """Hold the lease; a run that holds it already goes on with its token.

        steal: take it from whoever has it. wait: seconds to wait for a lease whose run shows no process on this host.
        controller: the process that makes this run's calls. orphan: a run that nobody will carry on; what it still does here may end first.
        Raises OpsError naming the holder.
        """
        began = self._clock.monotonic()
        while not self._try(run, holder, steal, controller, orphan):
            held = self.read()
            left = orphan and held.run == orphan
            if (held.process and not left) or self._clock.monotonic() >= began + (max(wait, ORPHANED) if left else wait):
                raise self._refusal(held)
            self._clock.sleep(POLL)

    def check(self) -> None:
        """Raise Fenced unless the lease is still this holder's."""
        held = self.read()
        if not self._token or (held.token, held.run) != (self._token, self._run):
            raise Fenced(
                f"This run lost its lease on {self._path.parent} to run {held.run or 'unknown'} of {held.holder or 'nobody'},"
                " so it stops here and changes nothing more. That run finishes or takes back what this one began.",
                fenced=True,
                lease=asdict(held),
            )

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Nobody can take the lease within; raises Fenced when somebody has."""
        with self._locked():
            self.check()
            yield

    def beat(self) -> None:
        """Give a sign of life."""
        with self.guard():
            self._write(replace(self.read(), beat=self._clock.monotonic()))

    def pause(self) -> None:
        """Keep the lease for a later call of the same run."""
        with self.guard():
            self._write(replace(self.read(), beat=self._clock.monotonic(), process=""))
        self._token = 0

    def drop(self) -> None:
        """Give the lease back; one that was lost is nobody's to give."""
        with self._locked():
            if self._token and self.read().token == self._token:
                self._write(Grant(token=self._token))
        self._token = 0

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Give signs of life in the background, for acts that take longer than the lease."""

        def beat(over: Event) -> None:
            try:
                self.beat()
            except (OpsError, OSError):  # whoever acts finds that out itself, before its next act
                over.set()

        with meanwhile(beat, self._seconds / 3):
            yield

    def _try(self, run: str, holder: str, steal: bool, controller: str, orphan: str) -> bool:
        with self._locked():
            held = self.read()
            another = held.run != run or (alive(held.process) and held.pid != os.getpid())
            if another and not steal and not self._free(held, orphan):
                return False
            self._token, self._run = held.token + int(another), run
            controller = controller or ("" if another else held.controller)
            self._write(Grant(self._token, run, holder, self._seconds, self._clock.monotonic(), boot(), process(os.getpid()), controller))
            return True

    def _free(self, held: Grant, orphan: str) -> bool:
        if not held.run or held.boot != boot() or (held.process and not alive(held.process)):
            return True
        return (held.run == orphan and not held.process) or self._clock.monotonic() - held.beat > held.seconds

    def _refusal(self, held: Grant) -> OpsError:
        silent = self._clock.monotonic() - held.beat
        where = f"process {held.pid} on this host" if held.process else "between two steps"
        return OpsError(
            f"Another run works on {self._path.parent}: run {held.run} of {held.holder} ({where}, last sign of life {silent:.0f} s ago)."
            f" Wait for it to end; without a further sign of life its lease is over in {max(held.seconds - silent, 0):.0f} s."
            f" Where it is known to be dead, {self._remedy}.",
            lease=asdict(held),
        )

    def _write(self, grant: Grant) -> None:
        write_atomic(self._path, json.dumps(asdict(grant), sort_keys=True) + "\n", mode=0o600)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """For the moment of a look and a write; never while something is done."""
        with open(self._path.with_suffix(".lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
