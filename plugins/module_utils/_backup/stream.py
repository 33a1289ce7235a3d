# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump on its way to the store while pg_dump still writes it.

Each file is sent in parts as it grows, hashed on the way, and its disk space is given back behind the parts that are stored. When more waits on disk
than may, pg_dump is paused until it has drained. One thread reads, hashes and decides; a few others send what it gives them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import bundle, linux, policy, seal
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.dump import Child
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.growing import MIB, SMALLEST_PART, Content, File
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import ObjectRecord
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store, Upload
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

SENDERS = 4
# What is read and not yet stored: with what Python itself takes this keeps a run below 200 MiB.
MOST_IN_FLIGHT = 40 * MIB
LOOK = 0.05
# Shares of the limit at which the dump is paused, and goes on.
HIGH, LOW = 0.7, 0.4


@dataclass(frozen=True)
class Limits:
    """staging: bytes on disk. stall: seconds after which a run that does not move is given up."""

    staging: int
    stall: float

    def require(self, jobs: int) -> None:
        least = max(64, jobs * 24)
        if self.staging < least * MIB:
            raise OpsError(f"A staging limit of {self.staging // MIB} MiB is too little for {jobs} jobs: give at least {least} MiB, or fewer jobs.")


@dataclass(frozen=True)
class Progress:
    """How far a run is: files and bytes stored, bytes on disk now and at the most, and how often the dump was paused."""

    files: int = 0
    stored: int = 0
    staged: int = 0
    peak: int = 0
    pauses: int = 0


@dataclass(frozen=True)
class Job:
    """What a sender does, and what the reader does after it. ``size``: the bytes it keeps in memory."""

    act: Callable[[], None]
    then: Callable[[], None]
    size: int = 0


