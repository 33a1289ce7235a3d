# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket for backups against stores that are dictionaries: AWS, one like it that can do less, and one that answers late."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import settings
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.bucket import Bucket, Wanted, days_of, require_name, rule_of
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import plan
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock

ELSEWHERE = "https://s3.test"
OTHERS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}
MISSING = {
    "lifecycle_configuration": "NoSuchLifecycleConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "public_access_block": "NoSuchPublicAccessBlockConfiguration",
    "object_lock_configuration": "ObjectLockConfigurationNotFoundError",
}
# What is answered without the envelope that it is sent in.
ENVELOPES = ("CreateBucketConfiguration", "VersioningConfiguration", "LifecycleConfiguration")


class Store:
    """A client of a store with one bucket at most; ``refused`` are the calls that it answers with an error's code, ``instead`` those it
    answers in another way."""

    def __init__(self, refused=None):
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.there: Any = None
        self.refused = refused or {}
        self.instead: dict[str, Any] = {}
        self.written = []

    def __getattr__(self, call):
        if call in self.instead:
            return self.instead[call]
        verb, _underscore, part = call.replace("bucket_", "").partition("_")

        def answer(Bucket, **given):
            if call in self.refused:
                raise refusal(self.refused[call])
            if self.there is None and verb != "create":
                raise refusal("NoSuchBucket")
            if verb == "get":
                return self.read(part)
            self.written.append(call)
            said = {key: value for envelope in ENVELOPES for key, value in given.pop(envelope, {}).items()} | given
            if verb == "create":
                self.there = {"location": said}
            else:
                self.there[part] = copy.deepcopy(said)
            return {}

        return answer

    def read(self, part):
        if part not in self.there and part in MISSING:
            raise refusal(MISSING[part])
        return copy.deepcopy(self.there.get(part, {}))


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "said the store"}}, "Call")


class Still(Clock):
    """A clock that sleeping moves."""

    time = 0.0

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def bucket(store, endpoint=None, region=None, clock=None, **wanted):
    return Bucket(S3Settings("backups", endpoint_url=endpoint, region=region), Wanted(**wanted), store, clock)


def converge(noun):
    """As the runner does it: what was planned and what came of it."""
    before = noun.read()
    planned = plan(before, noun.desired(before))
    if planned.changed:
        noun.apply(planned)
    return planned, noun.result(noun.read())["repository"]


def test_at_aws_everything_is_foretold_then_made_and_a_second_run_changes_nothing():
    store = Store()
    noun = bucket(store, encryption="aws:kms", region="eu-central-1")
    planned, made = converge(noun)
    assert planned.verb == "create"
    assert noun.result(planned.after)["repository"] == made
    assert made == {
        "bucket": "backups",
        "region": "eu-central-1",
        "versioning": "enabled",
        "encryption": "aws:kms",
        "lifecycle": {"noncurrent_days": 7, "unfinished_days": 2},
        "public_access": "blocked",
        "object_lock_days": None,
        "replication": None,
        "unsupported": [],
    }
    assert store.written[:2] == ["create_bucket", "put_public_access_block"], "private before anything else"
    del store.written[:]
    assert not converge(noun)[0].changed
    assert not store.written


def test_in_the_first_region_no_region_is_sent():
    store = Store()
    assert converge(bucket(store, region="us-east-1"))[1]["region"] == "us-east-1"
    assert store.there["location"] == {}


def test_a_store_that_cannot_block_public_access_is_said_to_and_does_not_change_each_run():
    store = Store(refused=dict.fromkeys(("get_public_access_block", "put_public_access_block"), "NotImplemented"))
    planned, made = converge(bucket(store, ELSEWHERE))
    assert planned.changed
    assert "public_access" not in planned.after, "nobody knows before there is a bucket"
    assert (made["public_access"], made["unsupported"], made["region"]) == ("unsupported", ["public_access"], None)
    assert not converge(bucket(store, ELSEWHERE))[0].changed


