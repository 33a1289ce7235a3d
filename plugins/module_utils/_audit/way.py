# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a server, step by step: each is looked at only when the one before it is right, so the first that is wrong is the cause."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, Unread
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

TIMEOUT = 5.0
_SECRETS = (
    (re.compile(r"(://[^/@\s:]*:)[^/@\s]+@"), r"\1<secret>@"),
    (re.compile(r"(?i)((?:password|passwd|secret|token|key)\S*?\s*[=:]\s*)\S+"), r"\1<secret>"),
)


def redact(text: str) -> str:
    """What a program said, without what looks like a secret."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def walk(steps: Mapping[str, Callable[[], str]]) -> dict[str, Told | Unread]:
    """Each step says what was seen, or raises OpsError; those behind one that is wrong are not looked at."""
    facts: dict[str, Told | Unread] = {}
    wrong = ""
    for name, step in steps.items():
        if wrong:
            facts[name] = Unread(f"{wrong} has to be right first")
            continue
        try:
            facts[name] = (True, step())
        except OpsError as error:
            facts[name], wrong = (False, redact(error.message)), name
    return facts


def ask_the_way(catalog: Catalog) -> None:
    """The checks of the steps that every server has in common."""

    @catalog.check("critical", "The server's name is known here", "Correct the name, or the resolver: getent ahosts NAME, /etc/resolv.conf.")
    def dns(dns: Told) -> Told:
        return dns

    @catalog.check("critical", "There is a way to the server", "ip route get ADDRESS says what is missing; look at the interfaces and the private network.")
    def route(route: Told) -> Told:
        return route

    @catalog.check("critical", "The server lets this host come near", "Add the host or its tag to the trusted sources, and look at the firewalls between.")
    def trusted_sources(trusted_sources: Told) -> Told:
        return trusted_sources

    @catalog.check("critical", "Something listens at the port", "Start the server, or correct the port; the state of a managed cluster is in its panel.")
    def port(listens: Told) -> Told:
        return listens

    @catalog.check("critical", "TLS is as asked for", "Correct ssl_mode, the server's name, or the file with its authority (ca_cert).")
    def tls(tls: Told) -> Told:
        return tls


def round_trip_ms(ask: Callable[[], object]) -> float:
    """How long an answer takes at best."""

    def taken() -> float:
        began = time.monotonic()
        ask()
        return 1000 * (time.monotonic() - began)

    return min(taken() for _attempt in range(5))


class Way:
    """To one port of one host, with what the last attempt came to."""

    def __init__(self, host: str, port: int, runner: Runner | None = None) -> None:
        self.host, self.port = host, port
        self._runner = runner or Runner()
        self._addresses = [host]
        self._address = host
        self._here = ""
        self._refused = False

    def steps(self) -> dict[str, Callable[[], str]]:
        return {"dns": self.dns, "route": self.route, "trusted_sources": self.trusted_sources, "listens": self.listens}

    def dns(self) -> str:
        done = self._runner.run(["getent", "ahosts", self.host], timeout=TIMEOUT, check=False)
        self._addresses = list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines() if line.strip()))
        if not self._addresses:
            raise OpsError(f"No address is known for {self.host}.")
        return f"{self.host} is {', '.join(self._addresses)}."

    def route(self) -> str:
        """To the first of the addresses that there is a way to."""
        said = ""
        for address in self._addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    # A socket for datagrams is given its own address when it learns where to; nothing is sent.
                    probe.connect((address, self.port))
                except OSError as error:
                    said = f"This host has no way to {address}: {error.strerror}."
                    continue
                self._address, self._here = address, probe.getsockname()[0]
                return f"From {self._here} to {address}."
        raise OpsError(said)

    def trusted_sources(self) -> str:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            self._refused = True
            return f"{self._address} answers, and refuses the port."
        except OSError as error:
            raise OpsError(f"{self._address}, port {self.port}, lets {self._here} nowhere near: {error.strerror or error}.") from error
        return f"{self._address} answers {self._here}."

    def listens(self) -> str:
        if self._refused:
            raise OpsError(f"Nothing listens at port {self.port} of {self._address}.")
        return f"Port {self.port} is open."

    def connect(self) -> socket.socket:
        return socket.create_connection((self._address, self.port), timeout=TIMEOUT)
