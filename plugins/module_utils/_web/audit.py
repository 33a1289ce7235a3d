# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service answers to everybody, against the security checklists. Pure. How it is asked: ``audit_facts``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._audit.catalog import Catalog, Told, nothing_of

CATALOG = Catalog("web")
check = CATALOG.check
HALF_A_YEAR = 15552000
APPLICATION = "Correct it in the application, or where TLS ends."
Headers = Mapping[str, str]


@check("high", "It is reached over TLS alone", "End TLS in front of it, and answer plain HTTP with a redirect.")
def https(scheme: str, plain: Mapping[str, Any]) -> Told:
    if scheme != "https":
        return False, "The address is plain HTTP."
    status, target = plain["status"], str(plain["location"])
    closed = status == 0 or (300 <= status < 400 and target.startswith("https://"))
    return closed, "Plain HTTP is not answered." if status == 0 else f"Plain HTTP is answered with {status} {target}".rstrip() + "."


@check("critical", "Its certificate is valid for its name", "Get a certificate for the name from an authority that clients trust.")
def certificate(tls: Mapping[str, Any]) -> Told:
    return not tls["problem"], tls["problem"] or f"{tls['protocol']}, trusted."


@check("high", "Its certificate does not expire soon", "Renew it, and look why nothing else did.")
def certificate_expiry(certificate_days: float, min_certificate_days: float) -> Told:
    return certificate_days >= min_certificate_days, f"It ends in {certificate_days:.0f} days; the limit is {min_certificate_days:g}."


@check("high", "It refuses old versions of TLS", "Allow TLS 1.2 and later only (HAProxy: ssl-default-bind-options ssl-min-ver TLSv1.2).")
def tls_versions(old_protocols: Sequence[str]) -> Told:
    return nothing_of([f"it accepts {each}" for each in old_protocols], "It refuses TLS 1.0 and 1.1.")


@check("medium", "Browsers come back over TLS only (HSTS)", f"Strict-Transport-Security: max-age=31536000. {APPLICATION}")
def hsts(headers: Headers) -> Told:
    value = headers.get("strict-transport-security", "")
    age = re.search(r"max-age=\"?(\d+)", value)
    return bool(age) and int(age[1] if age else 0) >= HALF_A_YEAR, _shown("Strict-Transport-Security", value)


@check("medium", "Browsers do not guess what an answer is", f"X-Content-Type-Options: nosniff. {APPLICATION}")
def nosniff(headers: Headers) -> Told:
    value = headers.get("x-content-type-options", "")
    return value.lower() == "nosniff", _shown("X-Content-Type-Options", value)


@check("medium", "Other sites cannot show it in a frame", f"X-Frame-Options: DENY, or Content-Security-Policy: frame-ancestors 'none'. {APPLICATION}")
def framing(headers: Headers) -> Told:
    value, policy = headers.get("x-frame-options", ""), headers.get("content-security-policy", "")
    return value.upper() in ("DENY", "SAMEORIGIN") or "frame-ancestors" in policy, _shown("X-Frame-Options", value)


@check("low", "It says what its pages may load", f"Content-Security-Policy: default-src 'self'. {APPLICATION}")
def content_policy(headers: Headers) -> Told:
    value = headers.get("content-security-policy", "")
    return bool(value) and "unsafe-eval" not in value, _shown("Content-Security-Policy", value)


@check("low", "It says what other sites are told of its addresses", f"Referrer-Policy: no-referrer. {APPLICATION}")
def referrer(headers: Headers) -> Told:
    value = headers.get("referrer-policy", "")
    return bool(value) and value.lower() != "unsafe-url", _shown("Referrer-Policy", value)


@check("low", "It does not name its programs and their versions", f"Remove X-Powered-By, and the version from Server. {APPLICATION}")
def versions_named(headers: Headers) -> Told:
    named = [f"{name}: {headers[name]}" for name in ("server", "x-powered-by", "x-aspnet-version") if re.search(r"\d", headers.get(name, ""))]
    named += [f"x-powered-by: {headers['x-powered-by']}"] if headers.get("x-powered-by") and not named else []
    return nothing_of(named, "It names none.")


@check("medium", "Its cookies are for TLS, and not for scripts", f"Set-Cookie with Secure, HttpOnly and SameSite. {APPLICATION}")
def cookies(set_cookies: Sequence[str]) -> Told:
    wrong = []
    for each in set_cookies:
        missing = [word for word in ("Secure", "HttpOnly", "SameSite") if word.lower() not in each.lower()]
        wrong += [f"{each.partition('=')[0]} lacks {', '.join(missing)}"] if missing else []
    return nothing_of(wrong, f"{len(set_cookies)} cookies.")


@check("high", "No strange site may call it (CORS)", "Name the origins that may; never answer * or what was sent.")
def cors(allowed_origin: str, strange_origin: str) -> Told:
    return allowed_origin not in ("*", strange_origin), f"To {strange_origin} it answers Access-Control-Allow-Origin: {allowed_origin or 'nothing'}."


@check("medium", "Its API's documentation is not shown to everybody", "Switch Swagger off in production, or ask for a login.")
def documentation(shown_documentation: Sequence[str]) -> Told:
    return nothing_of([f"{path} answers" for path in shown_documentation], "None of the usual addresses answers.")


@check("low", "It does not answer TRACE", APPLICATION)
def trace(trace_status: int) -> Told:
    return not 200 <= trace_status < 300, f"TRACE is answered with {trace_status}."


@check("high", "Too many requests are answered with 429", "Switch the rate limit on, in the application or in front of it.")
def rate_limit(answered: Mapping[int, int]) -> Told:
    return 429 in answered, f"Of {sum(answered.values())} requests: {', '.join(f'{count} x {status}' for status, count in sorted(answered.items()))}."


@check("medium", "An error tells nothing of its insides", "Answer errors without a trace (NODE_ENV=production).")
def error_page(error_text: str) -> Told:
    inside = re.search(r"at .+\(.+:\d+:\d+\)|Traceback \(most recent|node_modules|\bat [\w.$]+\([\w]+\.java:\d+\)|Exception in thread", error_text)
    return inside is None, f"It shows {inside[0][:80]!r}." if inside else "An address that does not exist shows no trace."


@check("high", "It answers that it lives, is ready, and how it is", "Run the verb diagnose; give the application the addresses that health_paths names.")
def health(health_statuses: Mapping[str, int]) -> Told:
    wrong = [f"{path} answers {status or 'nothing'}" for path, status in health_statuses.items() if not 200 <= status < 300]
    return nothing_of(wrong, f"{', '.join(health_statuses)} answer 2xx.")


def _shown(name: str, value: str) -> str:
    return f"{name}: {value[:120]}" if value else f"{name} is not there."
