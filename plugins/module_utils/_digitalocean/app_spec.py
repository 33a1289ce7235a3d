# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App specs: what is declared, compared with what the platform made of it. Pure.

The platform fills in defaults and encrypts secrets, so only what is declared is compared, and never a secret. A mark in the spec, a salted
hash of the declaration with its secrets, tells whether the app was last deployed from this very declaration: it notices a secret that is
new and a setting that is declared no more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

MARK = "GROUNDCREW_SPEC"
HIDDEN = "********"
REFERENCE = re.compile(r"SECRET\[([^\[\]]+)\]")
ENCRYPTED = "EV["
# By which the elements of a list are known; where none fits, their order is what they are known by.
IDENTITIES = ("name", "key", "domain", "rule")
# Settings that always hold a secret.
SECRET_SETTINGS = frozenset({"registry_credentials", "api_key", "token", "password"})
# What the platform leaves out of its answer when it is so.
DEFAULTS = {"type": "GENERAL", "scope": "RUN_AND_BUILD_TIME", "protocol": "HTTP"}
ROUNDS = 100_000


def declared(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as declared, with its name. Raises OpsError for another name, for a secret in plain text, and for one where it would be shown."""
    if spec.get("name", name) != name:
        raise OpsError(f"The spec is of an app named {spec['name']}, not {name}. An app cannot be renamed: give both the same name.", field="name")
    for where, value, secret in _places(spec, "spec"):
        refers = REFERENCE.search(str(value)) is not None
        if secret and value is not None and not refers and not str(value).startswith(ENCRYPTED):
            raise OpsError(
                f"The spec holds a secret in plain text at {where}. Write SECRET[<name>] there, and give the value in the option secrets,"
                " which is shown nowhere.",
                field=where,
            )
        if refers and not secret:
            raise OpsError(f"The spec refers to a secret at {where}, where everybody could read it. Give the variable the type SECRET.", field=where)
    return {**_texts(spec), "name": name}


def _texts(spec: Any) -> Any:
    """Variables are text to the platform, whatever YAML takes them for."""
    if isinstance(spec, Mapping):
        return {key: _text(value) if key == "value" and "key" in spec and not isinstance(value, str) else _texts(value) for key, value in spec.items()}
    return [_texts(each) for each in spec] if isinstance(spec, list) else spec


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def filled(spec: Any, secrets: Mapping[str, Any]) -> Any:
    """The spec with the values of its secrets. Raises OpsError for one that is not given."""
    if isinstance(spec, Mapping):
        return {key: filled(value, secrets) for key, value in spec.items()}
    if isinstance(spec, list):
        return [filled(value, secrets) for value in spec]
    if not isinstance(spec, str):
        return spec
    missing = [name for name in REFERENCE.findall(spec) if name not in secrets]
    if missing:
        raise OpsError(f"The spec refers to SECRET[{missing[0]}], which is not given. Add it to the option secrets.", missing=missing)
    return REFERENCE.sub(lambda match: str(secrets[match[1]]), spec)


def secret_variables(spec: Any) -> set[str]:
    """The names of variables that hold a secret."""
    if isinstance(spec, Mapping):
        own = {str(spec["key"])} if spec.get("type") == "SECRET" and "key" in spec else set()
        return own.union(*(secret_variables(value) for value in spec.values()))
    return set().union(*(secret_variables(each) for each in spec)) if isinstance(spec, list) else set()


def marked(spec: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """A spec that carries a mark, as a variable that is there at run time only, so that no build depends on it."""
    return {**spec, "envs": [*_unmarked(spec.get("envs") or []), {"key": MARK, "value": mark, "scope": "RUN_TIME"}]}


def make_mark(spec: Mapping[str, Any], salt: str | None = None) -> str:
    """The mark of a spec with its secrets. Slow on purpose, and salted: nobody learns a secret from it."""
    salt = salt or os.urandom(16).hex()
    text = json.dumps(_ordered(spec), sort_keys=True)
    return f"{salt}:{hashlib.pbkdf2_hmac('sha256', text.encode(), bytes.fromhex(salt), ROUNDS).hex()}"


def mark_of(found: Mapping[str, Any]) -> str:
    return next((str(each.get("value")) for each in found.get("envs") or [] if each.get("key") == MARK), "")


def bears(found: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether a spec that was found carries the mark of this one."""
    mark = mark_of(found)
    salt = mark.partition(":")[0]
    return re.fullmatch("[0-9a-f]{32}", salt) is not None and hmac.compare_digest(mark, make_mark(spec, salt))


def comparable(found: Any, wanted: Any) -> Any:
    """What was found, as far as it is declared: equal to the declaration where the platform did as it says."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {key: _setting(key, found, value, secret=key in SECRET_SETTINGS or _is_secret_value(key, wanted)) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list):
        return _elements(_unmarked(found), wanted)
    return found


def _setting(key: str, found: Mapping[str, Any], wanted: Any, *, secret: bool) -> Any:
    if secret:
        # Never compared by its value; the mark tells of a new one.
        return wanted if key in found or wanted is None else None
    if key not in found:
        return wanted if not wanted or DEFAULTS.get(key) == wanted else None
    return comparable(found[key], wanted)


def _elements(found: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    identity = _identity([*found, *wanted])
    if identity is None:
        return [comparable(is_, should) for is_, should in zip(found, wanted, strict=False)] + [hidden(each) for each in found[len(wanted) :]]
    by_name = {each[identity]: each for each in found}
    names = [each[identity] for each in wanted]
    kept = [comparable(by_name[each[identity]], each) for each in wanted if each[identity] in by_name]
    return kept + [hidden(each) for each in found if each[identity] not in names]


def hidden(spec: Any) -> Any:
    """A spec that may be shown: no secret, not even an encrypted one, and no mark."""
    if isinstance(spec, Mapping):
        return {key: HIDDEN if key in SECRET_SETTINGS or _is_secret_value(key, spec) else hidden(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [hidden(each) for each in _unmarked(spec)]
    return spec


def _identity(elements: Sequence[Any]) -> str | None:
    return next((key for key in IDENTITIES if elements and all(isinstance(each, Mapping) and key in each for each in elements)), None)


def _is_secret_value(key: str, setting: Mapping[str, Any]) -> bool:
    return key == "value" and setting.get("type") == "SECRET"


def _unmarked(elements: Sequence[Any]) -> list[Any]:
    return [each for each in elements if not (isinstance(each, Mapping) and each.get("key") == MARK)]


def _places(spec: Any, where: str, *, secret: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Every value with the place where it stands, and whether that is a place for a secret."""
    if isinstance(spec, Mapping):
        for key, value in spec.items():
            yield from _places(value, f"{where}.{key}", secret=key in SECRET_SETTINGS or _is_secret_value(key, spec))
    elif isinstance(spec, list):
        for number, each in enumerate(spec):
            name = next((each[key] for key in IDENTITIES if isinstance(each, Mapping) and key in each), number)
            yield from _places(each, f"{where}[{name}]")
    else:
        yield where, spec, secret


def _ordered(spec: Any) -> Any:
    """The same text for the same declaration, whatever the order of named elements."""
    if isinstance(spec, Mapping):
        return {key: _ordered(value) for key, value in spec.items()}
    if isinstance(spec, list):
        identity = _identity(spec)
        return [_ordered(each) for each in (sorted(spec, key=lambda each: str(each[identity])) if identity else spec)]
    return spec
