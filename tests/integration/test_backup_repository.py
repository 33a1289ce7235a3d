# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket for backups at a real store: a dry run says what the run then does, and what others put into the bucket stays."""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.bucket import RULE
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, make_client
from tests.integration import checkmode

MODULE = "groundcrew.ops.backup_repository"
LOGS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}}


@pytest.fixture
def name() -> str:
    return f"repository-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def s3(cloud: Any, name: str) -> Iterator[Any]:
    """A client of the store, which afterwards has no bucket of this name."""
    key, secret = cloud.env["AWS_ACCESS_KEY_ID"], cloud.env["AWS_SECRET_ACCESS_KEY"]
    client = make_client(S3Settings(name, cloud.env["AWS_ENDPOINT_URL_S3"], "us-east-1", key, secret, addressing_style="path"))
    yield client
    if name in buckets(client):
        client.delete_bucket(Bucket=name)


def buckets(client: Any) -> list[str]:
    return [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def rules(client: Any, name: str) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    return result


def test_foretold_made_changed_and_left_alone(cloud: Any, s3: Any, name: str) -> None:
    def run(check: bool, **more: Any) -> dict[str, Any]:
        return succeeded(cloud.module(MODULE, {"bucket": name, **more}, check=check))

    foretold = run(True)
    assert foretold["changed"]
    assert name not in buckets(s3), "a dry run made it"
    made = run(False)
    assert made["changed"]
    assert made["diff"] == foretold["diff"]
    assert made["repository"] == {
        "bucket": name,
        "region": None,
        "versioning": "enabled",
        "encryption": "none",
        "lifecycle": {"noncurrent_days": 7, "unfinished_days": 2},
        "public_access": "unsupported",
        "object_lock_days": None,
        "replication": None,
        "unsupported": ["public_access"],
    }
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert not run(True)["changed"]
    assert not run(False)["changed"]

    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [*rules(s3, name).values(), LOGS]})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    other = {"noncurrent_days": 3, "unfinished_days": 1, "encryption": "AES256"}
    foretold = run(True, **other)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    assert rules(s3, name)[RULE]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    changed = run(False, **other)
    assert foretold["changed"] and changed["changed"]
    assert (changed["diff"], changed["repository"]) == (foretold["diff"], foretold["repository"])
    assert changed["repository"]["encryption"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert rules(s3, name)["logs"] == LOGS, "a rule of somebody else was touched"
    assert rules(s3, name)[RULE]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}
    assert not run(False, **other)["changed"]

    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [LOGS]})
    assert run(True, **other)["changed"], "our rule is gone, and the dry run does not see it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"access_key": "nobody"}, "InvalidAccessKeyId .* Correct the access key"),
        ({"secret_key": "wrong"}, "SignatureDoesNotMatch .* Correct the secret key"),
        ({"bucket": "Not_A_Name"}, "'Not_A_Name' cannot be the name of a bucket"),
    ],
)
def test_what_cannot_be_is_said_by_the_dry_run(cloud: Any, name: str, arguments: dict[str, Any], message: str) -> None:
    result = cloud.module(MODULE, {"bucket": name, **arguments}, check=True)
    assert result.get("failed"), result
    assert re.search(message, result["msg"]), result["msg"]


def test_the_role_tells_the_truth_in_a_dry_run_and_what_it_made(cloud: Any, s3: Any, name: str, tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections" / "groundcrew" / "ops"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(Path(__file__).resolve().parents[2])
    inventory = tmp_path / "hosts.json"
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))
    variables = {
        "backup_repository_bucket": name,
        "backup_repository_endpoint_url": cloud.env["AWS_ENDPOINT_URL_S3"],
        "backup_repository_access_key": cloud.env["AWS_ACCESS_KEY_ID"],
        "backup_repository_secret_key": cloud.env["AWS_SECRET_ACCESS_KEY"],
    }
    told = [f"backup_repository_result.bucket == '{name}'", "backup_repository_result.versioning == 'enabled'"]
    tasks = [
        {"name": "Apply the role", "ansible.builtin.include_role": {"name": MODULE}},
        {"name": "Require what it tells", "ansible.builtin.assert": {"that": told}},
    ]
    book = tmp_path / "play.json"
    book.write_text(json.dumps([{"name": "Make the bucket", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    collections = f"{tmp_path}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}".rstrip(":")
    changed = checkmode.assert_truthful(book, inventory, env={"ANSIBLE_COLLECTIONS_PATH": collections})
    assert {host for host, _task in changed} == {"localhost"}
    assert name in buckets(s3)
