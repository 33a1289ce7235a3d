# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket that backups go to, as one thing that converges. It is made and configured, never deleted: there are backups in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import replication
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import ADVICE, S3Settings, make_client
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import explained
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.plan import Plan, State, differences
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock, wait_for

RULE = "groundcrew"
FIRST_REGION = "us-east-1"  # AWS names it nowhere: not in the answer, and not in the request that makes a bucket
SHOWN = ("bucket", "region", "versioning", "encryption", "lifecycle", "public_access", "object_lock_days", "replication")
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
NO_LOCK = "ObjectLockConfigurationNotFoundError"
NO_REPLICATION = "ReplicationConfigurationNotFoundError"
CANNOT = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})
# AWS says itself that a configuration is not seen at once.
SETTLE_SECONDS = 120.0

BUCKET_ADVICE = {
    **ADVICE,
    "AccessDenied": "The bucket belongs to somebody else, or these credentials may not make and configure buckets.",
    "403": "The bucket belongs to somebody else, or these credentials may not make and configure buckets.",
    "BucketAlreadyExists": "The name is taken by somebody else: choose another.",
    "InvalidBucketName": "Choose a name that the store allows.",
    "TooManyBuckets": "Ask the store's operator for a larger quota, or use a bucket that is there.",
    **dict.fromkeys(CANNOT, "The store cannot do this. Backups need versioning and lifecycle rules; encryption can be left to the store."),
}


@dataclass(frozen=True)
class Wanted:
    """Days for which overwritten and deleted objects, and unfinished uploads, are kept.

    encryption: store, AES256 or aws:kms. kms_key: the key for the last, the account's own when None.
    object_lock_days: for so long nobody can remove a version of an object without a special permission; None leaves that as it is.
    replication: where the store copies new objects to; None leaves that as it is.
    """

    noncurrent_days: int = 7
    unfinished_days: int = 2
    encryption: str = "store"
    kms_key: str | None = None
    object_lock_days: int | None = None
    replication: replication.Replication | None = None


