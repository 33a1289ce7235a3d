# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands, progress and errors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class CloudError(Exception):
    """Something a person has to know or do. The message says what."""


def run(argv: Sequence[str], *, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None, timeout: float = 600, log: Path | None = None) -> str:
    """Run a command and return its standard output; its failure is a CloudError with the end of what it said."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})}, check=False)
    except FileNotFoundError as error:
        raise CloudError(f"The program '{argv[0]}' is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise CloudError(f"'{' '.join(argv[:4])} …' did not end within {timeout:g} s.") from error
    output = done.stdout.decode(errors="replace")
    said = done.stderr.decode(errors="replace")
    if log:
        with log.open("a") as file:
            file.write(f"$ {' '.join(argv)}\n{output}{said}")
    if done.returncode:
        where = f" Everything it said is in {log}." if log else ""
        raise CloudError(f"'{' '.join(argv[:6])}' ended with {done.returncode}: {(said or output).strip()[-1500:]}{where}")
    return output


def succeeds(argv: Sequence[str], timeout: float = 60) -> bool:
    """Whether a command ends with 0."""
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print one line when a step is through, with the time it took."""
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"  ✗ {what} ({time.monotonic() - start:.1f} s)", file=sys.stderr, flush=True)
        raise
    print(f"  ✓ {what} ({time.monotonic() - start:.1f} s)", file=sys.stderr, flush=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)


def wait_until(what: str, check: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> None:
    """Wait until a callable answers true."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise CloudError(f"{what}: not within {seconds:g} s.")
        time.sleep(pause)
