# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time server (NTP) that says this machine's time, on its loopback address."""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ADDRESS = ("127.0.0.1", 123)
# Seconds from 1900, where NTP counts from, to 1970.
EPOCH = 2_208_988_800
SERVER_OF_VERSION_4 = 0x24


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        asked, socket = self.request
        now = int((time.time() + EPOCH) * 2**32)
        # Of stratum 1, asked each 64 s, exact to a microsecond, without any delay. The time that was asked at comes back.
        answer = struct.pack("!BBbb2I4sQ8sQQ", SERVER_OF_VERSION_4, 1, 6, -20, 0, 0, b"TEST", now, asked[40:48], now, now)
        socket.sendto(answer, self.client_address)


@contextmanager
def time_server() -> Iterator[None]:
    """Needs root, and a machine that serves no time itself."""
    with socketserver.UDPServer(ADDRESS, _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
