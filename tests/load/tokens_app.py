# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application whose instances sign tokens for each other, by a JOSE library that knows nothing of ours, and clients that never stop using them."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import keys, policy
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret

LIFETIME = 1.0


class Instance:
    """GET /token signs one, GET /orders wants one. published: it verifies by the JSON Web Key Set alone, and signs nothing."""

    def __init__(self, secret: Secret, *, published: bool = False) -> None:
        self._published = published
        self.switch(secret)
        instance = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else the body waits for the client's word about the head

            def do_GET(self) -> None:
                status, body = (200, instance.signed()) if self.path == "/token" else (instance.status(self.headers["Authorization"]), "")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_arguments: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def switch(self, secret: Secret) -> None:
        """Read the secret as it is in the store now; what it acknowledges."""
        given = json.loads(policy.keyset(secret))
        accepted = json.loads(keys.jwks(policy.accepted_keys(secret))) if self._published else {"keys": given["keys"]}
        self.uses(given["sign"], accepted)
        self.fingerprint = policy.consumed_fingerprint(secret)

    def uses(self, sign: str, accepted: Any) -> None:
        """accepted: a JSON Web Key Set."""
        self._keys = (sign, KeySet.import_key_set(accepted))

    def signed(self) -> str:
        sign, accepted = self._keys
        key = accepted.get_by_kid(sign)
        return jwt.encode({"alg": key.alg or "HS256", "kid": sign}, {"iat": time.time()}, key)

    def status(self, authorization: str) -> int:
        _sign, accepted = self._keys
        try:
            jwt.decode(authorization.removeprefix("Bearer "), accepted)
        except (JoseError, ValueError):
            return 401
        return 200

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Clients:
    """Take a token from one instance and show it, and tokens from before, to others; what is refused while it lives is a failed request."""

    def __init__(self, signers: list[Instance], verifiers: list[Instance], most: int) -> None:
        self._signers = signers
        self._verifiers = verifiers
        self._most = most
        self.accepted = 0
        self.refused = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tokens: deque[tuple[float, str]] = deque(maxlen=2000)

    @contextmanager
    def running(self, workers: int = 4) -> Iterator[Clients]:
        threads = [threading.Thread(target=self._work, daemon=True) for _worker in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(30)

    def _work(self) -> None:
        chance = random.Random()  # an order of its own, of no other importance
        open_to = {each.port: http.client.HTTPConnection("127.0.0.1", each.port, timeout=30) for each in {*self._signers, *self._verifiers}}
        while not self._stop.is_set() and self.accepted < self._most:
            before = time.time()  # so that a token is held for older than it is
            status, token = _asked(open_to[chance.choice(self._signers).port], "/token")
            if status != 200:
                raise RuntimeError(f"no token: {status}")
            self._tokens.append((before, token))
            for made, shown in ((before, token), chance.choice(list(self._tokens))):
                if time.time() - made > LIFETIME:
                    continue
                status, _body = _asked(open_to[chance.choice(self._verifiers).port], "/orders", shown)
                # It may have grown too old on the way.
                failed = status != 200 and time.time() - made <= LIFETIME
                with self._lock:
                    self.accepted += status == 200
                    self.refused += failed


def _asked(connection: http.client.HTTPConnection, path: str, token: str = "") -> tuple[int, str]:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