class Bucket:
    """A noun for ``_core.run.converge``."""

    def __init__(self, settings: S3Settings, wanted: Wanted, client: Any = None, clock: Clock | None = None) -> None:
        require_name(settings.bucket)
        if wanted.kms_key and wanted.encryption != "aws:kms":
            raise OpsError("A key of KMS is given, and encryption is not aws:kms: choose one.", field="kms_key")
        if wanted.replication is not None:
            wanted.replication.require(wanted.encryption)
        days_given = {name: getattr(wanted, name) for name in ("noncurrent_days", "unfinished_days", "object_lock_days")}
        for name, days in days_given.items():
            if days is not None and days < 1:
                raise OpsError(f"{name} is {days}: a store counts whole days, from 1 on.", field=name)
        self._settings = settings
        self._wanted = wanted
        self._client = client or make_client(settings)
        self._clock = clock
        self._name = {"Bucket": settings.bucket}

    def read(self) -> State | None:
        location = self._read("find", self._client.get_bucket_location, absent="NoSuchBucket")
        if location is None:
            return None
        versioning = self._read("read the versioning of", self._client.get_bucket_versioning) or {}
        own = [rule for rule in self._lifecycle()["Rules"] if rule.get("ID") == RULE]
        return {
            "bucket": self._settings.bucket,
            # Elsewhere the endpoint is the region, and what a store answers here says nothing.
            "region": (location.get("LocationConstraint") or FIRST_REGION) if self._settings.aws else None,
            "versioning": (versioning.get("Status") or "none").lower(),
            "encryption": self._encryption(),
            "lifecycle": days_of(own[0]) if own else None,
            "public_access": self._public_access(),
            "object_lock_days": self._object_lock(),
            "replication": self._replication(),
        }

    def desired(self, current: State | None) -> State | None:
        wanted = self._wanted
        state: dict[str, Any] = {
            "bucket": self._settings.bucket,
            "versioning": "enabled",
            "lifecycle": {"noncurrent_days": wanted.noncurrent_days, "unfinished_days": wanted.unfinished_days},
        }
        if wanted.encryption != "store":
            if current and current["encryption"] == "unsupported":
                raise OpsError(f"The store {self._settings.where} cannot be told how to encrypt: leave encryption to it (store).", field="encryption")
            state["encryption"] = f"aws:kms {wanted.kms_key}" if wanted.kms_key else wanted.encryption
        if wanted.object_lock_days is not None:
            if current and current["object_lock_days"] == "unsupported":
                raise OpsError(f"The store {self._settings.where} cannot lock objects: leave object_lock_days out.", field="object_lock_days")
            state["object_lock_days"] = wanted.object_lock_days
        if wanted.replication is not None:
            if current and current["replication"] == "unsupported":
                raise OpsError(f"The store {self._settings.where} cannot copy objects to another bucket: leave replication out.", field="replication")
            state["replication"] = wanted.replication.state()
        if self._settings.aws:
            region = self._region() if current is None or self._settings.region else current["region"]
            if current and current["region"] != region:
                raise OpsError(
                    f"Bucket {self._settings.bucket} is in region {current['region']}, not {region}, and cannot be moved. Correct the region or the name.",
                    field="region",
                )
            state["region"] = region
        # Whether another store can do it is known once there is a bucket to ask about.
        if self._settings.aws or (current and current["public_access"] != "unsupported"):
            state["public_access"] = "blocked"
        return state

    def apply(self, planned: Plan) -> None:
        before, after = planned.before, planned.after or {}
        if before is None:
            self._create()
        steps: Mapping[str, Callable[[Any], None]] = {
            "public_access": self._block_public_access,
            "encryption": self._encrypt,
            "versioning": self._enable_versioning,
            "lifecycle": self._put_rule,
            "object_lock_days": self._lock,
            "replication": self._replicate,
        }
        changes = differences(before or {}, after)
        for field, change in steps.items():
            if field in changes:
                change(after[field])
        if before is None and "public_access" not in after and self._public_access() == "open":
            self._block_public_access("blocked")
        wait_for(
            f"the configuration of bucket {self._settings.bucket} to take effect",
            lambda: differences(self.read(), after),
            lambda left: not left,
            timeout=SETTLE_SECONDS,
            clock=self._clock,
        )

    def result(self, state: State | None) -> Mapping[str, Any]:
        shown = {key: (state or {}).get(key) for key in SHOWN}
        return {"repository": {**shown, "unsupported": [key for key in SHOWN if shown[key] == "unsupported"]}}

    def _create(self) -> None:
        there = {"CreateBucketConfiguration": {"LocationConstraint": self._region()}} if self._settings.aws and self._region() != FIRST_REGION else {}
        # Many stores can lock objects only in a bucket that was made for it.
        lockable = {"ObjectLockEnabledForBucket": True} if self._wanted.object_lock_days else {}
        try:
            with self._errors("make"):
                self._client.create_bucket(**self._name, **there, **lockable)
        except OpsError as error:
            # An answer that got lost makes botocore ask again, and what its first attempt made is then there.
            if error.details.get("code") != "BucketAlreadyOwnedByYou":
                raise

    def _region(self) -> str:
        known = self._settings.region or self._client.meta.region_name
        return FIRST_REGION if known in (None, "aws-global") else str(known)

    def _encryption(self) -> str:
        missing = "ServerSideEncryptionConfigurationNotFoundError"
        answer = self._read("read the encryption of", self._client.get_bucket_encryption, absent=missing, cannot={"unsupported": True})
        if answer and "unsupported" in answer:
            return "unsupported"
        rules = ((answer or {}).get("ServerSideEncryptionConfiguration") or {}).get("Rules") or [{}]
        told = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
        # The key is of interest to whoever named one; AWS may name its own.
        key = told.get("KMSMasterKeyID") if self._wanted.kms_key else None
        return f"{told['SSEAlgorithm']} {key}" if key else str(told.get("SSEAlgorithm") or "none")

    def _encrypt(self, wanted: str) -> None:
        algorithm, _space, key = wanted.partition(" ")
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}}
        with self._errors("set the encryption of"):
            self._client.put_bucket_encryption(**self._name, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _object_lock(self) -> int | str | None:
        answer = self._read("read the object lock of", self._client.get_object_lock_configuration, absent=NO_LOCK, cannot={"unsupported": True})
        if answer and "unsupported" in answer:
            return "unsupported"
        default = (((answer or {}).get("ObjectLockConfiguration") or {}).get("Rule") or {}).get("DefaultRetention") or {}
        days: int | None = default.get("Days")
        return days

    def _lock(self, days: int) -> None:
        # Governance: who has the permission to bypass it can remove a mistake of his own. Compliance would bind the owner of the bucket as well.
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
        with self._errors("lock the objects of"):
            self._client.put_object_lock_configuration(**self._name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})

    def _replication(self) -> Mapping[str, Any] | str | None:
        answer = self._read("read the replication of", self._client.get_bucket_replication, absent=NO_REPLICATION, cannot={"unsupported": True})
        if answer and "unsupported" in answer:
            return "unsupported"
        return replication.state_of(RULE, (answer or {}).get("ReplicationConfiguration") or {})

    def _replicate(self, wanted: Mapping[str, Any]) -> None:
        there = self._read("read the replication of", self._client.get_bucket_replication, absent=NO_REPLICATION) or {}
        whole = replication.configuration(RULE, wanted, there.get("ReplicationConfiguration") or {})
        with self._errors("set the replication of"):
            self._client.put_bucket_replication(**self._name, ReplicationConfiguration=whole)

    def _public_access(self) -> str:
        missing = "NoSuchPublicAccessBlockConfiguration"
        answer = self._read("read the public access of", self._client.get_public_access_block, absent=missing, cannot={})
        if answer is None:
            return "open"
        # A store that does not know the question may answer another one.
        if "PublicAccessBlockConfiguration" not in answer:
            return "unsupported"
        return "blocked" if all(answer["PublicAccessBlockConfiguration"].get(key) for key in BLOCK) else "open"

    def _block_public_access(self, _blocked: str) -> None:
        with self._errors("block public access to"):
            self._client.put_public_access_block(**self._name, PublicAccessBlockConfiguration=BLOCK)

    def _enable_versioning(self, _enabled: str) -> None:
        with self._errors("enable the versioning of"):
            self._client.put_bucket_versioning(**self._name, VersioningConfiguration={"Status": "Enabled"})

    def _lifecycle(self) -> dict[str, Any]:
        answer = self._read("read the lifecycle rules of", self._client.get_bucket_lifecycle_configuration, absent="NoSuchLifecycleConfiguration") or {}
        return {"Rules": [], **answer}

    def _put_rule(self, days: Mapping[str, int]) -> None:
        # The configuration is written whole, so what others put there is written back as it was read.
        there = self._lifecycle()
        rules = [rule for rule in there.pop("Rules") if rule.get("ID") != RULE] + [rule_of(days)]
        extra = {key: value for key, value in there.items() if key == "TransitionDefaultMinimumObjectSize"}
        with self._errors("set the lifecycle rules of"):
            self._client.put_bucket_lifecycle_configuration(**self._name, LifecycleConfiguration={"Rules": rules}, **extra)

    def _read(self, doing: str, call: Callable[..., Any], *, absent: str = "", cannot: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """An answer; None for the code that means that there is nothing; ``cannot``, where given, for a store that does not know the question."""
        try:
            with self._errors(doing):
                return dict(call(**self._name))
        except OpsError as error:
            code = error.details.get("code")
            if code == absent:
                return None
            if cannot is not None and code in CANNOT:
                return cannot
            raise

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return explained(f"Cannot {doing} bucket {self._settings.bucket} at {self._settings.where}", BUCKET_ADVICE, bucket=self._settings.bucket)


def require_name(name: str) -> None:
    """The rules that every store shares, asked before the store is: a dry run then says what the run would."""
    if not re.fullmatch(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        raise OpsError(
            f"{name!r} cannot be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit.",
            field="bucket",
        )


def rule_of(days: Mapping[str, int]) -> dict[str, Any]:
    """The lifecycle rule as the store is given it."""
    return {
        "ID": RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days["noncurrent_days"]},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days["unfinished_days"]},
    }


def days_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The days in a rule as a store gives it back. What somebody changed in it is under ``altered``, and so never equal to what is wanted."""
    rest = {key: value for key, value in rule.items() if key not in ("ID", "Filter", "Prefix")}
    days = {
        "noncurrent_days": _take(rest, "NoncurrentVersionExpiration", "NoncurrentDays"),
        "unfinished_days": _take(rest, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    }
    scope = {"Prefix": rule.get("Prefix"), **(rule.get("Filter") or {})}
    altered = {**rest, **{key: value for key, value in scope.items() if value}}
    if altered.pop("Status", None) != "Enabled":
        altered["Status"] = rule.get("Status")
    return {**days, "altered": altered} if altered else days


def _take(rule: dict[str, Any], action: str, field: str) -> int | None:
    """The days of an action, which is taken out of the rule unless it has more to it."""
    found = dict(rule.get(action) or {})
    days: int | None = found.pop(field, None)
    if not found:
        rule.pop(action, None)
    return days
