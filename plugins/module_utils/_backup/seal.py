# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing of objects before they leave the host: AES-256-GCM by the chunk, as age and Tink do it.

An object is ``GCSEAL1\\n``, 16 random bytes, then chunks of 1 MiB, each followed by its tag of 16 bytes; the last chunk may be shorter. Its key is
HKDF-SHA256 of the secret, salted with those bytes, for the object's name: no two objects share a key, and one that was swapped for another does not
open. The nonce is the chunk's number in 11 bytes and a byte that is 1 for the last chunk: chunks can be neither reordered nor cut off.
"""

from __future__ import annotations

import os

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.policy import Damaged
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

try:
    from cryptography import exceptions
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

MAGIC = b"GCSEAL1\n"
SALT = 16
CHUNK = 1024 * 1024
TAG = 16
SUFFIX = ".sealed"
SHORTEST_SECRET = 16


def bound(prefix: str, name: str) -> str:
    """What a sealed object is bound to: the id of its backup, which is the last part of ``prefix``, and its name in it."""
    return f"{prefix.rstrip('/').rsplit('/', 1)[-1]}/{name}"


class Sealer:
    """Seals and opens objects with one secret, at least 16 characters."""

    def __init__(self, secret: str) -> None:
        if not HAS_CRYPTOGRAPHY:
            raise OpsError("cryptography is not installed for this Python: install python3-cryptography (Debian, Ubuntu) or the package cryptography.")
        if len(secret) < SHORTEST_SECRET:
            raise OpsError(f"The encryption key has {len(secret)} characters; give at least {SHORTEST_SECRET}, e.g. the output of `openssl rand -hex 32`.")
        self._secret = secret.encode()

    def seal(self, name: str) -> Sealing:
        salt = os.urandom(SALT)
        return Sealing(self._cipher(salt, name), salt)

    def open(self, name: str) -> Opening:
        return Opening(self, name)

    def _cipher(self, salt: bytes, name: str) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt, name.encode()).derive(self._secret))


class Sealing:
    """One object on its way out."""

    def __init__(self, cipher: AESGCM, salt: bytes) -> None:
        self._cipher = cipher
        self._ready = MAGIC + salt
        self._kept = b""
        self._number = 0

    def update(self, data: bytes, last: bool) -> bytes:
        """What can be sent so far. A full chunk is kept back until it is known not to be the last."""
        sealed, self._ready = [self._ready], b""
        held = memoryview(self._kept + data)
        at = 0
        while len(held) - at > CHUNK:
            sealed.append(self._chunk(held[at : at + CHUNK], False))
            at += CHUNK
        self._kept = bytes(held[at:])
        if last:
            sealed.append(self._chunk(self._kept, True))
        return b"".join(sealed)

    def _chunk(self, data: bytes | memoryview, last: bool) -> bytes:
        self._number += 1
        return self._cipher.encrypt(_nonce(self._number, last), data, None)


class Opening:
    """One object on its way in; raises before it gives a byte that was not sealed with this secret for this name."""

    def __init__(self, sealer: Sealer, name: str) -> None:
        self._sealer = sealer
        self._name = name
        self._cipher: AESGCM | None = None
        self._kept = b""
        self._number = 0

    def update(self, data: bytes) -> bytes:
        held = self._kept + data
        if self._cipher is None:
            if len(held) < len(MAGIC) + SALT:
                self._kept = held
                return b""
            if not held.startswith(MAGIC):
                raise Damaged(f"{self._name} is not a sealed object.", object=self._name)
            self._cipher = self._sealer._cipher(held[len(MAGIC) : len(MAGIC) + SALT], self._name)
            held = held[len(MAGIC) + SALT :]
        opened, at, view = [], 0, memoryview(held)
        while len(held) - at > CHUNK + TAG:
            opened.append(self._chunk(view[at : at + CHUNK + TAG], False))
            at += CHUNK + TAG
        self._kept = held[at:]
        return b"".join(opened)

    def finish(self) -> bytes:
        """The last chunk. Without it the object was cut off."""
        return self._chunk(self._kept, True)

    def _chunk(self, data: bytes | memoryview, last: bool) -> bytes:
        self._number += 1
        try:
            if self._cipher is not None:
                return self._cipher.decrypt(_nonce(self._number, last), data, None)
        except (exceptions.InvalidTag, ValueError):
            pass  # cryptography does not say which of the two it is either
        raise OpsError(
            f"{self._name} does not open: it was sealed with another encryption key, or it was changed. Give the key that was in use then.",
            object=self._name,
        )


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
