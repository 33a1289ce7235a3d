# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second bucket that the store itself copies new objects to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError


@dataclass(frozen=True)
class Replication:
    """role: as whom the store copies. bucket: where to, as an ARN. kms_key: of the other bucket, for objects that a key of KMS encrypts."""

    role: str
    bucket: str
    kms_key: str | None = None

    def state(self) -> dict[str, Any]:
        return {"role": self.role, "bucket": self.bucket, "kms_key": self.kms_key}

    def require(self, encryption: str) -> None:
        """Raise when the store would take this and copy nothing."""
        if not self.bucket.startswith("arn:"):
            raise OpsError(f"replication.bucket is {self.bucket!r}: give the ARN of a bucket, as arn:aws:s3:::example-backups-copy.", field="replication")
        if encryption == "aws:kms" and not self.kms_key:
            raise OpsError("Objects that a key of KMS encrypts are copied only with a key for the copies: give replication.kms_key.", field="replication")


def configuration(name: str, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration: our rule of this name behind those of others, which stay as they are."""
    others = _others(name, there)
    if others and there.get("Role") != wanted["role"]:
        raise OpsError(
            f"Others have rules of replication in this bucket ({', '.join(str(rule.get('ID')) for rule in others)}) as {there.get('Role')}, and a bucket has "
            "one role: give that one.",
            field="replication",
        )
    destination: dict[str, Any] = {"Bucket": wanted["bucket"]}
    rule: dict[str, Any] = {
        "ID": name,
        "Status": "Enabled",
        "Priority": 1 + max((int(other.get("Priority") or 0) for other in others), default=0),
        "Filter": {"Prefix": ""},
        # What is deleted here, by mistake or by an intruder, stays there.
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": destination,
    }
    if wanted["kms_key"]:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": wanted["kms_key"]}
        rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    return {"Role": wanted["role"], "Rules": [*others, rule]}


def state_of(name: str, there: Mapping[str, Any]) -> dict[str, Any] | None:
    """What our rule says. What somebody changed in it is under ``altered``, and so never equal to what is wanted."""
    rule = next((rule for rule in there.get("Rules") or () if rule.get("ID") == name), None)
    if rule is None:
        return None
    destination = rule.get("Destination") or {}
    key = (destination.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID")
    state = Replication(str(there.get("Role")), str(destination.get("Bucket")), key).state()
    deletes = (rule.get("DeleteMarkerReplication") or {}).get("Status", "Disabled")
    altered = {"Status": rule.get("Status"), "DeleteMarkerReplication": deletes, "Prefix": (rule.get("Filter") or {}).get("Prefix") or rule.get("Prefix")}
    usual = {"Status": "Enabled", "DeleteMarkerReplication": "Disabled", "Prefix": None}
    changed = {field: value for field, value in altered.items() if value != usual[field]}
    return {**state, "altered": changed} if changed else state


def _others(name: str, there: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return [rule for rule in there.get("Rules") or () if rule.get("ID") != name]
