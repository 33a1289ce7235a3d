# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service asked over HTTP, as anybody could: a bounded number of GETs, one OPTIONS and one TRACE."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Undeclared, Unread, gather
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._web import audit

DAY = 86400.0
TIMEOUT = 5.0
STRANGER = "https://audit.invalid"
DOCUMENTATION = ("/api-docs", "/api/docs", "/docs", "/swagger", "/swagger-ui", "/swagger-ui.html", "/openapi.json", "/swagger.json", "/redoc")
MISSING = "/groundcrew-audit-of-an-address-that-does-not-exist"
REQUESTS_AT_MOST = 1000


class Service:
    """A service at an address. connect_to: ask this host instead of the one that the address names, as curl --connect-to does."""

    def __init__(self, url: str, host: str | None, ca_cert: str | None, clock: Clock) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OpsError(f"{url!r} is no address of a service: write it as https://shop.example.com.")
        self.scheme = parts.scheme
        self._address = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._name = host or parts.hostname
        self._base = parts.path.rstrip("/")
        self._ca_cert = ca_cert
        self._clock = clock

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """The answer, read whole; a redirect is an answer. Certificates are a question of their own, so none is refused here."""
        connection: http.client.HTTPConnection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT)
        if self.scheme == "https":
            connection.sock = self._handshake(_unchecked())
        try:
            connection.request(method, f"{self._base}{path}", headers={"Host": self._name, "User-Agent": "groundcrew.ops audit", **(headers or {})})
            response = connection.getresponse()
            response.text = response.read(65536).decode(errors="replace")  # type: ignore[attr-defined]
            return response
        except http.client.HTTPException as error:
            raise OpsError(f"{method} {path} was answered with something that is not HTTP: {error!r}") from error
        finally:
            connection.close()

    def plain(self) -> dict[str, Any]:
        """What port 80 of the same host answers; 0 is nothing."""
        connection = http.client.HTTPConnection(self._address[0], 80, timeout=TIMEOUT)
        try:
            connection.request("GET", f"{self._base}/", headers={"Host": self._name})
            response = connection.getresponse()
            return {"status": response.status, "location": response.getheader("Location", "")}
        except (OSError, http.client.HTTPException):
            return {"status": 0, "location": ""}
        finally:
            connection.close()

    def tls(self) -> dict[str, Any]:
        """Whether a client that checks is let in, and what it sees."""
        self._needs_tls()
        try:
            with self._handshake(ssl.create_default_context(cafile=self._ca_cert)) as stream:
                return {"problem": "", "protocol": stream.version(), "certificate": stream.getpeercert()}
        except ssl.SSLCertVerificationError as error:
            return {"problem": f"A client that checks refuses it: {error.verify_message}.", "protocol": None, "certificate": None}

    def certificate_days(self) -> float:
        seen = self.tls()
        if seen["problem"]:
            raise OpsError(f"only a valid certificate tells its end: {seen['problem']}")
        return (ssl.cert_time_to_seconds(seen["certificate"]["notAfter"]) - self._clock.now()) / DAY

    def old_protocols(self) -> list[str]:
        self._needs_tls()
        return [name for name, version in (("TLS 1.0", ssl.TLSVersion.TLSv1), ("TLS 1.1", ssl.TLSVersion.TLSv1_1)) if self._accepts(version)]

    def _accepts(self, version: ssl.TLSVersion) -> bool:
        context = _unchecked()
        context.set_ciphers("ALL:@SECLEVEL=0")  # our own library would refuse before the server is asked
        context.minimum_version = context.maximum_version = version
        try:
            with self._handshake(context):
                return True
        except (ssl.SSLError, ConnectionResetError):
            return False

    def _handshake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = socket.create_connection(self._address, timeout=TIMEOUT)
        try:
            return context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise

    def _needs_tls(self) -> None:
        if self.scheme != "https":
            raise OpsError("the address is plain HTTP")


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reads no authorities, which would take longer than the question
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def audit_web(params: Mapping[str, Any], clock: Clock | None = None) -> dict[str, Any]:
    """The question that the module web_audit answers."""
    service = Service(params["url"], params["host"], params["ca_cert"], clock or Clock())
    found = audit.CATALOG.examine(params["subject"], facts(service, params))
    return {"findings": [each.as_dict() for each in found]}


def facts(service: Service, params: Mapping[str, Any]) -> dict[str, Any]:
    path = params["path"]
    told = gather(
        {
            "answer": lambda: service.ask("GET", path),
            "plain": service.plain,
            "tls": service.tls,
            "certificate_days": service.certificate_days,
            "old_protocols": service.old_protocols,
            "allowed_origin": lambda: (
                service.ask("OPTIONS", path, _preflight()).getheader("Access-Control-Allow-Origin")
                or service.ask("GET", path, {"Origin": STRANGER}).getheader("Access-Control-Allow-Origin", "")
            ),
            "shown_documentation": lambda: [each for each in DOCUMENTATION if 200 <= service.ask("GET", each).status < 300],
            "trace_status": lambda: service.ask("TRACE", "/").status,
            "error_text": lambda: service.ask("GET", MISSING).text,  # type: ignore[attr-defined]
            "health_statuses": lambda: {each: _status(service, each) for each in params["health_paths"]},
        }
    )
    answer = told.pop("answer")
    unread = isinstance(answer, Unread)
    return {
        **told,
        "scheme": service.scheme,
        "headers": answer if unread else {name.lower(): value for name, value in answer.getheaders()},
        "set_cookies": answer if unread else answer.headers.get_all("Set-Cookie") or [],
        "strange_origin": STRANGER,
        "min_certificate_days": params["min_certificate_days"],
        # After everything else: it makes the service refuse us.
        "answered": gather({"answered": lambda: _many(service, params)})["answered"]
        if params["rate_limit_requests"]
        else Undeclared("nobody allowed requests for it (rate_limit_requests)"),
    }


def _preflight() -> dict[str, str]:
    return {"Origin": STRANGER, "Access-Control-Request-Method": "POST"}


def _status(service: Service, path: str) -> int:
    try:
        return service.ask("GET", path).status
    except (OSError, OpsError):
        return 0


def _many(service: Service, params: Mapping[str, Any]) -> dict[int, int]:
    """Requests until the first is refused, as many as were allowed."""
    statuses: Counter[int] = Counter()
    for _number in range(min(params["rate_limit_requests"], REQUESTS_AT_MOST)):
        statuses[service.ask("GET", params["rate_limit_path"] or params["path"]).status] += 1
        if 429 in statuses:
            break
    return dict(statuses)
