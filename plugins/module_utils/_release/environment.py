# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application is told: variables and secrets, checked against rules before anything is touched.

A rule is data: which variables it looks at and what their values must be. The rules below come from deployment guides; an
application adds its own and switches one off by its id, with a reason. A variable NAME is looked at as well when it comes as a
file, NAME_FILE=/run/secrets/x. No message holds a value that may be secret.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Secret

MOUNT = "/run/secrets/"
_NO = r"0|no|off|false|disabled?|none"
_YES = r"1|yes|on|true|enabled?"
_DATABASE_URL = r"(?:.*_)?(?:DATABASE|DB|POSTGRES|POSTGRESQL|PG|MYSQL|MONGO|MONGODB)_UR[LI]"


@dataclass(frozen=True)
class Rule:
    """What values must be like.

    names: pattern for the whole name of a variable.
    remedy: what to do about it, after the words "<variable> "; {min_length} in it is the number.
    required: a variable with such a name must have a value.
    min_length: fewest characters. matches: pattern that has to be found. forbids: pattern that must not be found, case ignored in both.
    disabled: why the rule is not applied.
    """

    id: str
    names: str
    remedy: str
    required: bool = False
    min_length: int = 0
    matches: str = ""
    forbids: str = ""
    disabled: str = ""


RULES = (
    Rule("jwt-secret", r"(?:.*_)?JWT(?:_.*)?_SECRET(?:_KEY)?", "needs at least {min_length} characters. Generate a longer one.", min_length=64),
    Rule(
        "cors-origin",
        r"(?:.*_)?CORS_(?:ALLOWED_)?ORIGINS?",
        "is *, which lets every site call the application. Name the origins.",
        forbids=r"(^|[\s,])\*(?=$|[\s,])",
    ),
    Rule(
        "database-tls",
        _DATABASE_URL,
        "does not ask for TLS. Add sslmode=verify-full (PostgreSQL), ssl-mode=VERIFY_IDENTITY (MySQL) or tls=true (MongoDB).",
        matches=r"^(?!\w+(\+srv)?://)|^mongodb\+srv://"
        r"|[?&](sslmode=(require|verify-ca|verify-full)|ssl-mode=(required|verify_ca|verify_identity)|(tls|ssl)=true)(&|$)",
    ),
    Rule("redis-tls", r"(?:.*_)?(?:REDIS|VALKEY)_UR[LI]", "does not ask for TLS. Begin it with rediss://.", matches=r"^(rediss|valkeys)://"),
    Rule(
        "tls-off",
        r"(?:.*_)?(?:DATABASE|DB|POSTGRES|PG|REDIS|VALKEY)_(?:TLS|SSL|SSLMODE)(?:_ENABLED)?",
        "switches TLS off. Switch it on.",
        forbids=rf"^({_NO}|allow|prefer)$",
    ),
    Rule("tls-unchecked", r"NODE_TLS_REJECT_UNAUTHORIZED", "lets any certificate pass. Remove it and give the authority's certificate.", forbids=rf"^({_NO})$"),
    Rule(
        "swagger-off",
        r"(?:.*_)?(?:SWAGGER|OPENAPI_UI|API_DOCS)(?:_UI)?(?:_ENABLED?)?|ENABLE_(?:SWAGGER|API_DOCS)",
        "shows the API's documentation to everybody. Set it to false.",
        forbids=rf"^({_YES})$",
    ),
    Rule(
        "rate-limit-on",
        r"(?!DISABLE_)(?:.*_)?(?:RATE_LIMIT(?:ING|ER)?|THROTTLE|THROTTLING)(?:_ENABLED?|_MAX|_LIMIT)?|ENABLE_RATE_LIMIT(?:ING)?",
        "switches the rate limit off. Switch it on.",
        forbids=rf"^({_NO}|-1)$",
    ),
    Rule("rate-limit-off", r"DISABLE_(?:RATE_LIMIT(?:ING)?|THROTTL(?:E|ING))", "switches the rate limit off. Remove it.", forbids=rf"^({_YES})$"),
    Rule(
        "default-password",
        r"(?:.*_)?(?:PASS|PASSWORD|PASSWD|PWD|SECRET|TOKEN|(?:API|PRIVATE|ACCESS|SECRET|SIGNING|ENCRYPTION)_KEY)",
        "is a password that everybody knows. Generate one.",
        forbids=r"^(admin|administrator|root|user|guest|test|demo|example|default|secret|password|passw0rd|pass|p@ssw0rd|letmein|qwerty|change[-_ ]?me.*"
        r"|change[-_ ]?this.*|your[-_ ].*|<.*>|x{3,}|todo|replace[-_ ]?me.*|postgres|redis|mysql|mongo|1234\d*)$",
    ),
    Rule(
        "default-password-in-url",
        r".*_UR[LI]|.*_DSN|.*_CONNECTION(?:_STRING)?",
        "holds a password that everybody knows. Generate one.",
        forbids=r"://[^/@:\s]*:(admin|root|guest|test|default|secret|password|passw0rd|pass|change[-_]?me|postgres|redis|mysql|mongo|1234\d*)@",
    ),
)
RESERVED = ("RELEASE_ID",)


