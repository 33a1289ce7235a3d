# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that live for one check: reached through a socket that only we can open, gone when we are, however we end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import DEBIAN
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for
from ansible_collections.groundcrew.ops.plugins.module_utils._redis import connection

MARK = "groundcrew-verify-"
LONGEST_SOCKET = 100  # the kernel's limit is 107, and a name comes behind it
START_SECONDS = 60.0
LOAD_SECONDS = 3600.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
# Nothing here outlives the check, so nothing has to survive a crash; wal_level saves writing what is copied twice.
POSTGRESQL = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "maintenance_work_mem": "128MB",
    "logging_collector": "off",
}


@contextmanager
def folder(staging: Path, mark: str = MARK) -> Iterator[Path]:
    """A folder for one check, or whatever else has a mark of its own. What killed ones left beside it is removed; that of one which still runs is locked."""
    _sweep(staging, mark)
    try:
        made = Path(tempfile.mkdtemp(prefix=mark, dir=staging))
    except OSError as error:
        raise OpsError(f"Cannot make a folder in {staging}: {error}. Give another staging folder.") from error
    with _locked(made):
        # The account of the server has to get through, and finds only what belongs to it.
        made.chmod(0o711)
        (made / "staging").mkdir(mode=0o700)
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _sweep(staging: Path, mark: str) -> None:
    for left in staging.glob(f"{mark}*"):
        with _locked(left) as dead:
            if dead:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def postgresql(major: int, base: Path, *, connections: int, bin_dir: str | None = None, runner: Runner | None = None) -> Iterator[Database]:
    """An empty cluster of one major version.

    base: from ``folder``.
    bin_dir: the folder with initdb, found below /usr/lib/postgresql otherwise.
    """
    binaries = Path(bin_dir) if bin_dir else DEBIAN / str(major) / "bin"
    if not (binaries / "initdb").exists():
        raise OpsError(
            f"There is no PostgreSQL {major} server in {binaries} to restore into: install postgresql-{major}, or check against a server that you name.",
            server_major=major,
        )
    account = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    data, sockets = _own_folder(base / "data", account), _own_folder(base / "socket", account)
    if len(str(sockets)) > LONGEST_SOCKET:
        raise OpsError(f"The path {sockets} is too long for a socket: give a staging folder with a shorter one.")
    password = secrets.token_hex(16)
    secret = base / "password"
    secret.write_text(password + "\n", encoding="ascii")
    _give(secret, account)
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "groundcrew", "-A", "scram-sha-256", "--pwfile", str(secret)]
    as_account = ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", "--"] if account else []
    (runner or Runner()).run([*as_account, *command, "-E", "UTF8", "--locale=C", "--no-sync"], cwd="/")
    secret.unlink()
    settings = {**POSTGRESQL, "unix_socket_directories": str(sockets), "max_connections": str(connections)}
    argv = [str(binaries / "postgres"), "-D", str(data), *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]
    there = Database(str(sockets), 5432, "groundcrew", "postgres", password, "disable")
    ready = sockets / ".s.PGSQL.5432.lock"
    # An immediate shutdown: there is nothing to save.
    with running(argv, base / "server.log", account, lambda: ready.exists() and _says_ready(data), signal.SIGQUIT):
        yield there


@contextmanager
def redis(base: Path, databases: int, snapshot: Path | None = None) -> Iterator[Mapping[int, Any]]:
    """A Redis server with the keys of a snapshot, as clients by number of the database.

    base: from ``folder``.
    """
    library = connection.library()
    home = _own_folder(base / "redis", None)
    program = next((found for name in ("redis-server", "valkey-server") if (found := shutil.which(name))), None) or _server_by_name(home)
    if snapshot is not None:
        snapshot.rename(home / "dump.rdb")
    socket = home / "socket"
    options = {"port": "0", "unixsocket": str(socket), "dir": str(home), "dbfilename": "dump.rdb", "save": "", "appendonly": "no", "databases": str(databases)}
    argv = [program, *(word for name, value in options.items() for word in (f"--{name}", value))]
    clients = {number: library.Redis(unix_socket_path=str(socket), db=number, socket_timeout=600) for number in range(databases)}

    def ready() -> bool:
        try:
            return bool(clients[0].ping())
        except library.exceptions.RedisError:
            return False  # not there yet, or still loading

    try:
        with running(argv, base / "redis.log", None, ready, signal.SIGKILL, LOAD_SECONDS):
            yield clients
    except library.exceptions.RedisError as error:
        raise OpsError(f"The server made for this check did not answer: {error}") from error
    finally:
        for client in clients.values():
            client.close()


@contextmanager
def running(
    argv: Sequence[str], log: Path, account: str | None, ready: Callable[[], bool], end: signal.Signals, seconds: float = START_SECONDS
) -> Iterator[None]:
    """A server as a child, from when it is ready on, for which it has so many seconds."""
    with log.open("wb") as stream:
        # It runs beside us, also where there is no Ansible: run_command can do neither.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            user=account,
            group=pwd.getpwnam(account).pw_gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, end),
        )
    try:
        name = Path(argv[0]).name

        def look() -> bool:
            if process.poll() is not None:
                said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-1000:]
                raise OpsError(f"{name} ended at once with exit code {process.returncode}: {said or 'it said nothing'}")
            return ready()

        wait_for(f"{name} to accept connections", look, bool, timeout=seconds, interval=0.1, clock=Clock())
        yield
    finally:
        process.send_signal(end)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _says_ready(data: Path) -> bool:
    """The last line of postmaster.pid is the server's state."""
    try:
        return (data / "postmaster.pid").read_text(encoding="ascii").split()[-1:] == ["ready"]
    except OSError:
        return False


def _server_by_name(home: Path) -> str:
    """The program that checks snapshots is the server under another name; its package starts none."""
    checker = next((found for name in ("redis-check-rdb", "valkey-check-rdb") if (found := shutil.which(name))), None)
    if checker is None:
        raise OpsError("There is no Redis on this host to load the backup into: install redis-tools (or valkey-tools).")
    link = home / Path(checker).name.replace("check-rdb", "server")
    link.symlink_to(Path(checker).resolve())
    return str(link)


def _own_folder(path: Path, account: str | None) -> Path:
    path.mkdir(mode=0o700)
    _give(path, account)
    return path


def _give(path: Path, account: str | None) -> None:
    if account:
        try:
            shutil.chown(path, account, account)
        except LookupError as error:
            raise OpsError(f"There is no account {account} that a server could run as: install the package postgresql.") from error


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a folder; whether nobody else does. The lock goes with the process."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
