# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many jobs wait in BullMQ's queues, read from Redis or Valkey with the few commands that takes; no package is needed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.scaling import Backlog, Queue

TIMEOUT = 5.0
# What a worker could take now; a delayed job is nobody's work yet. Which type a key has depends on BullMQ's version.
STATES = ("wait", "paused", "prioritized")
LENGTHS = {"list": "LLEN", "zset": "ZCARD", "set": "SCARD", "stream": "XLEN"}


class Redis:
    """A connection that asks and waits for the answer (RESP2)."""

    def __init__(self, stream: socket.socket, where: str) -> None:
        self._stream = stream
        self._lines = stream.makefile("rb")
        self._where = where

    def call(self, *words: str | int) -> Any:
        parts = [str(word).encode() for word in words]
        self._stream.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self._answer(str(words[0]))

    def _answer(self, command: str) -> Any:
        line = self._lines.readline()
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise OpsError(f"Redis at {self._where} refused {command}: {rest}")
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._lines.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._answer(command) for _each in range(int(rest))]
        raise OpsError(f"What answers at {self._where} is not Redis, or went away.")


@contextmanager
def connect(url: str, ca_file: str | None) -> Iterator[Redis]:
    """A connection to redis://, or verified TLS to rediss://. No error holds the URL, which holds a password."""
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 6379
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as plain:
            tls = address.scheme in ("rediss", "valkeys")
            stream = ssl.create_default_context(cafile=ca_file).wrap_socket(plain, server_hostname=host) if tls else plain
            with stream:
                redis = Redis(stream, where)
                if address.password:
                    redis.call("AUTH", *([unquote(address.username)] if address.username else []), unquote(address.password))
                if address.path.strip("/"):
                    redis.call("SELECT", address.path.strip("/"))
                yield redis
    except OSError as error:
        raise OpsError(f"Redis at {where} cannot be asked: {error}. Check its address, its trusted sources and the authority's certificate.") from error


def backlog(redis: Redis, queue: Queue) -> Backlog:
    """Over all queues of a worker."""
    now = float(redis.call("TIME")[0])
    jobs, oldest = 0, now
    for name in queue.names:
        for state in STATES:
            key = f"{queue.prefix}:{name}:{state}"
            kind = redis.call("TYPE", key)
            if kind == "none":
                continue
            if kind not in LENGTHS:
                raise OpsError(f"The key {key} is a {kind}, which no version of BullMQ keeps jobs in. Correct the queue's name or prefix.")
            jobs += redis.call(LENGTHS[kind], key)
            first = {"list": ("LINDEX", key, -1), "zset": ("ZRANGE", key, 0, 0)}.get(kind)
            if first and state != "paused":
                oldest = min(oldest, _since(redis, f"{queue.prefix}:{name}", redis.call(*first), now))
    return Backlog(jobs, max(now - oldest, 0.0))


def _since(redis: Redis, queue: str, job: Any, now: float) -> float:
    """When the job could first have been taken."""
    identity = (job[0] if job else None) if isinstance(job, Sequence) and not isinstance(job, str) else job
    added, delay = redis.call("HMGET", f"{queue}:{identity}", "timestamp", "delay") if identity else (None, None)
    return (float(added) + float(delay or 0)) / 1000 if added else now
