# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cloud's databases are real servers: TLS, roles, and trusted sources that truly block."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

PREFIX = "dbtest-"


def create(cloud: Any, engine: str, **more: Any) -> dict[str, Any]:
    body = {"name": f"{PREFIX}{engine}", "engine": engine, "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1, **more}
    status, answer = cloud.request("POST", "/v2/databases", body)
    assert status == 201, answer
    path = f"/v2/databases/{answer['database']['id']}"
    return dict(cloud.wait("The cluster", path, lambda _, body: body["database"]["status"] == "online")["database"])


def cluster_of(engine: str) -> Any:
    @pytest.fixture(scope="module")
    def cluster(cloud: Any) -> Iterator[dict[str, Any]]:
        made = create(cloud, engine)
        yield made
        cloud.request("DELETE", f"/v2/databases/{made['id']}")

    return cluster


postgresql = cluster_of("pg")
valkey = cluster_of("valkey")


@pytest.fixture
def authority(cloud: Any, postgresql: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(base64.b64decode(cloud.request("GET", f"/v2/databases/{postgresql['id']}/ca")[1]["ca"]["certificate"]))
    return path


def connect(cluster: dict[str, Any], authority: Path, **changes: Any) -> Any:
    made = {key: cluster["connection"][key] for key in ("host", "port", "user", "password")} | {"dbname": "defaultdb"}
    return psycopg2.connect(**(made | {"sslmode": "verify-full", "sslrootcert": str(authority), "connect_timeout": 5} | changes))


def one(connection: Any, statement: str) -> Any:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def test_the_first_user_is_powerful_but_no_superuser(postgresql: dict[str, Any], authority: Path) -> None:
    connection = connect(postgresql, authority)
    assert one(connection, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user") == (False, True, True)
    assert str(one(connection, "SHOW server_version")[0]).startswith("17")
    connection.close()


def test_no_connection_without_tls_and_none_under_another_authority(postgresql: dict[str, Any], authority: Path, tmp_path: Path) -> None:
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        connect(postgresql, authority, sslmode="disable", sslrootcert="")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-out", tmp_path / "other", "-subj", "/CN=other"],
        check=True,
        capture_output=True,
    )
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        connect(postgresql, tmp_path / "other")


def test_users_and_databases_are_real(cloud: Any, postgresql: dict[str, Any], authority: Path) -> None:
    path = f"/v2/databases/{postgresql['id']}"
    user = cloud.request("POST", f"{path}/users", {"name": "it's-not"})
    assert user[0] == 422
    user = cloud.request("POST", f"{path}/users", {"name": "app"})[1]["user"]
    assert cloud.request("POST", f"{path}/dbs", {"name": "shop"})[0] == 201
    connect(postgresql, authority, user="app", password=user["password"], dbname="shop").close()
    fresh = cloud.request("POST", f"{path}/users/app/reset_auth", {})[1]["user"]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(postgresql, authority, user="app", password=user["password"], dbname="shop")
    connect(postgresql, authority, user="app", password=fresh["password"], dbname="shop").close()
    assert cloud.request("DELETE", f"{path}/users/app")[0] == 204
    assert cloud.request("DELETE", f"{path}/dbs/shop")[0] == 204
    with pytest.raises(psycopg2.OperationalError):
        connect(postgresql, authority, dbname="shop")


def test_data_survives_the_servers_own_restart(cloud: Any, postgresql: dict[str, Any], authority: Path) -> None:
    connection = connect(postgresql, authority)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    subprocess.run(["docker", "restart", f"groundcrew-{cloud.cloud.name}-database-{postgresql['id']}"], check=True, capture_output=True)
    cloud.wait("PostgreSQL", "/v2/account", lambda *_: reachable(postgresql), 30)
    cloud.wait("PostgreSQL", "/v2/account", lambda *_: answers(postgresql, authority), 30)


def answers(cluster: dict[str, Any], authority: Path) -> bool:
    try:
        connection = connect(cluster, authority)
    except psycopg2.OperationalError:
        return False
    kept = one(connection, "SELECT answer FROM kept") == (42,)
    connection.close()
    return kept


def reachable(cluster: dict[str, Any]) -> bool:
    try:
        with socket.create_connection((cluster["connection"]["host"], cluster["connection"]["port"]), timeout=2):
            return True
    except OSError:
        return False


def talk(cluster: dict[str, Any], *lines: str) -> str:
    """Say lines to a memory store over TLS and return the last answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = cluster["connection"]
    with socket.create_connection((connection["host"], connection["port"]), timeout=5) as plain, context.wrap_socket(plain) as secure:
        answer = ""
        for line in lines:
            secure.sendall(f"{line}\r\n".encode())
            answer = secure.recv(4096).decode()
        return answer


def test_valkey_wants_its_password_and_evicts_nothing_unless_told(cloud: Any, valkey: dict[str, Any]) -> None:
    path = f"/v2/databases/{valkey['id']}"
    assert "NOAUTH" in talk(valkey, "PING")
    login = f"AUTH default {valkey['connection']['password']}"
    assert talk(valkey, login, "PING") == "+PONG\r\n"
    assert "maxmemory_policy:noeviction" in talk(valkey, login, "INFO memory")
    assert cloud.request("PUT", f"{path}/eviction_policy", {"eviction_policy": "allkeys_lru"})[0] == 204
    assert "maxmemory_policy:allkeys-lru" in talk(valkey, login, "INFO memory")
    fresh = cloud.request("POST", f"{path}/users/default/reset_auth", {})[1]["user"]["password"]
    assert "WRONGPASS" in talk(valkey, login)
    assert talk(valkey, f"AUTH default {fresh}", "PING") == "+PONG\r\n"


def test_trusted_sources_admit_by_tag_and_block_everybody_else(cloud: Any, postgresql: dict[str, Any]) -> None:
    droplets = cloud.request(
        "POST", "/v2/droplets", {"names": [f"{PREFIX}in", f"{PREFIX}out"], "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64"}
    )[1]["droplets"]
    inside, outside = droplets
    tag, rules = f"{PREFIX}trusted", f"/v2/databases/{postgresql['id']}/firewall"

    def tagging(method: str, droplet: dict[str, Any]) -> None:
        resource = {"resource_id": str(droplet["id"]), "resource_type": "droplet"}
        assert cloud.request(method, f"/v2/tags/{tag}/resources", {"resources": [resource]})[0] == 204

    def connects(droplet: dict[str, Any]) -> bool:
        target = f"/dev/tcp/{postgresql['connection']['host']}/{postgresql['connection']['port']}"
        command = ["docker", "exec", f"groundcrew-{cloud.cloud.name}-droplet-{droplet['id']}", "timeout", "2", "bash", "-c", f": < {target}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    try:
        for droplet in droplets:
            cloud.wait("The droplet", f"/v2/droplets/{droplet['id']}", lambda _, body: body["droplet"]["status"] == "active")
        assert connects(inside) and connects(outside) and reachable(postgresql), "without rules everybody is admitted"
        cloud.request("POST", "/v2/tags", {"name": tag})
        tagging("POST", inside)
        assert cloud.request("PUT", rules, {"rules": [{"type": "tag", "value": tag}]})[0] == 204
        assert connects(inside)
        assert not connects(outside) and not reachable(postgresql)
        tagging("POST", outside)
        assert connects(outside)
        tagging("DELETE", inside)
        assert not connects(inside)
        assert (
            cloud.request("PUT", rules, {"rules": [{"type": "droplet", "value": str(inside["id"])}, {"type": "ip_addr", "value": cloud.cloud.gateway}]})[0]
            == 204
        )
        assert connects(inside) and reachable(postgresql)
        assert not connects(outside)
    finally:
        cloud.request("PUT", rules, {"rules": []})
        for droplet in droplets:
            cloud.request("DELETE", f"/v2/droplets/{droplet['id']}")
        cloud.request("DELETE", f"/v2/tags/{tag}")
