# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where secrets are kept, and what they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.options import S3
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, S3Store
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import from_env
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import client
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.codec import Fields, Sealed
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.key_value import KeyValue, KeyValueSettings
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.port import Cipher, Records, Store
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.schedule import JITTER_DAYS, MAX_AGE_DAYS, SLACK_DAYS, WEEKDAYS, Schedule, schedule
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.secrets_manager import SecretsManagerStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.sops import Sops
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_documents import DocumentRecords, DocumentStore
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.store_file import FileRecords, FileStore

KINDS = ("files", "sops", "bucket", "vault", "secrets_manager")

SPEC: dict[str, dict[str, Any]] = {
    "store": {
        "type": "dict",
        "options": {
            "kind": {"type": "str", "choices": list(KINDS), "default": "files"},
            "age_recipients": {"type": "list", "elements": "str", "default": []},
            "age_key_file": {"type": "path", "no_log": False},
            "prefix": {"type": "str", "default": ""},
            "bucket": {"type": "str"},
            **{**S3, "endpoint_url": {"type": "str"}},  # which of the services an address in the environment is for, botocore knows
            "url": {"type": "str", "fallback": from_env("BAO_ADDR", "VAULT_ADDR")},
            "token": {"type": "str", "no_log": True, "fallback": from_env("BAO_TOKEN", "VAULT_TOKEN")},
            "mount": {"type": "str", "default": "secret"},
            "namespace": {"type": "str", "fallback": from_env("BAO_NAMESPACE", "VAULT_NAMESPACE")},
        },
    },
    "store_path": {"type": "path", "fallback": from_env("GROUNDCREW_SECRET_STORE")},
    "vault_password_file": {"type": "path", "no_log": False, "fallback": from_env("ANSIBLE_VAULT_PASSWORD_FILE")},
}

SCHEDULE: dict[str, dict[str, Any]] = {
    "max_age_days": {"type": "float", "default": MAX_AGE_DAYS},
    "slack_days": {"type": "float", "default": SLACK_DAYS},
    "jitter_days": {"type": "float", "default": JITTER_DAYS},
    "windows": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "days": {"type": "list", "elements": "str", "choices": list(WEEKDAYS), "default": []},
            "begins": {"type": "str", "required": True},
            "hours": {"type": "float", "required": True},
        },
    },
}

MakeCipher = Callable[[str], Cipher]


class Bucket(S3Store):
    """Documents in a bucket."""

    def keys(self, prefix: str) -> Iterator[str]:
        return (listed.key for listed in self.listing(prefix))


class Opener:
    """What the options name. cipher: what a password file encrypts with."""

    def __init__(self, params: Mapping[str, Any], cipher: MakeCipher) -> None:
        self._params = params
        self._cipher = cipher
        self._given = with_fallbacks(params.get("store") or {})
        prefix = (self._given.get("prefix") or "").strip("/")
        self._prefix = prefix + "/" if prefix else ""

    @property
    def kind(self) -> str:
        return str(self._given.get("kind") or "files")

    def store(self) -> Store:
        if self.kind == "files":
            return FileStore(self._path(), self._sealing())
        if self.kind == "sops":
            folder = Path(self._path()).expanduser()
            return FileStore(folder, Sops(folder, self._given.get("age_recipients") or (), self._given.get("age_key_file")), suffix=".sops.yml")
        if self.kind == "bucket":
            return DocumentStore(self._bucket(), Sealed(self._sealing()), where=f"the bucket {self._given['bucket']}", prefix=self._prefix, suffix=".yml")
        if self.kind == "vault":
            vault = self._vault()
            return DocumentStore(vault, Fields(), where=vault.where, prefix=self._prefix)
        return SecretsManagerStore(client("secretsmanager", self._settings().account), self._prefix)

    def records(self) -> Records:
        """Beside the values; but Secrets Manager keeps no more than 64 KiB and a hundred versions, so its journals are elsewhere."""
        if self.kind == "vault":
            return DocumentRecords(self._vault(), self._prefix)
        if self.kind == "bucket" or (self.kind == "secrets_manager" and self._given.get("bucket")):
            return DocumentRecords(self._bucket(), self._prefix)
        return FileRecords(self._path())

    def _bucket(self) -> Bucket:
        self._required(self._given, "bucket", "store.")
        return Bucket(self._settings())

    def _vault(self) -> KeyValue:
        url, token = (self._required(self._given, name, "store.") for name in ("url", "token"))
        return KeyValue(KeyValueSettings(url, token, self._given.get("mount") or "secret", self._given.get("namespace"), self._given.get("ca_bundle")))

    def _settings(self) -> S3Settings:
        names = ("endpoint_url", "region", "access_key", "secret_key", "session_token", "ca_bundle")
        given = {name: self._given.get(name) for name in names}
        return S3Settings(bucket=self._given.get("bucket") or "", addressing_style=self._given.get("addressing_style") or "auto", **given)

    def _sealing(self) -> Cipher:
        return self._cipher(self._required(self._params, "vault_password_file"))

    def _path(self) -> str:
        return self._required(self._params, "store_path")

    def _required(self, given: Mapping[str, Any], name: str, before: str = "") -> str:
        if not given.get(name):
            raise OpsError(f"{before}{name} is missing: a store of kind {self.kind} needs it.", field=name)
        return str(given[name])


def schedule_of(params: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Schedule:
    """own: what a secret has for itself."""
    given = {**params, **(own or {})}
    try:
        days = [float(given[name]) for name in ("max_age_days", "slack_days", "jitter_days")]
        windows: list[Mapping[str, Any]] = [dict(each) for each in given["windows"]]
    except (TypeError, ValueError) as error:
        raise OpsError(f"The ages of a policy are numbers of days, and its windows are a list of dictionaries: {error}.") from error
    return schedule(days[0], days[1], days[2], windows)


def with_fallbacks(given: Mapping[str, Any]) -> dict[str, Any]:
    """A lookup is given the same dictionary, and nobody else looks into the environment for it."""
    told = dict(given)
    for name, option in SPEC["store"]["options"].items():
        variables = option["fallback"][1] if "fallback" in option else []
        told[name] = told.get(name) or next((os.environ[variable] for variable in variables if os.environ.get(variable)), None)
    return told
