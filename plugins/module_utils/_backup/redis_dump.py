# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a Redis or Valkey server holds, as a stream: its own snapshot, or key by key where a managed server refuses that."""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import redis_truth
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner, failed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection, library

CHUNK = 8 * 1024 * 1024
TRAILER = re.compile(rb"[0-9a-f]{40}")
RDB_END = 0xFF
END = 1 + 8  # the opcode that ends a snapshot, and its checksum
KEYS_READ = re.compile(r"(\d+) keys read")


class Refused(OpsError):
    """The server does not give a snapshot to this user."""


def snapshot(connection: Connection) -> Iterator[bytes]:
    """The server's snapshot (RDB), as a replica would get it. The password goes through the environment."""
    argv = ["redis-cli", "-h", connection.host, "-p", str(connection.port)]
    argv += ["--user", connection.user] if connection.user != "default" else []
    if connection.ssl_mode != "disable":
        argv += ["--tls", *(["--insecure"] if connection.ssl_mode == "require" else []), *(["--cacert", connection.ca_cert] if connection.ca_cert else [])]
    secret = {"REDISCLI_AUTH": connection.password} if connection.password else {}
    try:
        # It is read while it runs, also where there is no Ansible: run_command can do neither.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [*argv, "--rdb", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **secret}
        )
    except FileNotFoundError as error:
        raise OpsError("redis-cli is not installed: install redis-tools (Debian, Ubuntu).") from error
    said: deque[str] = deque(maxlen=10)
    listener = Thread(target=lambda: said.extend(line.decode(errors="replace").strip() for line in process.stderr or ()), daemon=True)
    listener.start()
    size = 0
    try:
        for chunk in without_trailer(iter(lambda: process.stdout.read(CHUNK) if process.stdout else b"", b"")):
            size += len(chunk)
            yield chunk
        code = process.wait(60)
        listener.join(5)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if code != 0 or size == 0:
        told = " ".join(said) or "it said nothing"
        error_type = Refused if size == 0 else OpsError
        raise error_type(f"redis-cli --rdb at {connection.host}:{connection.port} gave {size} bytes and ended with {code}: {told}", rc=code)


def without_trailer(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A snapshot without the 40 bytes that mark its end when the server did not know its size (diskless replication)."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) > 40 + END:
            yield held[: -(40 + END)]
            held = held[-(40 + END) :]
    ended = len(held) == 40 + END and held[0] == RDB_END and TRAILER.fullmatch(held[END:])
    if held:
        yield held[:END] if ended else held


def commands(clients: dict[int, Any]) -> Iterator[bytes]:
    """RESTORE commands for every key, as `redis-cli --pipe` takes them. Each key is read at its own moment."""
    held = bytearray()
    for number, client in sorted(clients.items()):
        held += resp(b"SELECT", str(number).encode())
        for batch in redis_truth.keys_of(client):
            for key, payload, expires in dumped(client, batch):
                held += resp(b"RESTORE", key, str(expires).encode(), payload, b"REPLACE", b"ABSTTL")
            if len(held) >= CHUNK:
                yield bytes(held)
                held.clear()
    yield bytes(held)


def dumped(client: Any, keys: list[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    """Keys with their serialized value and the time at which they expire (0 for never). Those that went meanwhile are left out."""
    pipeline = client.pipeline(transaction=False)
    pipeline.time()
    for key in keys:
        pipeline.dump(key)
        pipeline.pttl(key)
    (seconds, micros), *answers = pipeline.execute()
    for key, payload, left in zip(keys, answers[::2], answers[1::2], strict=False):
        if payload is not None and left != -2:
            yield key, payload, 0 if left < 0 else seconds * 1000 + micros // 1000 + left


def payload_version(client: Any) -> int | None:
    """The version of the form in which a server serializes keys, and the highest that it reads. None before Redis 7, and where it does not tell.

    client: one for bytes.
    """
    try:
        # Whatever functions there are, the version is behind them, before a checksum of 8 bytes.
        return int.from_bytes(client.execute_command("FUNCTION", "DUMP")[-10:-8], "little")
    except library().exceptions.ResponseError:
        return None


def resp(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def check(path: Path, runner: Runner) -> int:
    """Have redis-check-rdb read a snapshot; how many keys are in it."""
    done = runner.run(["redis-check-rdb", str(path)], timeout=6 * 3600, check=False)
    keys = KEYS_READ.search(done.stdout)
    if done.rc != 0 or keys is None:
        raise failed(done, "redis-check-rdb")
    return int(keys[1])
