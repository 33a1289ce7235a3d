# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed databases as containers that run the real server with TLS and admit trusted sources only."""

from __future__ import annotations

import io
import tarfile

from localcloud import docker, images
from localcloud.certificates import Authority
from localcloud.config import Cloud
from localcloud.shell import CloudError, wait_until
from localcloud.store import Document

PORTS = {"pg": 25060, "redis": 25061, "valkey": 25061}
START_SECONDS = 120
IMAGE = "groundcrew/database:debian-13"
# NET_ADMIN: the packet filter that admits trusted sources is the container's own.
FLAGS = ("--restart", "always", "--cap-add", "NET_ADMIN", "--stop-timeout", "20", "--shm-size", "256m")


def container(cloud: Cloud, cluster: Document) -> str:
    return f"groundcrew-{cloud.name}-database-{cluster['id']}"


@docker.unless_records_only
def prepare(_cloud: Cloud) -> None:
    """Have the image that the server is made of."""
    images.ensure([images.database()])


@docker.unless_records_only
def create(cloud: Cloud, cluster: Document, sources: list[str] | None) -> None:
    """Start the server, closed to all but its sources from the first moment. What a killed attempt left is removed first."""
    name = container(cloud, cluster)
    if docker.inspect("container", name):
        docker.docker("rm", "-f", name)
    docker.docker("volume", "create", "--label", cloud.label, name)
    flags = ["--label", cloud.label, "--network", cloud.network, "--ip", cluster["address"], *FLAGS]
    docker.docker("create", "--name", name, "--hostname", f"db-{cluster['name']}", *flags, "-e", f"ENGINE={cluster['engine']}", "-v", f"{name}:/data", IMAGE)
    authority = Authority(cloud.dir)
    certificate, key = authority.issue(cluster["address"])
    files = {
        "server.crt": certificate,
        "server.key": key,
        "ca.crt": authority.certificate,
        "password": cluster["users"][0]["password"],
        "admin-password": cluster["admin_password"],
        "eviction-policy": cluster["eviction_policy"].replace("_", "-"),
        "trusted.sh": _rules(sources),
    }
    docker.docker("cp", "-", f"{name}:/data", stdin=_tar(files))
    docker.docker("start", name)
    wait_until(f"The start of {name}", lambda: _ready(name, cluster["engine"]), seconds=START_SECONDS, pause=0.2)


@docker.unless_records_only
def trust(cloud: Cloud, cluster: Document, sources: list[str] | None) -> None:
    """Admit these addresses only (None: everybody); one atomic change of the packet filter, kept over a restart."""
    command = "cat > /data/trusted.new && mv /data/trusted.new /data/trusted.sh && sh /data/trusted.sh"
    docker.docker("exec", "-i", container(cloud, cluster), "sh", "-c", command, stdin=_rules(sources))


@docker.unless_records_only
def psql(cloud: Cloud, cluster: Document, statement: str, database: str = "defaultdb") -> str:
    """Run SQL as the superuser, who exists on the server's own socket only."""
    command = ["psql", "-qtAX", "-p", "25060", "-v", "ON_ERROR_STOP=1", "-d", database]
    return docker.docker("exec", "-i", "-u", "postgres", container(cloud, cluster), *command, stdin=statement)


@docker.unless_records_only
def redis(cloud: Cloud, cluster: Document, *command: str) -> str:
    """Run a command as the cloud's own user."""
    script = 'REDISCLI_AUTH="$(cat /data/admin-password)" exec "$0-cli" --tls --insecure -p 25061 --user cloud --no-auth-warning "$@"'
    answer = docker.docker("exec", container(cloud, cluster), "sh", "-c", script, cluster["engine"], *command).strip()
    if answer.startswith(("ERR", "NOPERM", "WRONGPASS", "AUTH failed")):
        raise CloudError(f"{cluster['engine']} refused {command[0]}: {answer}")
    return answer


@docker.unless_records_only
def keep(cloud: Cloud, cluster: Document, file: str, text: str) -> None:
    """Change a file that the server reads at its next start."""
    docker.docker("exec", "-i", container(cloud, cluster), "sh", "-c", f"cat > /data/{file}.new && mv /data/{file}.new /data/{file}", stdin=text)


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ready(name: str, engine: str) -> bool:
    # While it prepares itself, PostgreSQL listens on no address.
    check = (
        "pg_isready -q -h 127.0.0.1 -p 25060"
        if engine == "pg"
        else f"REDISCLI_AUTH=$(cat /data/admin-password) {engine}-cli --tls --insecure --user cloud -p 25061 ping | grep -q PONG"
    )
    state = docker.inspect("container", name)
    if state and state["RestartCount"] > 3:
        raise CloudError(f"The server in {name} does not stay up: {docker.docker('logs', '--tail', '20', name)}")
    return docker.quietly("exec", name, "sh", "-c", check)


def _rules(sources: list[str] | None) -> str:
    ports = "-p tcp --dport 25060:25061"
    admitted = [f"-A INPUT {ports} -s {source} -j ACCEPT" for source in sources or []]
    rest = [] if sources is None else [f"-A INPUT {ports} -j DROP"]
    return "\n".join(["iptables-restore <<RULES", "*filter", "-A INPUT -i lo -j ACCEPT", *admitted, *rest, "COMMIT", "RULES", ""])


def _tar(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            data = text.encode()
            entry.size, entry.mode = len(data), 0o644 if path.endswith(".crt") else 0o600
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
