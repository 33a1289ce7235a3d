# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a certificate with its key where HAProxy reads it, and into the HAProxy that runs: without a reload no connection is closed.

Says ``changed`` when something was, or with --check would be, other than it should. As certbot's deploy hook it is called without a name.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CERTIFICATES = Path("/etc/haproxy/certificates")
LINEAGES = Path("/etc/letsencrypt/live")
SOCKET = Path("/run/haproxy/admin.sock")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Give HAProxy a certificate.")
    parser.add_argument("--certificates", type=Path, default=CERTIFICATES, help="folder of HAProxy's certificates")
    parser.add_argument("--lineages", type=Path, default=LINEAGES, help="folder of certbot's certificates")
    parser.add_argument("--socket", type=Path, default=SOCKET, help="HAProxy's runtime socket")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, help_ in (
        ("placeholder", "make one that nobody trusts, so that HAProxy can start"),
        ("install", "take over what certbot obtained"),
        ("load", "have the running HAProxy use the file"),
    ):
        one = verbs.add_parser(verb, help=help_)
        one.add_argument("--check", action="store_true", help="only say whether it would change anything")
        one.add_argument("name", nargs="?", default=Path(os.environ.get("RENEWED_LINEAGE", "")).name)
    verbs.add_parser("verify", help="refuse a file whose key is not the certificate's").add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.verb == "verify":
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(given.file)
            return 0
        file = given.certificates / f"{given.name}.pem"
        if given.verb == "placeholder":
            changed = placeholder(file, given.check)
        elif given.verb == "install":
            changed = install(file, given.lineages / given.name, given.check) | load(file, given.socket, given.check)
        else:
            changed = load(file, given.socket, given.check)
    except (OSError, ssl.SSLError, subprocess.SubprocessError, ValueError) as error:
        print(f"{given.verb}: {error}", file=sys.stderr)
        return 1
    print("changed" if changed else "as it should be")
    return 0


def placeholder(file: Path, check: bool) -> bool:
    if file.exists():
        return False
    if not check:
        with tempfile.TemporaryDirectory() as folder:
            made = [f"{folder}/key", f"{folder}/certificate"]
            options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=placeholder"]
            subprocess.run(["openssl", "req", "-x509", *options, "-keyout", made[0], "-out", made[1]], check=True, capture_output=True)
            write(file, "".join(Path(part).read_text() for part in reversed(made)))
    return True


def install(file: Path, lineage: Path, check: bool) -> bool:
    if check and not lineage.exists():
        return True
    pem = "".join((lineage / part).read_text() for part in ("fullchain.pem", "privkey.pem"))
    if file.exists() and file.read_text() == pem:
        return False
    if not check:
        write(file, pem)
    return True


def load(file: Path, runtime: Path, check: bool) -> bool:
    """Nothing is to be done while HAProxy does not run: it reads the file when it starts. Nor where it does not know the file: a reload shows it."""
    if not file.exists() or not runtime.exists():
        return False
    pem = file.read_text()
    loaded = re.search(r"^SHA1 FingerPrint: (\w+)$", ask(runtime, f"show ssl cert {file}"), re.MULTILINE)
    if not loaded or loaded[1] == fingerprint(pem):
        return False
    if not check:
        lines = "\n".join(line for line in pem.splitlines() if line)  # an empty line would end it
        ask(runtime, f"abort ssl cert {file}")
        for command in (f"set ssl cert {file} <<\n{lines}\n", f"commit ssl cert {file}"):
            said = ask(runtime, command)
            if not re.search("Transaction (created|updated)|Success", said):
                raise ValueError(f"HAProxy refused the certificate in {file}: {said.strip()}")
    return True


def fingerprint(pem: str) -> str:
    first = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
    der = ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE-----") :])
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def ask(runtime: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(runtime))
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")


def write(file: Path, pem: str) -> None:
    """All of it or nothing, for root alone."""
    # Beside the folder: HAProxy reads whatever lies in it, also what a write that was killed leaves.
    new = file.parent.with_name(f".{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
