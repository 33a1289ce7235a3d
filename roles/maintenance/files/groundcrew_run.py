# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a maintenance task: one at a time on this host, within its time, leaving a record.

The record is a JSON object: schema, name, command, outcome (running, ok, failed, timed out, stopped), exit_code, started, ended
(seconds since the epoch), seconds, waited (seconds spent waiting for another task), lines (the last ones it said), last_ok (end of the last
run that was ok) and failures (how many runs in a row were not ok).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RECORDS = Path("/var/lib/groundcrew/maintenance")
LOCK = Path("/run/groundcrew/maintenance.lock")
LINES = 20
LONGEST_LINE = 500
GRACE = 30.0  # seconds between asking a task to stop and killing it
TIMED_OUT = 124  # as timeout(1) has it


class Stopped(Exception):
    """Somebody asked this program to stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run a maintenance task and record how it went.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    parser.add_argument("--user", default="root")
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    given.records.mkdir(parents=True, exist_ok=True, mode=0o755)
    record = Record(given.records / f"{given.name}.json", given.name, given.command)
    try:
        with alone(given.lock):
            record.begin()
            outcome, code = attempt(given.command, given.user, given.timeout, record)
    except Stopped:
        outcome, code = "stopped", 128 + signal.SIGTERM
    record.end(outcome, code)
    return code


class Record:
    """What is known about the last run of one task."""

    def __init__(self, path: Path, name: str, command: Sequence[str]) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=LINES)
        self._asked = time.time()
        before = self._before()
        self._fields: dict[str, Any] = {
            "schema": 1,
            "name": name,
            "command": list(command),
            "started": self._asked,
            "waited": 0.0,
            "last_ok": before.get("last_ok"),
            # A run that never ended (power cut, kill -9) was not ok.
            "failures": before.get("failures", 0) + (before.get("outcome") == "running"),
        }

    def _before(self) -> dict[str, Any]:
        try:
            before = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return before if isinstance(before, dict) else {}

    def begin(self) -> None:
        """Say that it runs before it does."""
        started = time.time()
        self._fields |= {"started": started, "waited": round(started - self._asked, 3)}
        self._write(outcome="running", exit_code=None, ended=None, seconds=None)

    def end(self, outcome: str, code: int) -> None:
        ended = time.time()
        if outcome == "ok":
            self._fields |= {"last_ok": ended, "failures": 0}
        else:
            self._fields["failures"] += 1
        self._write(outcome=outcome, exit_code=code, ended=ended, seconds=round(ended - self._fields["started"], 3))

    def _write(self, **result: Any) -> None:
        """Replace the record as a whole: a reader never sees half of it."""
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        with os.fdopen(handle, "w") as stream:
            json.dump({**self._fields, **result, "lines": list(self.lines)}, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, self.path)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other task runs on this host. The lock goes with the process, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def attempt(command: Sequence[str], user: str, timeout: float, record: Record) -> tuple[str, int]:
    """Run the command and return the outcome and the exit code. What it says goes to the journal and, its end, to the record."""
    try:
        output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **output, **_as(user))
    except (OSError, KeyError) as error:
        record.lines.append(f"Cannot run {command[0]} as {user}: {error}")
        print(record.lines[-1], flush=True)
        return "failed", 127
    listener = threading.Thread(target=_listen, args=(child, record.lines), daemon=True)
    listener.start()
    try:
        code = child.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(child)
        listener.join(GRACE)
        record.lines.append(f"Stopped: it did not end within {timeout:g} s.")
        print(record.lines[-1], flush=True)
        return "timed out", TIMED_OUT
    except Stopped:
        _end(child)
        raise
    # What it left in the background may hold its output open; the task itself has ended.
    listener.join(GRACE if code else 5.0)
    return ("ok", 0) if code == 0 else ("failed", code if code > 0 else 128 - code)


def _as(user: str) -> dict[str, Any]:
    """How Popen becomes another account."""
    if pwd.getpwnam(user).pw_uid == os.getuid():
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": os.getgrouplist(user, account.pw_gid), "cwd": "/"}


def _listen(child: subprocess.Popen[str], lines: deque[str]) -> None:
    for line in child.stdout or ():
        print(line, end="", flush=True)
        lines.append(line.rstrip("\n")[:LONGEST_LINE])


def _end(child: subprocess.Popen[str]) -> None:
    """Ask the task and everything it started to stop, then kill what is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _stop(_number: int, _frame: object) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
