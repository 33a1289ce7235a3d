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
from pathlib import Path
from typing import Any

import pytest

from tests.integration.backup_servers import client, folder, seaweed

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
