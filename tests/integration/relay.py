# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP relay in front of a server that passes its answers on only while a condition holds: a server that is never too fast."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

LOOK = 0.01


@contextmanager
def relay(port: int, may: Callable[[], bool]) -> Iterator[int]:
    """The port of a relay to a port of this host. ``may`` is asked before each 64 KiB of an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, port, may), daemon=True).start()
        yield listening.getsockname()[1]
        # A thread that waits in accept() keeps a socket that is closed alive.
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, port: int, may: Callable[[], bool]) -> None:
    with suppress(OSError):
        while True:
            client, _address = listening.accept()
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=_pump, args=(client, server, lambda: True), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, may), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, may: Callable[[], bool]) -> None:
    with suppress(OSError):
        while data := source.recv(64 * 1024):
            while not may():
                time.sleep(LOOK)
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
