# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that is as rude as one can be: it exits at once when it is told to end.

GRACEFUL=1 lets it finish what is in flight first, START_SECONDS has it listen late, SLOW_SECONDS is how long /slow takes. /socket is a
WebSocket that ticks until it is cut.
"""

import base64
import hashlib
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RELEASE = os.environ.get("RELEASE_ID", "unknown")


def finish_job(_signal: int, _frame: object) -> None:
    time.sleep(float(os.environ.get("JOB_SECONDS", "0")))
    print("job finished", flush=True)
    sys.exit(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.tick()
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = 503 if os.environ.get("SICK") and self.path.startswith("/health") else 200
        secret = "/run/secrets/api_key"
        body = {"release": RELEASE, "greeting": os.environ.get("GREETING"), "secret": os.path.exists(secret)}
        time.sleep(float(os.environ.get("DELAY_SECONDS", "0")))
        if self.path == "/slow":
            time.sleep(float(os.environ.get("SLOW_SECONDS", "0.3")))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Release", RELEASE)
        self.send_header("Content-Length", str(len(text)))
        if draining.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def tick(self) -> None:
        """RFC 6455, the server's side of a connection on which only the server speaks."""
        accepted = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accepted).decode())
        self.end_headers()
        self.close_connection = True
        text = RELEASE.encode()
        try:
            while True:
                self.wfile.write(bytes((0x81, len(text))) + text)
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            return

    do_GET = do_POST = answer

    def log_message(self, *_arguments: object) -> None:
        """Say nothing about single requests."""


draining = threading.Event()


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if os.environ.get("MODE") == "worker":
    signal.signal(signal.SIGTERM, finish_job)
    while True:
        time.sleep(1)


def end(_signal: int, _frame: object) -> None:
    if not os.environ.get("GRACEFUL"):
        os._exit(0)
    draining.set()
    threading.Timer(2.0, os._exit, (0,)).start()


signal.signal(signal.SIGTERM, end)
time.sleep(float(os.environ.get("START_SECONDS", "0")))
Server(("0.0.0.0", 3000), Handler).serve_forever()
