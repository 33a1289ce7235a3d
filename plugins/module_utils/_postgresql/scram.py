# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form that PostgreSQL stores.

A server that is sent the verifier never sees the password, and neither do its logs and statistics.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

ITERATIONS = 4096


def verifier(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """``SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>``.

    password: printable ASCII, which SASLprep (RFC 4013) leaves as it is; others raise OpsError.
    """
    if not password or not all(32 <= ord(character) <= 126 for character in password):
        raise OpsError("A SCRAM verifier is made of printable ASCII passwords only: choose another alphabet.")
    salt = os.urandom(16) if salt is None else salt
    stored, server = keys(password, salt, iterations)
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored)}:{_text(server)}"


def keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey of RFC 5802, section 3."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hashlib.sha256(client).digest(), hmac.new(salted, b"Server Key", hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
