# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a maintenance task: one at a time on this host, within its time and its unit's limits, leaving a record.

The record is a JSON object: schema, name, command, outcome (running, ok, failed, timed out, stopped), exit_code, started, ended
(seconds since the epoch), seconds, waited (seconds spent waiting for another task), lines (the last ones it said, and why it was ended), last_ok (end
of the last run that was ok) and failures (how many runs in a row were not ok).
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
PATIENCE = 86400.0  # seconds
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


class Stopped(Exception):
    """Somebody asked this program to stop."""


class Waited(Exception):
    """Another task has run for longer than this one waits."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run a maintenance task and record how it went.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    parser.add_argument("--wait", type=float, default=PATIENCE, help="seconds that it waits for another task at the most")
    parser.add_argument("--beside", action="store_true", help="run while others do: it only reads")
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
        with contextlib.nullcontext() if given.beside else alone(given.lock, given.name, given.wait):
            record.begin()
            outcome, code = attempt(given.command, given.user, given.timeout, record)
    except Waited as other:
        record.gave_up(f"Not started: {other} still ran after {given.wait:g} s.")
        outcome, code = "timed out", TIMED_OUT
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

    def gave_up(self, why: str) -> None:
        self._fields["waited"] = round(time.time() - self._asked, 3)
        self.say(why)

    def say(self, line: str) -> None:
        """Words of this program, not of the task."""
        self.lines.append(line)
        print(line, flush=True)

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
def alone(path: Path, name: str, patience: float) -> Iterator[None]:
    """Wait until no other task runs on this host. The lock goes with the process, however it ends; the file says who has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(handle, patience)
        os.ftruncate(handle, 0)
        os.pwrite(handle, name.encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int, patience: float) -> None:
    def give_up(_number: int, _frame: object) -> None:
        raise Waited(os.pread(handle, 200, 0).decode() or "another task")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def attempt(command: Sequence[str], user: str, timeout: float, record: Record) -> tuple[str, int]:
    """Run the command and return the outcome and the exit code. What it says goes to the journal and, its end, to the record."""
    killed, refused = at_limits()
    try:
        output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **output, **_as(user))
    except (OSError, KeyError) as error:
        record.say(f"Cannot run {command[0]} as {user}: {error}")
        return "failed", 127
    listener = threading.Thread(target=_listen, args=(child, record.lines), daemon=True)
    listener.start()
    try:
        code = child.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(child)
        listener.join(GRACE)
        record.say(f"Stopped: it did not end within {timeout:g} s.")
        return "timed out", TIMED_OUT
    except Stopped:
        _end(child)
        raise
    # What it left in the background may hold its output open; the task itself has ended.
    listener.join(GRACE if code else 5.0)
    now = at_limits()
    if now[1] > refused:
        record.say(f"It was refused processes and threads beyond its limit (tasks_max) of {group_says('pids', 'pids.max')}.")
    if now[0] > killed:
        limit = group_says("memory", "memory.max", "memory.limit_in_bytes")
        record.say(f"It was killed: it took more memory than its limit (memory_max) of {limit} bytes.")
        # What was killed did not do its work, though the rest may say that all went well.
        code = code or 128 + signal.SIGKILL
    return ("ok", 0) if code == 0 else ("failed", code if code > 0 else 128 - code)


def at_limits() -> tuple[int, int]:
    """How often something in this process's group was killed for want of memory, and how often it was refused a process; 0 where nothing tells."""
    return _count("memory", "oom_kill", "memory.events", "memory.oom_control"), _count("pids", "max", "pids.events")


def _count(kind: str, event: str, *files: str) -> int:
    return int(dict(line.split() for line in group_says(kind, *files).splitlines()).get(event, 0))


def group_says(kind: str, *files: str) -> str:
    """The first of these files that this process's group has, in the second version of control groups or the first; empty if it has none."""
    for line in OWN_GROUP.read_text().splitlines():
        _number, kinds, path = line.split(":", 2)
        if not kinds or kind in kinds.split(","):
            for file in files:
                with contextlib.suppress(OSError):
                    return (GROUPS / kinds / path.lstrip("/") / file).read_text().strip()
    return ""


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
