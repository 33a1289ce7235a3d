# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup's objects into an empty database, on as little disk as is given, and not before all of them were compared with the manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Lock

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import contents, dump, policy, transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.contents import Choice, Portion, TocEntry
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database, Manifest
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import Store
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.seal import Sealer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


class Loader:
    """Restores one backup through one folder: by one call of pg_restore if all of it may lie there and is wanted, else portion by portion.

    limit: bytes that may lie in the folder; a backup that is larger is read twice, once to be compared and once, portion by portion, to be restored.
    """

    def __init__(self, store: Store, manifest: Manifest, prefix: str, folder: Path, *, sealer: Sealer | None, limit: int, jobs: int) -> None:
        self._store = store
        self._manifest = manifest
        self._prefix = prefix
        self._folder = folder
        self._sealer = sealer
        self._limit = limit
        self._jobs = jobs
        self._dumped = [record for record in manifest.objects if transfer.files_of(record)]
        self._whole = needed(manifest) <= limit
        self._space = Space(limit)
        self._children: set[dump.Child] = set()
        self._lock = Lock()

    def compare(self) -> None:
        """Read every object and raise at the first that is not what the manifest says. They are kept if the disk may hold them all."""

        def one(record: contents.ObjectRecord) -> None:
            if transfer.files_of(record) and (self._whole or contents.TABLE_OF_CONTENTS in transfer.files_of(record)):
                transfer.fetch(self._store, record, self._prefix, self._folder, self._sealer)
            else:
                transfer.read(self._store, record, self._prefix, self._sealer, None)

        transfer.each(one, sorted(self._manifest.objects, key=lambda record: record.size, reverse=True))

    def load(self, tools: Tools, database: Database, *, ownership: bool, choice: Choice) -> list[str]:
        """Restore: definitions, rows with the largest tables first, then indexes and constraints. The foreign keys that were left out."""
        run = _Run(self, tools, database, ownership)
        if self._whole and choice.all:
            # Nothing to choose and all of it here: pg_restore itself fills its workers best.
            run.restore(self._folder, f"--jobs={self._jobs}")
            return []
        data = self._list(tools, "--section=data")
        chosen = frozenset(entry.dump_id for entry in data)
        if not choice.all:
            others = frozenset(entry.dump_id for entry in data if not entry.said.startswith("TABLE DATA "))
            chosen = others | contents.chosen_data(data, choice.of(self._manifest))
        run.restore(self._folder, "--section=pre-data")
        portions = contents.portions(self._dumped, data, chosen)
        # What has no file comes first, such as the large objects themselves, which from 17 on are data. In the order of the dump.
        filled = frozenset().union(*(portion.dump_ids for portion in portions))
        bare = [entry.dump_id for entry in data if entry.dump_id in chosen - filled]
        if bare:
            with _listed(self._folder, bare) as option:
                run.restore(self._folder, option)
        try:
            transfer.each(run.portion, portions, self._jobs)
        except BaseException:
            self._stop()
            raise
        without = {} if choice.all else contents.left_out(self._list(tools, "--verbose"), chosen)
        if without:
            after = [entry.dump_id for entry in self._list(tools, "--section=post-data") if entry.dump_id not in without]
            with _listed(self._folder, after) as option:
                run.restore(self._folder, option, f"--jobs={self._jobs}")
        else:
            run.restore(self._folder, "--section=post-data", f"--jobs={self._jobs}")
        return sorted(without.values())

    def _list(self, tools: Tools, *options: str) -> list[TocEntry]:
        argv = [tools.path("pg_restore"), "--list", *options, str(self._folder)]
        return contents.parse(Runner().run(argv).stdout)

    def _stop(self) -> None:
        with self._lock:
            children = list(self._children)
        for child in children:
            child.stop()


class _Run:
    """The calls of pg_restore for one database."""

    def __init__(self, loader: Loader, tools: Tools, database: Database, ownership: bool) -> None:
        self._loader = loader
        self._tools = tools
        self._database = database
        self._ownership = ownership

    def portion(self, portion: Portion) -> None:
        loader = self._loader
        if loader._whole:
            with _listed(loader._folder, portion.dump_ids) as option:
                self.restore(loader._folder, option)
            return
        with loader._space.taken(portion.size), TemporaryDirectory(dir=loader._folder) as name:
            folder = Path(name)
            os.link(loader._folder / contents.TABLE_OF_CONTENTS, folder / contents.TABLE_OF_CONTENTS)
            for record in portion.records:
                transfer.fetch(loader._store, record, loader._prefix, folder, loader._sealer)
            with _listed(folder, portion.dump_ids) as option:
                self.restore(folder, option)

    def restore(self, folder: Path, *options: str) -> None:
        loader = self._loader
        child = dump.start_restore(self._tools, self._database, folder, options, ownership=self._ownership)
        with loader._lock:
            loader._children.add(child)
        try:
            child.wait()
        finally:
            child.stop()
            with loader._lock:
                loader._children.discard(child)


class Space:
    """Bytes of disk that several threads share. One that wants more than there is waits until it is alone."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._changed = Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._total)
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def needed(manifest: Manifest) -> int:
    """The bytes of the whole dump on disk."""
    return sum(transfer.plain_size(record) for record in manifest.objects)


def least(manifest: Manifest) -> int:
    """The bytes without which nothing can be restored: the largest file, and the table of contents."""
    sizes = [transfer.plain_size(record) for record in manifest.objects]
    toc = sum(transfer.plain_size(record) for record in manifest.objects if transfer.plain_name(record) == policy.DATA + contents.TABLE_OF_CONTENTS)
    return max(sizes, default=0) + toc


def limit(folder: Path, manifest: Manifest, wanted: int | None) -> int:
    """How much of a folder a restore may take: what was given, else all of it but a reserve. Raises when that is too little."""
    free = shutil.disk_usage(folder).free - transfer.RESERVE
    most = free if wanted is None else min(free, wanted)
    if most < least(manifest):
        raise OpsError(
            f"{folder} offers {max(most, 0) / 2**20:.0f} MiB; backup {manifest.backup_id} needs about {least(manifest) / 2**20:.0f} MiB, "
            "as its largest file has to fit. Free some, raise staging_mib, or give another staging folder.",
            free_bytes=free,
            needed_bytes=least(manifest),
        )
    return most


@contextmanager
def _listed(folder: Path, dump_ids: list[int] | frozenset[int]) -> Iterator[str]:
    """The option that restores these entries only. A list keeps its order."""
    ordered = dump_ids if isinstance(dump_ids, list) else sorted(dump_ids)
    with TemporaryDirectory(dir=folder) as name:
        path = Path(name) / "list"
        path.write_text("".join(f"{dump_id};\n" for dump_id in ordered), encoding="ascii")
        yield f"--use-list={path}"
