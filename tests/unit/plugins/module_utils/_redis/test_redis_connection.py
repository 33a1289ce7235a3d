# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS to a Redis server: certificates of managed servers as they are, and nobody else's."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._redis.connection import Connection
from localcloud.certificates import Authority


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server at 127.0.0.1 whose certificate has no Authority Key Identifier, and a Python that wants one, as it does from 3.13 on; the port."""
    plain = ssl.create_default_context

    def strict(*arguments: Any, **more: Any) -> ssl.SSLContext:
        context = plain(*arguments, **more)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authorities = {name: tmp_path / name for name in ("own", "other")}
    for folder in authorities.values():
        folder.mkdir()
    certificate, key = Authority(authorities["own"]).issue("127.0.0.1")
    Authority(authorities["other"])
    (tmp_path / "server.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _peer = listener.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(accepted, server_side=True):
                pass

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def connect(port: int, authority: Path, mode: str = "verify-full", host: str = "127.0.0.1") -> None:
    client = Connection(host, port, "default", None, mode, str(authority / "ca.crt"))._client(binary=False)
    client.connection_pool.make_connection()._connect().close()


def test_a_certificate_of_a_managed_server_is_taken_and_another_authority_s_is_not(server: int, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match="Missing Authority Key Identifier"), socket.create_connection(("127.0.0.1", server)) as there:
        ssl.create_default_context(cafile=str(tmp_path / "own" / "ca.crt")).wrap_socket(there, server_hostname="127.0.0.1")
    connect(server, tmp_path / "own")
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        connect(server, tmp_path / "other")
    with pytest.raises(ssl.SSLError, match=r"Hostname mismatch|not valid for"):
        connect(server, tmp_path / "own", host="localhost")
    connect(server, tmp_path / "other", mode="require")


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"Cannot read the certificate authority .*/nothing/ca\.crt"):
        connect(1, tmp_path / "nothing")