def make_rules(given: Sequence[Mapping[str, Any]], required: Sequence[str]) -> tuple[Rule, ...]:
    """The rules in force. given: own rules, and changes to known ones by id. Raises OpsError for one that says nothing."""
    rules = {rule.id: rule for rule in RULES}
    for each in given:
        changes = {name: value for name, value in each.items() if value is not None}
        known = rules.get(changes["id"])
        if known is None and not ("names" in changes and "remedy" in changes):
            raise OpsError(
                f"environment_rules: there is no rule {changes['id']}, and a new one needs names and remedy. Known are {', '.join(rules)}.", rules=list(rules)
            )
        rule = dataclasses.replace(known, **changes) if known else Rule(**changes)
        for pattern in (rule.names, rule.matches, rule.forbids):
            try:
                re.compile(pattern)
            except re.error as error:
                raise OpsError(f"environment_rules: {rule.id} has a pattern that is none: {error}. Correct {pattern!r}.") from error
        rules[rule.id] = rule
    wanted = [Rule("required", name, f"is required and neither it nor {name}_FILE has a value. Set one of them.", required=True) for name in required]
    return tuple(rule for rule in (*rules.values(), *wanted) if not rule.disabled)


def violations(environment: Mapping[str, str], secrets: Sequence[Secret], rules: Sequence[Rule]) -> list[str]:
    """Everything about variables and secrets that forbids a release."""
    return [*_form(environment), *_secret_form(environment, secrets), *_broken(_values(environment, secrets), rules)]


def _values(environment: Mapping[str, str], secrets: Sequence[Secret]) -> dict[str, tuple[str, str]]:
    """Where each variable stands and its value, also the ones that come as files."""
    values = {secret.name: secret.value for secret in secrets}
    found = {name: (f"environment: {name}", value) for name, value in environment.items() if value and not name.endswith("_FILE")}
    told = {name[: -len("_FILE")]: value[len(MOUNT) :] for name, value in environment.items() if name.endswith("_FILE") and value.startswith(MOUNT)}
    for name, secret in told.items():
        if secret in values:
            found[name] = (f"secrets: {secret} ({name})", values[secret])
    elsewhere = {name[: -len("_FILE")] for name, value in environment.items() if name.endswith("_FILE") and value} - set(told)
    for name in elsewhere:
        found.setdefault(name, (f"environment: {name}_FILE", ""))
    # A secret that no variable names is known to the application by its own name.
    for secret_name in set(values) - set(told.values()):
        found.setdefault(re.sub(r"[.-]", "_", secret_name).upper(), (f"secrets: {secret_name}", values[secret_name]))
    return found


def _broken(values: Mapping[str, tuple[str, str]], rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        named = {name: value for name, value in values.items() if re.fullmatch(rule.names, name)}
        if rule.required and not named:
            yield f"environment: {rule.names} {rule.remedy} (rule {rule.id})"
        for _name, (where, value) in sorted(named.items()):
            if value and _breaks(rule, value):
                length = f" has {len(value)} characters;" if rule.min_length and len(value) < rule.min_length else ""
                yield f"{where}{length} {rule.remedy.replace('{min_length}', str(rule.min_length))} (rule {rule.id})"


def _breaks(rule: Rule, value: str) -> bool:
    return (
        len(value) < rule.min_length
        or bool(rule.matches and not re.search(rule.matches, value, re.IGNORECASE))
        or bool(rule.forbids and re.search(rule.forbids, value, re.IGNORECASE))
    )


def _form(environment: Mapping[str, str]) -> Iterator[str]:
    """What an .env file cannot hold."""
    for name, value in sorted(environment.items()):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield f"environment: {name!r} is not a name of a variable. Use letters, digits and underscores."
        if name in RESERVED:
            yield f"environment: {name} is set by the release itself. Remove it."
        if re.search(r"[\n\r\0]|\\'|\\$", value):
            yield (
                f"environment: {name} holds a line break, or a backslash before a quote or at its end, which an .env file cannot."
                f" Pass it as a secret and name its file in {name}_FILE."
            )


def _secret_form(environment: Mapping[str, str], secrets: Sequence[Secret]) -> Iterator[str]:
    names = [secret.name for secret in secrets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"secrets: {name} is listed twice. List it once."
    for secret in secrets:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", secret.name):
            yield f"secrets: {secret.name!r} is not usable as a file name. Use letters, digits, dots, underscores and hyphens."
        if not secret.version:
            yield f"secrets: {secret.name} has no version. Give the version that the store names, so that a new value is a new release."
        if not secret.value:
            yield f"secrets: {secret.name} is empty. Give its value."
    for name, value in sorted(environment.items()):
        mounted = re.fullmatch(rf"{MOUNT}([^/]+)", value) if name.endswith("_FILE") else None
        if mounted and mounted.group(1) not in names:
            yield f"environment: {name} names {value}, but no secret is called {mounted.group(1)}. Add it to secrets."
        if name.endswith("_FILE") and value and environment.get(name[: -len("_FILE")]):
            yield f"environment: {name[: -len('_FILE')]} and {name} are both set, and an application may take either. Set one."
