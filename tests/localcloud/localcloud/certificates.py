# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority that signs the managed databases, one per cloud."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localcloud.shell import write_private

YEARS = timedelta(days=3650)


class Authority:
    """Makes itself in a directory on first use."""

    def __init__(self, directory: Path) -> None:
        self._key_file, self._certificate_file = directory / "ca.key", directory / "ca.crt"
        if not self._certificate_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("groundcrew local cloud CA")
            certificate = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
            write_private(self._key_file, _pem(key))
            write_private(self._certificate_file, certificate.public_bytes(serialization.Encoding.PEM).decode())
        self._key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        self._certificate = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())

    @property
    def certificate(self) -> str:
        return self._certificate_file.read_text()

    def issue(self, address: str) -> tuple[str, str]:
        """(certificate, key) of a server at an address."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(address)])
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        certificate = _builder(_name(address), self._certificate.subject, key).add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), _pem(key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + YEARS)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
