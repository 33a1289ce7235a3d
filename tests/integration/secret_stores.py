# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stores of secrets: files, and servers on loopback. OpenBao is the real one; S3 and Secrets Manager are moto's."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from moto.secretsmanager.exceptions import InvalidParameterException
from moto.secretsmanager.models import SecretsManagerBackend
from moto.server import ThreadedMotoServer

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import client
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.options import KINDS, Opener
from localcloud.shell import wait_until
from tests.unit.plugins.module_utils._rotation.worlds import Base64Cipher

TOKEN = "root-of-the-test"
# A key of age that opens what these tests seal, and nothing else.
AGE_KEY = "AGE-SECRET-KEY-1DM90MR8A4TP6DFJFR23XUNFF57XQCTYVMSSYHS7WG6L5RXENK35S0J28KR"
AGE_RECIPIENT = "age12ppurs4075m2xpt5vtzdlppeve5s85x8a35r946mzz7tjxx23easjqfxqv"
BUCKET = "secrets"


@dataclass(frozen=True)
class Servers:
    """Where each kind of store is, as the modules are told."""

    vault: str
    aws: str

    @property
    def settings(self) -> S3Settings:
        return S3Settings(BUCKET, self.aws, "us-east-1", "testing", "testing", addressing_style="path")

    def options(self, kind: str, folder: Path) -> dict[str, Any]:
        keys = {"endpoint_url": self.aws, "region": "us-east-1", "access_key": "testing", "secret_key": "testing", "addressing_style": "path"}
        given: dict[str, dict[str, Any]] = {
            "files": {},
            "sops": {"age_recipients": [AGE_RECIPIENT], "age_key_file": str(folder / "age-key")},
            "vault": {"url": self.vault, "token": TOKEN},
            "bucket": {**keys, "bucket": BUCKET},
            "secrets_manager": {**keys, "bucket": BUCKET},
        }
        (folder / "age-key").write_text(AGE_KEY)
        (folder / "age-key").chmod(0o600)
        return {
            "store": {"kind": kind, "prefix": folder.name, **given[kind]},
            "store_path": str(folder / "secrets"),
            "vault_password_file": str(folder / "key"),
        }

    def opener(self, kind: str, folder: Path) -> Opener:
        return Opener(self.options(kind, folder), lambda _file: Base64Cipher())

    def client(self, service: str) -> Any:
        return client(service, self.settings.account)


@contextmanager
def openbao(folder: Path) -> Iterator[str]:
    """A server that keeps everything in memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    options = ["-dev", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with (
        (folder / "openbao.log").open("w") as log,
        subprocess.Popen([Path(sys.executable).with_name("bao"), "server", *options], stdout=log, stderr=log) as server,
    ):

        def ready() -> bool:
            assert server.poll() is None, (folder / "openbao.log").read_text()
            try:
                with urlopen(f"{url}/v1/secret/config", timeout=2) as answer:
                    return bool(answer)
            except URLError as error:
                return getattr(error, "code", None) == 403  # it is mounted, and asks for a token

        try:
            wait_until("OpenBao to answer", ready, seconds=30, pause=0.1)
            yield url
        finally:
            server.terminate()


@contextmanager
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def as_documented(move: Callable[..., Any]) -> Callable[..., Any]:
    """AWS: "If the staging label is already attached to a different version of the secret, then you must also specify the RemoveFromVersionId parameter."

    moto asks for that for AWSCURRENT only.
    """

    def update(self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str) -> Any:
        versions: Mapping[str, Any] = self.secrets[secret_id].versions
        holder = next((version for version, about in versions.items() if version_stage in about["version_stages"]), None)
        if move_to_version_id and holder not in (None, move_to_version_id, remove_from_version_id):
            raise InvalidParameterException(f"Staging label {version_stage} is attached to version {holder}")
        return move(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)

    return update


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    move = SecretsManagerBackend.update_secret_version_stage
    with pytest.MonkeyPatch.context() as patch, openbao(tmp_path_factory.mktemp("openbao")) as vault, moto() as cloud:
        patch.setattr(SecretsManagerBackend, "update_secret_version_stage", as_documented(move))
        servers = Servers(vault, cloud)
        servers.client("s3").create_bucket(Bucket=BUCKET)
        yield servers


__all__ = ["KINDS", "Servers", "servers"]
