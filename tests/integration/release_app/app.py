# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that is as rude as one can be: it exits at once when it is told to end."""

import json
import os
import signal
import sys
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
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = 503 if os.environ.get("SICK") and self.path.startswith("/health") else 200
        secret = "/run/secrets/api_key"
        body = {"release": RELEASE, "greeting": os.environ.get("GREETING"), "secret": os.path.exists(secret)}
        if self.path == "/slow":
            time.sleep(0.3)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Release", RELEASE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_arguments: object) -> None:
        """Say nothing about single requests."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if os.environ.get("MODE") == "worker":
    signal.signal(signal.SIGTERM, finish_job)
    while True:
        time.sleep(1)
signal.signal(signal.SIGTERM, lambda _signal, _frame: os._exit(0))
Server(("0.0.0.0", 3000), Handler).serve_forever()
