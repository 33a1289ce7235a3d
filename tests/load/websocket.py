# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket that listens until it is cut."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading


class Listener:
    """Connects at once and counts in the background what it hears."""

    def __init__(self, address: str, path: str = "/socket") -> None:
        self._socket = socket.create_connection((address, 80), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        asked = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
        self._socket.sendall("\r\n".join((f"GET {path} HTTP/1.1", f"Host: {address}", *asked, "", "")).encode())
        answer = self._socket.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        self.messages = 0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            while self._socket.recv(4096):
                self.messages += 1
        except OSError:
            return

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