def test_a_store_that_answers_another_question_cannot_either():
    store = Store()
    store.there = {"public_access_block": {"Contents": []}}
    assert converge(bucket(store, ELSEWHERE))[1]["unsupported"] == ["public_access"]


def test_public_access_is_blocked_elsewhere_too_where_that_is_known():
    store = Store()
    assert converge(bucket(store, ELSEWHERE))[1]["public_access"] == "blocked"
    store.there["public_access_block"]["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] = False
    planned, made = converge(bucket(store, ELSEWHERE))
    assert planned.before["public_access"] == "open"
    assert made["public_access"] == "blocked"


def test_rules_of_others_stay_with_what_belongs_to_them():
    store = Store()
    store.there = {
        "lifecycle_configuration": {
            "Rules": [OTHERS, {**rule_of({"noncurrent_days": 90, "unfinished_days": 2}), "Expiration": {"Days": 1}}],
            "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
        }
    }
    planned, made = converge(bucket(store, noncurrent_days=3))
    assert planned.before["lifecycle"] == {"noncurrent_days": 90, "unfinished_days": 2, "altered": {"Expiration": {"Days": 1}}}
    assert made["lifecycle"] == {"noncurrent_days": 3, "unfinished_days": 2}
    written = store.there["lifecycle_configuration"]
    assert written["Rules"] == [OTHERS, rule_of(made["lifecycle"])]
    assert written["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"


DAYS = {"noncurrent_days": 7, "unfinished_days": 2}


@pytest.mark.parametrize("told", [{"Filter": {}}, {"Filter": None}, {"Filter": {"Prefix": ""}}, {"Prefix": ""}])
def test_the_ways_to_say_the_whole_bucket_are_one(told):
    rule = {key: value for key, value in rule_of(DAYS).items() if key != "Filter"}
    assert days_of({**rule, **told}) == DAYS


@pytest.mark.parametrize(
    "change",
    [
        {"Status": "Disabled"},
        {"Filter": {"Prefix": "x/"}},
        {"Filter": {"Tag": {"Key": "a", "Value": "b"}}},
        {"Expiration": {"Days": 9}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3}},
        {"AbortIncompleteMultipartUpload": None},
    ],
)
def test_a_rule_that_somebody_changed_is_not_ours_any_more(change):
    assert days_of({**rule_of(DAYS), **change}) != DAYS


def test_encryption_is_left_alone_unless_asked_for():
    store = Store()
    assert converge(bucket(store))[1]["encryption"] == "none"
    assert converge(bucket(store, encryption="AES256"))[1]["encryption"] == "AES256"
    planned, seen = converge(bucket(store))
    assert (planned.changed, seen["encryption"]) == (False, "AES256")


def test_encryption_that_a_store_cannot_be_told_is_said_and_refused_when_asked_for():
    store = Store(refused={"get_bucket_encryption": "NotImplemented"})
    assert converge(bucket(store, ELSEWHERE))[1]["unsupported"] == ["encryption"]
    with pytest.raises(OpsError, match="leave encryption to it"):
        converge(bucket(store, ELSEWHERE, encryption="AES256"))


def test_a_bucket_in_another_region_is_not_ours_to_move():
    store = Store()
    converge(bucket(store, region="eu-central-1"))
    with pytest.raises(OpsError, match="in region eu-central-1, not eu-west-1"):
        converge(bucket(store, region="eu-west-1"))
    assert not converge(bucket(store))[0].changed, "without a region, the bucket's own is right"


@pytest.mark.parametrize(
    ("call", "code", "advice"),
    [
        ("create_bucket", "BucketAlreadyExists", "taken by somebody else: choose another"),
        ("create_bucket", "AccessDenied", "may not make and configure"),
        ("get_bucket_location", "InvalidAccessKeyId", "Correct the access key"),
        ("get_bucket_location", "SignatureDoesNotMatch", "Correct the secret key"),
        ("get_bucket_versioning", "AccessDenied", "belongs to somebody else"),
        ("put_bucket_versioning", "NotImplemented", "Backups need versioning"),
    ],
)
def test_a_refusal_says_what_to_do(call, code, advice):
    store = Store(refused={call: code})
    with pytest.raises(OpsError, match=rf"bucket backups at {ELSEWHERE}: {code} .*{advice}"):
        converge(bucket(store, ELSEWHERE))


def test_a_store_that_is_not_there_is_an_error():
    store = Store()
    store.instead["get_bucket_location"] = Mock(side_effect=EndpointConnectionError(endpoint_url=ELSEWHERE))
    with pytest.raises(OpsError, match="Check the endpoint"):
        bucket(store, ELSEWHERE).read()


def test_a_lost_answer_to_the_creation_is_no_failure():
    store = Store()
    create = store.create_bucket

    def twice(**given):
        create(**given)
        raise refusal("BucketAlreadyOwnedByYou")

    store.instead["create_bucket"] = twice
    assert converge(bucket(store, ELSEWHERE))[1]["versioning"] == "enabled"


def test_a_change_that_is_seen_late_is_waited_for_and_one_that_is_never_seen_is_an_error():
    store, clock = Store(), Still()
    now = store.get_bucket_versioning
    store.instead["get_bucket_versioning"] = lambda **given: now(**given) if clock.time > 20 else {}
    assert converge(bucket(store, clock=clock))[1]["versioning"] == "enabled"
    assert clock.time > 20
    store, clock = Store(), Still()
    store.instead["get_bucket_versioning"] = lambda **_given: {"Status": "Suspended"}
    with pytest.raises(OpsError, match=r"Gave up waiting.*'versioning': \('suspended', 'enabled'\)"):
        converge(bucket(store, clock=clock))


@pytest.mark.parametrize("name", ["backups", "my.backups-2", "a" * 63, "1ab", "1.2.3"])
def test_names_that_stores_allow(name):
    require_name(name)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Backups", "my_backups", "-ab", "ab-", "a..b", "10.0.0.1", "a/b", "ab\n", ""])
def test_names_that_none_allows(name):
    with pytest.raises(OpsError, match="cannot be the name of a bucket"):
        require_name(name)


@pytest.mark.parametrize("option", ["noncurrent_days", "unfinished_days"])
def test_less_than_a_day_is_refused(option):
    with pytest.raises(OpsError, match=f"{option} is 0"):
        bucket(Store(), **{option: 0})


def test_the_options_become_the_bucket():
    options = {"bucket": "backups", "endpoint_url": ELSEWHERE, "region": "us-east-1", "access_key": "a", "secret_key": "b"}
    noun = settings.repository({**options, "noncurrent_days": 5, "unfinished_days": 1, "encryption": "AES256"})
    assert noun.desired(None) == {
        "bucket": "backups",
        "versioning": "enabled",
        "lifecycle": {"noncurrent_days": 5, "unfinished_days": 1},
        "encryption": "AES256",
    }


def test_locks_and_a_key_of_ones_own_are_made_once_and_changed_later():
    store = Store()
    noun = bucket(store, encryption="aws:kms", kms_key="alias/backups", object_lock_days=30)
    planned, made = converge(noun)
    assert (made["object_lock_days"], made["encryption"]) == (30, "aws:kms alias/backups")
    assert noun.result(planned.after)["repository"] == made
    assert store.there["location"] == {"ObjectLockEnabledForBucket": True}
    assert not converge(noun)[0].changed
    assert converge(bucket(store, object_lock_days=60))[1]["object_lock_days"] == 60
    assert not converge(bucket(store))[0].changed, "left as it is"


def test_locks_where_there_are_none_and_a_key_that_is_not_used_are_refused():
    store = Store({"get_object_lock_configuration": "NotImplemented"})
    converge(bucket(store, ELSEWHERE))
    with pytest.raises(OpsError, match="cannot lock objects"):
        converge(bucket(store, ELSEWHERE, object_lock_days=1))
    with pytest.raises(OpsError, match="encryption is not aws:kms"):
        bucket(store, kms_key="alias/backups")
    with pytest.raises(OpsError, match="object_lock_days is 0"):
        bucket(store, object_lock_days=0)
