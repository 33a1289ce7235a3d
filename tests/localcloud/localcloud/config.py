# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one local cloud is called, where it listens and where its state lies."""

from __future__ import annotations

import ipaddress
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.shell import CloudError, write_private

# Further clouds (``--index``) move by ten ports and one subnet each, so several live side by side.
FIRST_PORT = 8480
FIRST_SUBNET = 77


@dataclass(frozen=True)
class Cloud:
    """One cloud. Everything it runs binds to 127.0.0.1 or to ``gateway``, nothing to other addresses."""

    name: str
    index: int
    dir: Path
    token: str
    s3_access_key: str
    s3_secret_key: str
    # Droplets and databases stand in the state alone, nothing runs for them: see localcloud.records.
    records_only: bool = False

    @property
    def subnet(self) -> str:
        return f"172.30.{FIRST_SUBNET + self.index}.0/24"

    @property
    def gateway(self) -> str:
        return str(next(ipaddress.ip_network(self.subnet).hosts()))

    def address(self, host: int) -> str:
        return str(ipaddress.ip_network(self.subnet)[host])

    @property
    def network(self) -> str:
        return f"groundcrew-{self.name}"

    @property
    def label(self) -> str:
        """Marks every container and volume of this cloud, so that ``down`` finds all of them."""
        return f"groundcrew.cloud={self.name}"

    def port(self, offset: int) -> int:
        return FIRST_PORT + 10 * self.index + offset

    @property
    def api_port(self) -> int:
        return self.port(0)

    @property
    def s3_port(self) -> int:
        return self.port(4)

    @property
    def registry_port(self) -> int:
        return self.port(5)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def s3_url(self) -> str:
        return f"http://{self.gateway}:{self.s3_port}"

    @property
    def registry(self) -> str:
        return f"{self.gateway}:{self.registry_port}"

    @property
    def ssh_key(self) -> Path:
        return self.dir / "ssh_key"

    @property
    def database(self) -> Path:
        return self.dir / "state.sqlite"

    def log(self, what: str) -> Path:
        return self.dir / f"{what}.log"

    def environment(self) -> dict[str, str]:
        """What a client of this cloud needs, by the names of the real ones."""
        return {
            "DIGITALOCEAN_TOKEN": self.token,
            "DIGITALOCEAN_API_URL": self.api_url,
            "AWS_ACCESS_KEY_ID": self.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3_secret_key,
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "GROUNDCREW_LOCAL_REGISTRY": self.registry,
            # Docker pushes without TLS to loopback only; both addresses are one registry.
            "GROUNDCREW_LOCAL_REGISTRY_PUSH": f"127.0.0.1:{self.registry_port}",
            "GROUNDCREW_LOCAL_GATEWAY": self.gateway,
            "GROUNDCREW_LOCAL_SSH_KEY": str(self.ssh_key),
            "GROUNDCREW_CLOUD_DIR": str(self.dir),
        }


def open_cloud(name: str, index: int, directory: Path, *, records_only: bool = False) -> Cloud:
    """The cloud in a directory, laid down there when it is new."""
    directory = directory.resolve()
    if (directory / "cloud.json").exists():
        cloud = load_cloud(directory)
        if (cloud.name, cloud.index) != (name, index):
            raise CloudError(
                f"{directory} holds the cloud '{cloud.name}' (index {cloud.index}), not '{name}' (index {index}). Choose another --dir, or take it down."
            )
        return cloud
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    cloud = Cloud(name, index, directory, f"dop_v1_{secrets.token_hex(32)}", f"local{secrets.token_hex(8)}", secrets.token_hex(20), records_only)
    write_private(directory / "cloud.json", json.dumps({**asdict(cloud), "dir": str(directory)}, indent=1))
    return cloud


def load_cloud(directory: Path) -> Cloud:
    """The cloud in a directory; it must be there."""
    path = directory / "cloud.json"
    if not path.exists():
        raise CloudError(f"No cloud in {directory}: run 'up' first, or name its directory with --dir.")
    # The directory may have been moved since.
    return Cloud(**{**json.loads(path.read_text()), "dir": directory.resolve()})
