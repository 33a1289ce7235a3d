# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of logs as a timer runs it, at a store that checks signatures. Kills and damages: tests/unit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backup_servers import client, folder, seaweed
from tests.integration.dryrun_walk import Verb
from tests.integration.dryrun_worlds import Host, droplet

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_rotated_logs_go_to_the_bucket_and_stay_provable(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    logs.mkdir()
    # The second one goes in parts.
    contents = {"access.log.1.gz": b"a" * 1000, "access.log.2.gz": os.urandom(20 * 2**20)}
    for name, content in contents.items():
        (logs / name).write_bytes(content)
        os.utime(logs / name, (time.time() - 2 * 86400,) * 2)
    archive = tmp_path / "code.zip"
    subprocess.run([sys.executable, ROOT / "roles/maintenance/files/pack.py", ROOT / "plugins/module_utils", archive], check=True)

    def run(verb: str, options: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "logs.json"
        config.unlink(missing_ok=True)
        config.write_text(json.dumps({"host": "web-1", "paths": [f"{logs}/*.gz"], **options}))
        config.chmod(0o400)
        program = [sys.executable, "-m", "ansible_collections.groundcrew.ops.plugins.module_utils._upkeep.cli", verb, "--config", str(config), *arguments]
        return subprocess.run(program, env={**os.environ, "PYTHONPATH": str(archive)}, cwd=tmp_path, check=False, capture_output=True, text=True)

    with folder() as place, seaweed(place) as store:
        refused = run("logs-archive", {**store, "secret_key": "wrong"})
        assert refused.returncode == 1 and "Correct the secret key" in refused.stderr and len(list(logs.iterdir())) == 2
        foretold = json.loads(run("logs-archive", store, "--check").stdout)
        assert foretold["changed"] and len(foretold["steps"]) == 2 and len(list(logs.iterdir())) == 2
        done = json.loads(run("logs-archive", store).stdout)
        assert (done["archived"], done["bytes"], list(logs.iterdir())) == (2, 1000 + 20 * 2**20, [])
        s3 = client(store)
        found = {each["Key"]: each["Size"] for each in s3.list_objects_v2(Bucket=store["bucket"], Prefix="logs/web-1/")["Contents"]}
        assert sorted(key.split(".")[-2] for key in found) == sorted(hashlib.sha256(content).hexdigest() for content in contents.values())
        assert json.loads(run("logs-archive", store).stdout)["changed"] is False
        assert json.loads(run("logs-verify", store).stdout)["proven"] == 2
        # The control: another content of the same size.
        [small] = [key for key, size in found.items() if size == 1000]
        s3.put_object(Bucket=store["bucket"], Key=small, Body=b"b" * 1000)
        damaged = run("logs-verify", store)
        assert damaged.returncode == 1 and small in damaged.stderr


@pytest.mark.slow
def test_the_units_of_a_host_s_timers_archive_and_verify(cloud: Any, tmp_path: Path) -> None:
    names = {"endpoint_url": "AWS_ENDPOINT_URL_S3", "access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY"}
    store = {**{name: cloud.env[variable] for name, variable in names.items()}, "bucket": f"logs-{uuid.uuid4().hex[:8]}", "addressing_style": "path"}
    s3 = client({**store, "region": "us-east-1"})
    s3.create_bucket(Bucket=store["bucket"])
    declared = {
        "maintenance_code": True,
        "maintenance_presets": ["logs-archive", "logs-verify"],
        "maintenance_logs": {**store, "paths": ["/var/log/shop/*.gz"]},
    }
    with droplet(cloud, "logs-1") as address:
        host = Host("logs-1", address, cloud.cloud.ssh_key, tmp_path, declared)
        installed = host.run(Verb("maintenance", "main", lambda _chance: {}), {})
        assert installed.rc == 0, installed.failed

        def by_timer(name: str) -> dict[str, Any]:
            """What the unit of a timer leaves in its record."""
            host.say(f"systemctl is-active --quiet groundcrew-{name}.timer; systemctl start groundcrew-{name}.service || true")
            return dict(json.loads(host.say(f"cat /var/lib/groundcrew/maintenance/{name}.json")))

        host.say("mkdir /var/log/shop; echo a line > /var/log/shop/access.log.1.gz; touch -d '2 days ago' /var/log/shop/access.log.1.gz")
        archived = by_timer("logs-archive")
        assert archived["outcome"] == "ok" and host.say("ls /var/log/shop") == "", archived
        [key] = [each["Key"] for each in s3.list_objects_v2(Bucket=store["bucket"], Prefix="logs/logs-1/")["Contents"]]
        assert s3.get_object(Bucket=store["bucket"], Key=key)["Body"].read() == b"a line\n"
        verified = by_timer("logs-verify")
        assert verified["outcome"] == "ok", verified
        # The control: another content of the same size.
        s3.put_object(Bucket=store["bucket"], Key=key, Body=b"b line\n")
        damaged = by_timer("logs-verify")
        assert damaged["outcome"] == "failed" and key in json.dumps(damaged), damaged
