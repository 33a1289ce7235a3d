# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verifier, against the exchange that RFC 7677 prints."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._postgresql import scram

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
EXCHANGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SERVER_SIGNATURE = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def accepts(stored: bytes) -> bool:
    """What a server does with the proof of RFC 7677 and a stored key."""
    signature = hmac.new(stored, EXCHANGE, hashlib.sha256).digest()
    client = bytes(left ^ right for left, right in zip(PROOF, signature, strict=True))
    return hashlib.sha256(client).digest() == stored


def test_the_keys_are_those_of_the_rfc() -> None:
    stored, server = scram.keys("pencil", SALT, 4096)
    assert accepts(stored)
    assert hmac.new(server, EXCHANGE, hashlib.sha256).digest() == SERVER_SIGNATURE


def test_another_password_is_not_accepted() -> None:
    assert not accepts(scram.keys("pencil2", SALT, 4096)[0])


def test_the_form_is_that_of_postgresql() -> None:
    name, salted, keys = scram.verifier("pencil", salt=SALT).split("$")
    stored, server = scram.keys("pencil", SALT, 4096)
    assert (name, salted) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    assert [base64.b64decode(key) for key in keys.split(":")] == [stored, server]


def test_each_verifier_has_a_salt_of_its_own() -> None:
    assert scram.verifier("pencil") != scram.verifier("pencil")


@pytest.mark.parametrize("password", ["", "schlüssel", "tab\t"])
def test_a_password_that_would_need_normalization_is_refused(password: str) -> None:
    with pytest.raises(OpsError, match="printable ASCII"):
        scram.verifier(password)