class Stream:
    """Use as a context: it begins at once, and leaving it with an error gives up what is being sent.

    prefix: of the backup's keys; its last part is the backup's id.
    failed: called when sending has failed, to end what else waits for the dump.
    """

    def __init__(
        self, store: Store, folder: Path, prefix: str, child: Child, *, limits: Limits, failed: Callable[[], None], sealer: seal.Sealer | None = None
    ) -> None:
        self._store = store
        self._folder = folder
        self._prefix = prefix
        self._child = child
        self._limits = limits
        self._failed = failed
        self._sealer = sealer
        self.punches = linux.can_punch(folder)
        self._watch = linux.Watch(folder)
        self._seen: set[str] = set()
        self._files: dict[str, File] = {}
        self._small: list[Path] = []
        self._small_bytes = 0
        self._bundled_bytes = 0
        self._bundles = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._in_flight = 0
        self._outstanding = 0
        self._paused = False
        self._moved = time.monotonic()
        self._records: list[ObjectRecord] = []
        self._error: BaseException | None = None
        self._stopped = Event()
        self._reader = Thread(target=self._read, daemon=True)
        self.progress = Progress()

    def __enter__(self) -> Stream:
        # Daemons: a request that hangs in a dead network must not keep a run alive that has failed.
        for _number in range(SENDERS):
            Thread(target=self._send, daemon=True).start()
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        self._watch.wake()
        self._reader.join()
        for _number in range(SENDERS):
            self._jobs.put(None)
        self._watch.close()
        for file in self._files.values():
            file.release()
        if self._error is not None and error is not None:
            raise self._error from error

    def finish(self) -> tuple[ObjectRecord, ...]:
        """Wait until all that the dump wrote is stored."""
        self._reader.join()
        if self._error is not None:
            raise self._error
        return tuple(sorted(self._records, key=lambda record: record.name))

    def _read(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Give up. The first error counts, the others follow from it."""
        if not self._stopped.is_set():
            self._error = error
            self._stopped.set()
            self._child.stop()
            self._failed()

    def _run(self) -> None:
        self._note({path.name for path in self._folder.iterdir()}, set())  # what pg_dump began before it was watched
        while not self._stopped.is_set():
            ended = self._child.ended
            if ended:
                # One that ended badly is told of as that, not as what its files then look like: its workers may outlive it for a moment.
                self._child.wait()
            created, closed, missed = self._watch.wait(0 if ended and not self._outstanding else LOOK)
            self._note(created | closed, closed)
            if missed or ended:
                self._note({path.name for path in self._folder.iterdir()}, set())
            while self._done:
                self._after(self._done.popleft())
            for file in list(self._files.values()):
                file.closed |= ended
                self._advance(file)
            if self._small_bytes >= bundle.FULL_BYTES or len(self._small) >= bundle.FULL_FILES or self._paused or (ended and not self._files):
                self._bundle()
            self._throttle(ended)
            if ended and not self._files and not self._small and not self._outstanding:
                return

    def _note(self, names: set[str], closed: set[str]) -> None:
        for name in names - self._seen:
            stored_as = policy.DATA + name
            self._files[name] = File(self._folder / name, self._suffixed(stored_as), self._sealing(stored_as))
        self._seen |= names
        for name in closed & self._files.keys():
            self._files[name].closed = True

    def _advance(self, file: File) -> None:
        """Send what can be sent of a file."""
        if file.look():
            self._moved = time.monotonic()
        # The table of contents stays an object of its own: whoever restores reads it first.
        if file.closed and not file.began and not file.parts and file.size <= bundle.SMALL and file.path.name != "toc.dat":
            del self._files[file.path.name]
            self._small.append(file.path)
            self._small_bytes += file.size
            return
        while not file.all_read:
            part = min(file.part, SMALLEST_PART) if self._paused else file.part
            if (not file.closed and file.left < part) or (self._in_flight and self._in_flight + part > MOST_IN_FLIGHT):
                return
            if file.closed and not file.began and file.left <= part:
                data = file.take(file.left)
                self._give(partial(self._put, file, data), partial(self._stored, file), len(data))
                return
            if not file.began:
                file.began = True
                self._give(partial(self._begin, file), _nothing)
            if file.upload is None:
                return
            if not file.left and not file.content.sealed:
                file.all_read = True  # it was closed right behind a part
            else:
                self._part(file, min(part, file.left))
        if file.upload is not None and not file.waiting and not file.ending:
            file.ending = True
            self._give(partial(self._complete, file, file.upload), partial(self._stored, file))

    def _part(self, file: File, length: int) -> None:
        if file.upload is None:
            raise AssertionError("a part belongs to an upload that has begun")
        start, data = file.content.read, file.take(length)
        file.waiting += 1
        self._give(partial(self._send_part, file, file.upload, file.parts, data, start, length), partial(self._part_stored, file), len(data))

    def _bundle(self) -> None:
        """Send the small files that wait, as one object."""
        if not self._small or (self._in_flight and self._in_flight + self._small_bytes > MOST_IN_FLIGHT):
            return
        paths, size = self._small, self._small_bytes
        self._small, self._small_bytes, self._bundled_bytes, self._bundles = [], 0, self._bundled_bytes + size, self._bundles + 1
        name = f"{policy.BUNDLES}{self._bundles:05d}.tar"
        content = Content(self._sealing(name))
        data = content.add(bundle.pack(paths), True)
        record = content.record(self._suffixed(name), tuple(path.name for path in paths))
        self._give(partial(self._put_bundle, record.name, data, paths), partial(self._bundle_stored, record, size), len(data))

    def _throttle(self, ended: bool) -> None:
        """Pause the dump when too much waits on disk, and end a run that does not move."""
        staged = sum(linux.allocated(file.path) for file in self._files.values()) + self._small_bytes + self._bundled_bytes
        self.progress = replace(self.progress, staged=staged, peak=max(self.progress.peak, staged))
        if not self.punches:
            if staged > self._limits.staging:
                raise OpsError(
                    f"The dump takes {staged // MIB} MiB in {self._folder.parent}, more than the {self._limits.staging // MIB} MiB it may: this file system "
                    "gives no space back while a file is written. Raise staging_limit, or give a folder on ext4, XFS, Btrfs or tmpfs."
                )
        elif not self._paused and not ended and staged > self._limits.staging * HIGH:
            self._child.pause()
            self._paused = True
            self.progress = replace(self.progress, pauses=self.progress.pauses + 1)
        elif self._paused and staged < self._limits.staging * LOW:
            self._child.resume()
            self._paused = False
            self._moved = time.monotonic()
        quiet = time.monotonic() - self._moved
        if quiet > self._limits.stall:
            raise OpsError(f"Nothing moved for {quiet:.0f} s: pg_dump wrote nothing, and the store took nothing. Check the network, or raise stall_limit.")

    def _give(self, act: Callable[[], None], then: Callable[[], None], size: int = 0) -> None:
        self._in_flight += size
        self._outstanding += 1
        self._jobs.put(Job(act, then, size))

    def _after(self, job: Job) -> None:
        self._in_flight -= job.size
        self._outstanding -= 1
        self._moved = time.monotonic()
        self.progress = replace(self.progress, stored=self.progress.stored + job.size)
        job.then()

    def _part_stored(self, file: File) -> None:
        file.waiting -= 1

    def _stored(self, file: File) -> None:
        del self._files[file.path.name]
        self._keep(file.content.record(file.name), 1)

    def _bundle_stored(self, record: ObjectRecord, size: int) -> None:
        self._bundled_bytes -= size
        self._keep(record, len(record.members))

    def _keep(self, record: ObjectRecord, files: int) -> None:
        self._records.append(record)
        self.progress = replace(self.progress, files=self.progress.files + files)

    # What follows runs in the senders.

    def _send(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._stopped.is_set():
                continue
            try:
                job.act()
            except BaseException as error:
                self._fail(error)
            else:
                self._done.append(job)
            self._watch.wake()

    def _begin(self, file: File) -> None:
        file.upload = self._store.upload(self._prefix + file.name, self._stopped)

    def _send_part(self, file: File, upload: Upload, number: int, data: bytes, start: int, length: int) -> None:
        upload.part(number, data)
        if self.punches and length:
            file.drop(start, length)

    def _put(self, file: File, data: bytes) -> None:
        self._store.put(self._prefix + file.name, data)
        file.remove()

    def _complete(self, file: File, upload: Upload) -> None:
        upload.complete()
        file.remove()

    def _put_bundle(self, name: str, data: bytes, paths: list[Path]) -> None:
        self._store.put(self._prefix + name, data)
        for path in paths:
            path.unlink()

    def _sealing(self, name: str) -> seal.Sealing | None:
        return self._sealer.seal(seal.bound(self._prefix, name)) if self._sealer else None

    def _suffixed(self, name: str) -> str:
        return name + seal.SUFFIX if self._sealer else name


def _nothing() -> None:
    """After a job that nothing follows."""
