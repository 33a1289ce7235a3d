# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small files of a dump in one object: a tar, which any system can unpack."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

# A file above this size is an object of its own.
SMALL = 1024 * 1024
# A bundle is closed when it holds this many bytes or files.
FULL_BYTES = 8 * 1024 * 1024
FULL_FILES = 4000


def pack(paths: Iterable[Path]) -> bytes:
    """The files as a tar with nothing of this host in it."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in paths:
            entry = tarfile.TarInfo(path.name)
            data = path.read_bytes()
            entry.size = len(data)
            entry.mode = 0o600
            tar.addfile(entry, BytesIO(data))
    return packed.getvalue()


def unpack(bundle: Path, members: tuple[str, ...], folder: Path) -> None:
    """The files of a bundle; it must hold exactly those that the manifest names, plainly in one folder."""
    with tarfile.open(bundle, mode="r:") as tar:
        for entry in tar:
            if not entry.isreg() or entry.name not in members or "/" in entry.name or entry.name in (".", ".."):
                raise OpsError(f"Bundle {bundle.name} holds {entry.name!r}, which the manifest does not name.", object=bundle.name)
            content = tar.extractfile(entry)
            if content is None:
                raise AssertionError("a regular file has content")
            with (folder / entry.name).open("wb") as stream:
                while block := content.read(1024 * 1024):
                    stream.write(block)
    missing = [name for name in members if not (folder / name).exists()]
    if missing:
        raise OpsError(f"Bundle {bundle.name} lacks {missing[0]} and {len(missing) - 1} more files that the manifest names.", object=bundle.name)
