# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers of the sample application, who never stop ordering and showing their receipts, and carriers, who verify passes by the keys that it publishes."""

from __future__ import annotations

import base64
import http.client
import json
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TIMEOUT = 20.0
MARGIN = 1.0  # of a token's last second nobody knows on which side of it an answer was made
MOST = 200_000  # requests, and then nobody asks any more


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    cache: str = ""  # its Cache-Control


Ask = Callable[[str, str, str, Any], Answer]


def ask(host: str, method: str, path: str, body: Any = None) -> Answer:
    """One request on a connection of its own."""
    with closing(http.client.HTTPConnection(host, timeout=TIMEOUT)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), {"Connection": "close"})
        answer = connection.getresponse()
        return Answer(answer.status, json.loads(answer.read()), answer.headers["Cache-Control"] or "")


@dataclass(frozen=True)
class Papers:
    """What comes with an order: a receipt that the shop verifies, and a pass that a carrier does."""

    receipt: str
    carrier: str

    def alive(self) -> bool:
        """Whether both have to be accepted now."""
        return all(time.time() < expires(token) - MARGIN for token in (self.receipt, self.carrier))


def expires(token: str) -> float:
    body = token.split(".")[1]
    return float(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"])


class Carrier:
    """Knows the published keys alone: keeps them as long as it is allowed, and asks no earlier, whatever pass it is shown."""

    def __init__(self) -> None:
        self._keys: KeySet | None = None
        self._until = 0.0

    @property
    def needs_keys(self) -> bool:
        return time.monotonic() >= self._until

    def take(self, published: Answer, asked: float) -> None:
        """asked: by the monotonic clock, before the answer came."""
        allowed = re.search(r"max-age=(\d+)", published.cache)
        assert allowed, published.cache
        self._keys = KeySet.import_key_set(published.body)
        self._until = asked + int(allowed[1])

    def accepts(self, token: str) -> bool:
        assert self._keys is not None
        try:
            jwt.decode(token, self._keys)
        except (JoseError, ValueError):
            return False
        return True


class Customers:
    """Threads that order, look at their orders, and have papers verified that they got just now or a while ago, each time by some host."""

    def __init__(self, hosts: Sequence[str], asks: Ask = ask, pause: float = 0.2) -> None:
        self._hosts = list(hosts)
        self._ask = asks
        self._pause = pause
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._papers: deque[Papers] = deque(maxlen=100)
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    @contextmanager
    def running(self, threads: int = 3) -> Iterator[Customers]:
        working = [threading.Thread(target=self._work, daemon=True) for _thread in range(threads)]
        for thread in working:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in working:
                thread.join(2 * TIMEOUT)

    def visit(self, carrier: Carrier) -> None:
        """One order and what follows from it."""
        order = self._request("POST", "/orders", {"item": "anvil", "quantity": 1}, 201)
        if order is None:
            return
        mine = Papers(order.body["receipt"], order.body["pass"])
        self._papers.append(mine)
        self._request("GET", f"/orders/{order.body['id']}")
        older = [papers for papers in list(self._papers) if papers.alive()]  # the others nobody has to accept
        for papers in (mine, random.choice(older or [mine])):
            self._show(papers, carrier)

    def _work(self) -> None:
        carrier = Carrier()
        while not self._stop.is_set() and self.done.total() < MOST:
            self.visit(carrier)
            self._stop.wait(self._pause)

    def _show(self, papers: Papers, carrier: Carrier) -> None:
        if not papers.alive():
            return
        verified = self._request("POST", "/receipts/verify", {"receipt": papers.receipt}, 200, 401)
        if verified is not None and papers.alive():
            self._count("receipt", verified.status == 200)
        if carrier.needs_keys:
            asked = time.monotonic()
            published = self._request("GET", "/.well-known/jwks.json")
            if published is not None:
                carrier.take(published, asked)
        if not carrier.needs_keys and papers.alive():
            self._count("pass", carrier.accepts(papers.carrier))

    def _request(self, method: str, path: str, body: Any = None, *statuses: int) -> Answer | None:
        """An answer with one of the statuses that are none of a failed request, 200 by default."""
        try:
            answer = self._ask(random.choice(self._hosts), method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._count(f"request: {type(error).__name__}", False)
            return None
        well = answer.status in (statuses or (200,))
        self._count("request" if well else f"request: HTTP {answer.status}", well)
        return answer if well else None

    def _count(self, what: str, well: bool) -> None:
        with self._lock:
            (self.done if well else self.failed)[what] += 1
