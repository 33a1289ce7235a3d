# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option of the store reaches the requests, and what the bucket should be is found there by another client; moto stands in for AWS."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.inspection import inspect
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import make_client
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan

AWS = {"bucket": "backups", "region": "eu-central-1", "access_key": "testing", "secret_key": "testing"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/here"
COPY = {"role": "arn:aws:iam::123456789012:role/copy", "bucket": "arn:aws:s3:::backups-copy", "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/there"}


@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
        client.create_bucket(Bucket="backups-copy", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_bucket_versioning(Bucket="backups-copy", VersioningConfiguration={"Status": "Enabled"})
        yield boto3.client("s3", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")


def converge(**wanted):
    bucket = settings.repository({**AWS, **wanted})
    planned = plan(bucket.read(), bucket.desired(bucket.read()))
    if planned.changed:
        bucket.apply(planned)
    return planned.changed


def drift(**declared):
    findings = inspect(settings.repository({**AWS, **declared}), None, "backups", "", declared=True)
    return next(one for one in findings if one.id == "repository.drift")


def test_encryption_lock_and_replication_are_at_the_store_and_drift_is_named(s3):
    wanted = {"encryption": "aws:kms", "kms_key": KEY, "object_lock_days": 30, "replication": COPY}
    assert converge(**wanted)
    assert not converge(**wanted)
    [rule] = s3.get_bucket_encryption(Bucket="backups")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert s3.get_object_lock_configuration(Bucket="backups")["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"] == 30
    replication = s3.get_bucket_replication(Bucket="backups")["ReplicationConfiguration"]
    assert (replication["Role"], replication["Rules"][0]["Destination"]["Bucket"]) == (COPY["role"], COPY["bucket"])
    assert replication["Rules"][0]["DeleteMarkerReplication"] == {"Status": "Disabled"}
    assert drift(**wanted).verdict == "pass"

    s3.delete_bucket_replication(Bucket="backups")
    s3.put_bucket_versioning(Bucket="backups", VersioningConfiguration={"Status": "Suspended"})
    found = drift(**wanted)
    assert found.verdict == "fail"
    assert "versioning is suspended, declared is enabled" in found.evidence
    assert "replication is None" in found.evidence
    assert drift(**{**wanted, "noncurrent_days": 9}).evidence.count("declared is") == 3
    assert converge(**wanted)
    assert drift(**wanted).verdict == "pass"


def test_rules_of_others_stay_and_what_would_copy_nothing_is_refused(s3):
    assert converge()
    logs = {"ID": "logs", "Status": "Enabled", "Priority": 4, "Filter": {"Prefix": "logs/"}, "DeleteMarkerReplication": {"Status": "Disabled"}}
    logs["Destination"] = {"Bucket": COPY["bucket"]}
    s3.put_bucket_replication(Bucket="backups", ReplicationConfiguration={"Role": COPY["role"], "Rules": [logs]})
    plain = {"role": COPY["role"], "bucket": COPY["bucket"]}
    assert converge(replication=plain)
    rules = {rule["ID"]: rule["Priority"] for rule in s3.get_bucket_replication(Bucket="backups")["ReplicationConfiguration"]["Rules"]}
    assert rules == {"logs": 4, "groundcrew": 5}
    assert not converge(), "left as it is"
    with pytest.raises(OpsError, match=r"Others have rules of replication in this bucket \(logs\)"):
        converge(replication={**plain, "role": "arn:aws:iam::123456789012:role/other"})
    with pytest.raises(OpsError, match=r"give replication\.kms_key"):
        converge(replication=plain, encryption="aws:kms")
    with pytest.raises(OpsError, match="give the ARN of a bucket"):
        converge(replication={**plain, "bucket": "backups-copy"})


def test_the_storage_class_is_that_of_large_objects(s3):
    converge()
    store = settings.store({**AWS, "storage_class": "STANDARD_IA"})
    store.put("manifest.json", b"small")
    store.put("bundle/00001.tar", bytes(128 * 1024))
    upload = store.upload("data/1.dat")
    upload.part(1, b"x" * 5)
    upload.complete()
    classes = {item["Key"]: item["StorageClass"] for item in s3.list_objects_v2(Bucket="backups")["Contents"]}
    assert classes == {"manifest.json": "STANDARD", "bundle/00001.tar": "STANDARD_IA", "data/1.dat": "STANDARD_IA"}
    with pytest.raises(OpsError, match="take hours to be read again"):
        settings.store({**AWS, "storage_class": "DEEP_ARCHIVE"})


@pytest.mark.parametrize(("style", "url"), [("path", "https://s3.test:9000/backups/key"), ("virtual", "https://backups.s3.test:9000/key")])
def test_the_style_of_addresses_the_token_and_the_authorities_reach_the_request(style, url):
    options = {**AWS, "endpoint_url": "https://s3.test:9000", "addressing_style": style, "session_token": "of a role", "ca_bundle": "/etc/ssl/own.pem"}
    client, seen = make_client(settings.s3(options)), []

    def refuse(request, **_more):
        seen.append(request)
        raise KeyError("nothing leaves this test")

    client.meta.events.register("before-send.s3", refuse)
    with pytest.raises(KeyError, match="nothing leaves"):
        client.put_object(Bucket="backups", Key="key", Body=b"x")
    assert (seen[0].url, seen[0].headers["X-Amz-Security-Token"]) == (url, b"of a role")
    assert client._endpoint.http_session._verify == "/etc/ssl/own.pem"
