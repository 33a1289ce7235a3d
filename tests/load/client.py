# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bounded HTTP load that never retries and counts every failure.

::

    python -m tests.load.client http://127.0.0.1:8080/health/ready --seconds 10 --connections 16

Each connection is kept alive and sends one request after the other, GET or POST. Whatever a client would notice counts: a refused
connection, a reset, an answer cut short, a timeout, a status of 500 or more. A connection that the server closes while nothing is in
flight is no failed request; it is counted apart, as ``idle_closes``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LONGEST_SECONDS = 600.0
MOST_CONNECTIONS = 256
REQUEST_TIMEOUT = 15.0


@dataclass(frozen=True)
class Load:
    """What to send. post_share: part of the requests that are POSTs. pause: seconds between two requests of a connection."""

    url: str
    seconds: float = 10.0
    connections: int = 16
    post_path: str | None = None
    post_body: str = '{"item": "load", "quantity": 1}'
    post_share: float = 0.25
    pause: float = 0.02
    host: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= LONGEST_SECONDS or not 1 <= self.connections <= MOST_CONNECTIONS:
            raise ValueError(f"a load is bounded: at most {LONGEST_SECONDS:g} seconds and {MOST_CONNECTIONS} connections")


@dataclass
class Report:
    """What came of it. releases: answers by the release that gave them. failures: by kind."""

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    idle_closes: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def as_dict(self) -> dict[str, object]:
        times = sorted(self.times) or [0.0]
        return {
            "requests": self.requests,
            "failed": self.failed,
            "failures": dict(self.failures),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "releases": dict(self.releases),
            "idle_closes": self.idle_closes,
            "p50_ms": round(times[len(times) // 2] * 1000, 2),
            "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
            "slowest_ms": round(times[-1] * 1000, 2),
        }


class Generator:
    """Sends a load until its time is over or it is told to stop."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._stop = asyncio.Event()
        url = urlsplit(load.url)
        self._address = (url.hostname or "127.0.0.1", url.port or 80)
        path = url.path or "/"
        host = load.host or url.netloc
        self._get = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        body = load.post_body.encode()
        head = f"POST {load.post_path or path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._post = head.encode() + body
        self.report = Report()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> Report:
        deadline = time.monotonic() + self._load.seconds
        await asyncio.gather(*(self._connection(number, deadline) for number in range(self._load.connections)))
        return self.report

    async def _connection(self, number: int, deadline: float) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        count = number  # connections start at different places, so that POSTs are spread
        while not self._stop.is_set() and time.monotonic() < deadline:
            if streams and streams[0].at_eof():
                self.report.idle_closes += 1
                _close(streams)
                streams = None
            count += 1
            post = self._load.post_share > 0 and count % max(round(1 / self._load.post_share), 1) == 0
            began = time.monotonic()
            self.report.requests += 1
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    if streams is None:
                        streams = await asyncio.open_connection(*self._address)
                    status, headers = await _exchange(streams, self._post if post else self._get)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                self.report.failures[type(error).__name__] += 1
                _close(streams)
                streams = None
            else:
                self.report.statuses[status] += 1
                if status >= 500:
                    self.report.failures[f"HTTP {status}"] += 1
                if "x-release" in headers:
                    self.report.releases[headers["x-release"]] += 1
                if headers.get("connection", "").lower() == "close":
                    _close(streams)
                    streams = None
            finally:
                self.report.times.append(time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._load.pause)
        _close(streams)


@contextmanager
def sent(load: Load) -> Iterator[Report]:
    """Requests while the body runs; the report is complete afterwards."""
    generator = Generator(load)
    thread = threading.Thread(target=lambda: asyncio.run(generator.run()))
    thread.start()
    try:
        yield generator.report
    finally:
        generator.stop()
        thread.join()


async def _exchange(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> tuple[int, dict[str, str]]:
    reader, writer = streams
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split()[1]), headers


def _close(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None) -> None:
    if streams:
        streams[1].close()


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report as JSON; 1 when a request failed."""
    parser = argparse.ArgumentParser(description="Send a bounded load that never retries, and count every failure.")
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--post-path", help="path of the POSTs; the URL's own without it")
    parser.add_argument("--post-body", default=Load.post_body)
    parser.add_argument("--post-share", type=float, default=Load.post_share, help="part of the requests that are POSTs")
    parser.add_argument("--pause", type=float, default=Load.pause, help="seconds between two requests of a connection")
    parser.add_argument("--host", help="host name to send, where it differs from the URL's")
    load = Load(**vars(parser.parse_args(argv)))

    async def run() -> Report:
        return await Generator(load).run()

    report = asyncio.run(run())
    print(json.dumps(report.as_dict(), indent=1))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
