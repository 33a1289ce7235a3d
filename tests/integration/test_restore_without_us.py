# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of docs/operations/restore.md under "Without this project", as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import policy, settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.postgres import Session
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import environment, find_tools
from tests.integration import backup_servers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "restore.md"
KEY = "0123456789abcdef0123456789abcdef"
# What "aws s3 sync" does, for where that program is not installed: fetch every object under a prefix into a folder.
SYNC = """
import os, pathlib, sys
import boto3
assert sys.argv[1:3] == ["s3", "sync"], sys.argv
bucket, prefix = sys.argv[3].removeprefix("s3://").split("/", 1)
client = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"])
for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for item in page["Contents"]:
        path = pathlib.Path(sys.argv[4]) / item["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, item["Key"], str(path))
"""


def blocks(language: str) -> str:
    """The one block of a language in that section."""
    section = PAGE.read_text().partition("## Without this project\n")[2]
    [found] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    with backup_servers.folder() as folder, backup_servers.postgres(folder) as database, backup_servers.seaweed(folder) as store:
        yield {**database, **store, "signing_key": KEY}


@pytest.mark.parametrize("encryption_key", [None, "correct horse battery staple"])
def test_the_documented_commands_restore_a_backup(servers: dict[str, Any], tmp_path: Path, encryption_key: str | None) -> None:
    params = {**servers, "staging_dir": str(tmp_path), "encryption_key": encryption_key, "prefix": "sealed" if encryption_key else "plain"}
    there = {**params, "login_db": "shop"}
    with Session(settings.database(params)) as session:
        session.drop("shop")
        session.drop("shop_restored")
        session.rows("CREATE DATABASE shop")
    with Session(settings.database(there)) as session:
        session.rows("CREATE TABLE public.orders AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS item FROM generate_series(1, 60000) n")
        session.rows("CREATE TABLE public.few AS SELECT 1 AS n")
        tools = find_tools(session.major)
    operation = settings.backup(there)
    made = operation.apply(operation.plan())["backup"]

    commands = blocks("sh").replace("s3://example-backups/postgresql/7710496664766436481/shop/20261121T054945Z-40b1753c/", url(there, made))
    if encryption_key:
        (tmp_path / "unseal.py").write_text(blocks("python"))
        first, second, rest = commands.split("\n", 2)
        commands = "\n".join([first, second, f"python3 unseal.py backup {made['backup_id']}", rest])
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aws").write_text(f"#!{sys.executable}\n{SYNC}")
    (programs / "aws").chmod(0o755)
    keys = {"AWS_ACCESS_KEY_ID": params["access_key"], "AWS_SECRET_ACCESS_KEY": params["secret_key"], "AWS_DEFAULT_REGION": "us-east-1"}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), str(tools.folder), os.environ["PATH"]])
    more = {"PATH": path, "ENDPOINT": params["endpoint_url"], "ENCRYPTION_KEY": encryption_key or "", **keys}
    login = dict(environment(settings.database(params)))
    done = subprocess.run(["sh", "-euc", commands], cwd=tmp_path, env={**os.environ, **login, **more}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == made["objects"]

    with Session(settings.database({**there, "login_db": "shop_restored"})) as restored, Session(settings.database(there)) as source:
        assert policy.compare(source.truth(None), restored.truth(None)).differences == ()


def url(params: dict[str, Any], made: dict[str, Any]) -> str:
    return f"s3://{params['bucket']}/{params['prefix']}/postgresql/{made['system_id']}/shop/{made['backup_id']}/"
