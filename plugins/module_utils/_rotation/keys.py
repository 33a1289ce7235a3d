# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that sign tokens, as JSON Web Keys (RFC 7517, RFC 7518): how they are made, and the sets that consumers are given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError:
    rsa = None  # type: ignore[assignment]

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

ALGORITHMS = ("HS256", "RS256", "ES256")
RSA_BITS = 3072
_PRIVATE = ("k", "d", "p", "q", "dp", "dq", "qi")
Jwk = dict[str, str]


def make(algorithm: str, kid: str, entropy_bits: int) -> Jwk:
    """A new private key. entropy_bits: of an HS256 key, at least 256; the other kinds have a size of their own."""
    about = {"kid": kid, "alg": algorithm, "use": "sig"}
    if algorithm == "HS256":
        return {"kty": "oct", **about, "k": _text(secrets.token_bytes(max(entropy_bits, 256) // 8))}
    _require_library()
    if algorithm == "RS256":
        numbers = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS).private_numbers()
        public = numbers.public_numbers
        parts = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        return {"kty": "RSA", **about, **{name: _number(value) for name, value in parts.items()}}
    curve = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = curve.public_numbers
    return {"kty": "EC", "crv": "P-256", **about, **{name: _number(value, 32) for name, value in (("x", point.x), ("y", point.y), ("d", curve.private_value))}}


def public(key: Jwk) -> Jwk:
    """What verifies and cannot sign. An HS256 key has no such part."""
    if key["kty"] == "oct":
        raise OpsError(f"An {key['alg']} key has no public part: whoever verifies can sign. Give verifiers the field keyset, or use RS256 or ES256.")
    return {name: value for name, value in key.items() if name not in _PRIVATE}


def keyset(signer: Jwk, accepted: list[Jwk]) -> str:
    """For whoever signs: JSON with the key to sign with (``sign``, a ``kid``) and every key to accept; of those only what verifies, where that is less."""
    others = [key if key["kty"] == "oct" else public(key) for key in accepted if key["kid"] != signer["kid"]]
    return _json({"sign": signer["kid"], "keys": [signer, *others]})


def jwks(accepted: list[Jwk]) -> str:
    """For whoever only verifies: the JSON Web Key Set to publish."""
    return _json({"keys": [public(key) for key in accepted]})


def proven(key: Jwk, other: Jwk) -> bool:
    """Whether a key accepts what it signed, and refuses what another key signed."""
    message = secrets.token_bytes(32)
    return _verifies(key, message, _signed(key, message)) and not _verifies(key, message, _signed(other, message))


def _signed(key: Jwk, message: bytes) -> bytes:
    if key["kty"] == "oct":
        return hmac.new(_bytes(key["k"]), message, hashlib.sha256).digest()
    _require_library()
    if key["kty"] == "RSA":
        names = {"p": "p", "q": "q", "d": "d", "dmp1": "dp", "dmq1": "dq", "iqmp": "qi"}
        numbers = {name: _integer(key[part]) for name, part in names.items()}
        return bytes(rsa.RSAPrivateNumbers(**numbers, public_numbers=_rsa(key)).private_key().sign(message, padding.PKCS1v15(), hashes.SHA256()))
    return bytes(ec.EllipticCurvePrivateNumbers(_integer(key["d"]), _curve(key)).private_key().sign(message, ec.ECDSA(hashes.SHA256())))


def _verifies(key: Jwk, message: bytes, signature: bytes) -> bool:
    if key["kty"] == "oct":
        return hmac.compare_digest(_signed(key, message), signature)
    try:
        if key["kty"] == "RSA":
            _rsa(key).public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            _curve(key).public_key().verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _rsa(key: Jwk) -> Any:
    return rsa.RSAPublicNumbers(_integer(key["e"]), _integer(key["n"]))


def _curve(key: Jwk) -> Any:
    return ec.EllipticCurvePublicNumbers(_integer(key["x"]), _integer(key["y"]), ec.SECP256R1())


def _require_library() -> None:
    if rsa is None:
        raise OpsError("The Python library cryptography is missing on the control node: install it beside ansible-core, or use HS256.")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int, length: int = 0) -> str:
    return _text(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def _integer(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True)
