# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of an S3 server that goes wrong by script: what a network, a throttled or a broken store does, request by request."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>by script</Message></Error>'


@dataclass
class Rule:
    """What happens to the requests that match. ``times``: how often; None for always. ``hits`` counts."""

    method: str
    matches: Callable[[str], bool]
    act: str
    times: int | None = None
    status: int = 503
    code: str = "SlowDown"
    seconds: float = 0.0
    hits: int = 0


def part(path: str) -> bool:
    return "partNumber=" in path


def completion(path: str) -> bool:
    return "uploadId=" in path and "partNumber=" not in path


def begin(path: str) -> bool:
    return path.endswith("?uploads") or "?uploads=" in path


def data(path: str) -> bool:
    return "/data/" in path


def manifest(path: str) -> bool:
    return path.endswith("/manifest.json")


class Proxy(ThreadingHTTPServer):
    """``rules`` may be changed at any time; the first that matches decides."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream)
        self.rules: list[Rule] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def rule(self, method: str, path: str) -> Rule | None:
        with self._lock:
            for rule in self.rules:
                if rule.method == method and rule.matches(path) and (rule.times is None or rule.hits < rule.times):
                    rule.hits += 1
                    return rule
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is no news here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def _serve(self) -> None:
        rule = self.server.rule(self.command, self.path)
        act = rule.act if rule else "pass"
        if rule and act == "slow":
            time.sleep(rule.seconds)
        if rule and act == "trickle":
            while self.rfile.read(1024):
                time.sleep(1.0)
            return None
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if rule and act == "error":
            return self._answer(rule.status, {"Content-Type": "application/xml"}, ERROR.format(rule.code).encode())
        if rule and act == "accept":  # without doing it
            return self._answer(200, {"ETag": '"accepted"'}, b"")
        if rule and act == "reset":
            self.close_connection = True
            return None
        # The host is a part of what is signed, so it goes on as it came.
        upstream = http.client.HTTPConnection(self.server.upstream.hostname or "", self.server.upstream.port, timeout=60)
        try:
            upstream.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if act == "lost":
            self.close_connection = True
            return None
        if act == "flip":
            content = content[:-1] + bytes([content[-1] ^ 1])
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in ("transfer-encoding", "connection", "content-length")}
        length = int(answer.getheader("Content-Length") or len(content)) if self.command == "HEAD" else len(content)
        if act == "cut":
            self.close_connection = True
            content = content[: len(content) // 2]
        return self._answer(answer.status, headers, content, length)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _answer(self, status: int, headers: dict[str, str], content: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    server = Proxy(upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
