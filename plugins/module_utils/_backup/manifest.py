# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed documents: canonical JSON and an HMAC-SHA256 over it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import FORMAT, Identity, Manifest
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

SHORTEST_KEY = 16


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one way to write a document as bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


class Signer:
    """Signs documents, and opens those it signed.

    key: the secret, at least 16 characters. Whoever lacks it can neither forge a backup nor change one unseen.
    """

    def __init__(self, key: str) -> None:
        if len(key) < SHORTEST_KEY:
            raise OpsError(f"The signing key has {len(key)} characters; give at least {SHORTEST_KEY}, e.g. the output of `openssl rand -hex 32`.")
        self._key = key.encode()

    @property
    def key_id(self) -> str:
        """Names the key without telling it."""
        return self._mac(b"groundcrew.ops key id")[:16]

    def seal(self, document: Mapping[str, Any]) -> bytes:
        """The document with its signature, as it is stored."""
        signature = {"algorithm": "hmac-sha256", "key_id": self.key_id, "value": self._mac(canonical(document))}
        return canonical({"document": document, "signature": signature}) + b"\n"

    def open(self, stored: bytes, key: str) -> dict[str, Any]:
        """The document, if this key signed it and nobody changed it.

        key: the name of the object, for the error.
        """
        try:
            envelope = json.loads(stored)
            document, signature = envelope["document"], envelope["signature"]
            key_id, value = str(signature["key_id"]), str(signature["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise OpsError(f"{key} is damaged: it is not a signed document. Nothing was restored from it.", object=key) from error
        if key_id != self.key_id:
            raise OpsError(
                f"{key} was signed with another key ({key_id}, this one is {self.key_id}): it is foreign, or the signing key was changed. "
                "Give the key that was in use then.",
                object=key,
                key_id=key_id,
            )
        if not hmac.compare_digest(value, self._mac(canonical(document))):
            raise OpsError(f"{key} was tampered with: its signature does not fit its content. Do not restore it; use another backup.", object=key)
        return document

    def open_manifest(self, stored: bytes, key: str, backup_id: str, identity: Identity) -> Manifest:
        """The manifest, if it also belongs where it was found."""
        document = self.open(stored, key)
        if document.get("format") != FORMAT:
            raise OpsError(f"{key} has format {document.get('format')!r}; this version reads format {FORMAT}.", object=key)
        manifest = Manifest.from_dict(document)
        if manifest.backup_id != backup_id or manifest.identity != identity:
            raise OpsError(f"{key} is the manifest of backup {manifest.backup_id} of {manifest.identity}: it was moved here from elsewhere.", object=key)
        return manifest

    def _mac(self, message: bytes) -> str:
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
