# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP probes without any retry: what a slot, or the proxy, answers right now."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Answer, Health

REQUEST_TIMEOUT = 5.0
LONGEST_TEXT = 4 * 1024 * 1024


class HttpProbe:
    """The probe port.

    proxy_url: where the application answers through the proxy on this host.
    proxy_host: the name sent with it, where the proxy tells applications apart by name.
    """

    def __init__(self, proxy_url: str, proxy_host: str | None, health: Health, clock: Clock) -> None:
        self._proxy = urlsplit(proxy_url)
        self._proxy_host = proxy_host
        self._health = health
        self._clock = clock

    def verify(self, ports: Sequence[int], health: Health, release: str) -> None:
        deadline = self._clock.monotonic() + health.timeout
        for port in ports:
            good, last = 0, Answer(0, error="not asked yet")
            while good < health.successes:
                last = self._ask("127.0.0.1", port, health)
                good = good + 1 if 200 <= last.status < 300 and last.release == release else 0
                if good < health.successes:
                    if self._clock.monotonic() >= deadline:
                        raise OpsError(
                            f"Release {release} did not become healthy within {health.timeout:g} s: {health.path} on 127.0.0.1:{port} last gave {last};"
                            f" needed are {health.successes} good answers in a row from that release.",
                            last_answer=str(last),
                        )
                    self._clock.sleep(health.interval)

    def measure(self, port: int, health: Health, release: str) -> tuple[bool, float]:
        began = self._clock.monotonic()
        answer = self._ask("127.0.0.1", port, health)
        return 200 <= answer.status < 300 and answer.release == release, (self._clock.monotonic() - began) * 1000

    def through_proxy(self) -> tuple[Answer, float]:
        """What answers there, and after how many milliseconds."""
        began = self._clock.monotonic()
        return self.serving(), (self._clock.monotonic() - began) * 1000

    def serving(self) -> Answer:
        return self._ask(self._proxy.hostname or "127.0.0.1", self._proxy.port or 80, self._health, self._proxy_host)

    def _ask(self, address: str, port: int, health: Health, host: str | None = None) -> Answer:
        headers = {"Host": host} if host else {}
        try:
            status, served, _body = _get(address, port, health.path, headers)
            if 200 <= status < 300 and served is None:
                served = _named(_get(address, port, health.release_path, headers)[2])
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, error=f"{type(error).__name__}: {error}")
        return Answer(status, served)


def read_text(port: int, path: str) -> str:
    """What a replica shows on a path. Raises OpsError when it shows nothing."""
    try:
        status, _release, body = _get("127.0.0.1", port, path, {}, LONGEST_TEXT)
    except (OSError, http.client.HTTPException) as error:
        raise OpsError(f"{path} on 127.0.0.1:{port} cannot be read: {type(error).__name__}: {error}") from error
    if status != 200:
        raise OpsError(f"{path} on 127.0.0.1:{port} gave HTTP {status}")
    return body.decode("utf-8", "replace")


def _get(address: str, port: int, path: str, headers: dict[str, str], most: int = 65536) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(address, port, timeout=REQUEST_TIMEOUT)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.getheader("X-Release"), response.read(most)
    finally:
        connection.close()


def _named(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return str(answer["release"]) if isinstance(answer, dict) and "release" in answer else None
