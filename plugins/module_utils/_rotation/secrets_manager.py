# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in AWS Secrets Manager, by its versions and staging labels, so that whoever reads AWSCURRENT there reads what the rotation made current.

A version's JSON has the value's fields, and one field of ours. The recipe is the secret's description. A label that is not said to be removed from
another version cannot be moved off it: that is the compare-and-set which keeps two rotations apart.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import explained
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation import changes, codec
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.codec import OURS, checked
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Recipe, Secret, Version

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
# Held by a version that is not pending yet, and by one that is still accepted (or will be, once it is the previous one).
STAGING, ACCEPTED = "groundcrew-staging", "groundcrew-accepted"
MISSING = "ResourceNotFoundException"
ADVICE = {
    "AccessDeniedException": "Give these credentials secretsmanager: CreateSecret, DescribeSecret, ListSecrets, GetSecretValue, PutSecretValue,"
    " UpdateSecret, UpdateSecretVersionStage and DeleteSecret under the prefix.",
    "InvalidRequestException": "It may be scheduled for deletion there: restore it, or wait until it is gone.",
}


@dataclass(frozen=True)
class Labeled:
    """What is known of a secret without its values. labels: the id of the version that has each."""

    recipe: Recipe
    labels: Mapping[str, str]


class SecretsManagerStore:
    """A Store. client: boto3's for secretsmanager."""

    def __init__(self, client: Any, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    def names(self) -> list[str]:
        filters = [{"Key": "name", "Values": [self._prefix]}] if self._prefix else []
        with self._errors("list", "the secrets"):
            pages = self._client.get_paginator("list_secrets").paginate(Filters=filters)
            found = [entry for page in pages for entry in page["SecretList"]]
        ours = (entry["Name"] for entry in found if entry["Name"].startswith(self._prefix) and OURS in entry.get("Description", ""))
        return sorted(name[len(self._prefix) :] for name in ours)

    def get(self, name: str) -> Secret | None:
        described = self._described(name)
        return None if described is None else self._secret(name, described)

    def create(self, secret: Secret) -> None:
        content = {"Name": self._id(secret.name), "Description": _description(secret.recipe), "SecretString": _content(secret.current)}
        try:
            with self._errors("make", secret.name):
                self._client.create_secret(ClientRequestToken=str(uuid.uuid4()), **content)
        except OpsError as error:
            if error.details.get("code") == "ResourceExistsException":
                raise OpsError(f"The secret {secret.name} exists already in AWS Secrets Manager; it is never overwritten.") from error
            raise

    def amend(self, name: str, recipe: Recipe) -> None:
        with self._errors("change", name):
            self._client.update_secret(SecretId=self._id(name), Description=_description(recipe))

    def stage(self, name: str, pending: Version) -> None:
        described, secret = self._existing(name)
        if changes.staged(secret, pending) is secret:
            return
        with self._errors("add a version to", name):
            made = self._client.put_secret_value(
                SecretId=self._id(name), ClientRequestToken=str(uuid.uuid4()), SecretString=_content(pending), VersionStages=[STAGING]
            )
        # A promotion that was cut off leaves the label on what is current.
        leftover = described.labels.get(PENDING)
        if not self._moved(name, PENDING, made["VersionId"], leftover):
            changes.staged(self._existing(name)[1], pending)  # says whose version is pending
            raise OpsError(f"Another rotation of {name} was faster. Run again.")

    def drop_pending(self, name: str, version_id: str) -> None:
        described, secret = self._existing(name)
        if secret.pending is not None and secret.pending.id == version_id:
            version = described.labels[PENDING]
            if described.labels.get(STAGING) == version:
                self._moved(name, STAGING, None, version)
            self._moved(name, PENDING, None, version)

    def promote(self, name: str, old: str, new: str) -> None:
        described, secret = self._existing(name)
        labels = described.labels
        if changes.promoted(secret, old, new) is not secret:
            if labels.get(ACCEPTED) != labels[CURRENT]:
                self._moved(name, ACCEPTED, labels[CURRENT], labels.get(ACCEPTED))
            if not self._moved(name, CURRENT, labels[PENDING], labels[CURRENT]):
                raise changes.not_promoted(name, old, new)
        if PENDING in labels:
            self._moved(name, PENDING, None, labels[PENDING])

    def accept_previous(self, name: str, version_id: str, accepted: bool) -> None:
        described, secret = self._existing(name)
        changed = changes.with_previous(secret, version_id, accepted)
        if changed != secret:
            previous, holder = described.labels[PREVIOUS], described.labels.get(ACCEPTED)
            self._moved(name, ACCEPTED, previous if accepted else None, holder)

    def delete(self, name: str) -> None:
        with self._errors("remove", name):
            self._client.delete_secret(SecretId=self._id(name), ForceDeleteWithoutRecovery=True)

    def _existing(self, name: str) -> tuple[Labeled, Secret]:
        described = self._described(name)
        if described is None:
            raise OpsError(f"There is no secret {name} in AWS Secrets Manager under {self._prefix or 'no prefix'}.")
        return described, self._secret(name, described)

    def _described(self, name: str) -> Labeled | None:
        try:
            with self._errors("look at", name):
                found = self._client.describe_secret(SecretId=self._id(name))
        except OpsError as error:
            if error.details.get("code") == MISSING:
                return None
            raise
        try:
            recipe = codec.recipe(json.loads(found.get("Description") or "")[OURS])
        except (ValueError, KeyError, TypeError) as error:
            raise OpsError(
                f"{self._id(name)} exists in AWS Secrets Manager, but groundcrew.ops did not make it: give the secret another name or prefix."
            ) from error
        return Labeled(recipe, {label: version for version, labels in found["VersionIdsToStages"].items() for label in labels})

    def _secret(self, name: str, described: Labeled) -> Secret:
        labels = described.labels
        previous = labels.get(PREVIOUS)
        pending = labels.get(PENDING)
        return Secret(
            name,
            described.recipe,
            self._version(name, labels[CURRENT]),
            previous=self._version(name, previous) if previous else None,
            pending=self._version(name, pending) if pending and pending != labels[CURRENT] else None,
            previous_accepted=previous is not None and labels.get(ACCEPTED) == previous,
        )

    def _version(self, name: str, version_id: str) -> Version:
        with self._errors("read", name):
            content = json.loads(self._client.get_secret_value(SecretId=self._id(name), VersionId=version_id)["SecretString"])
        ours = content.pop(OURS)
        return Version(**{key: ours[key] for key in ("id", "created", "salt", "fingerprint")}, value=content["value"] if ours["text"] else content)

    def _moved(self, name: str, label: str, to: str | None, off: str | None) -> bool:
        """Whether the label is where it should be. An answer that got lost makes boto3 ask again, and its own first attempt is then in the way."""
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        try:
            with self._errors(f"move the label {label} of", name):
                self._client.update_secret_version_stage(SecretId=self._id(name), VersionStage=label, **{end: at for end, at in ends.items() if at})
        except OpsError as error:
            if error.details.get("code") not in ("InvalidParameterException", "InvalidRequestException"):
                raise
            described = self._described(name)
            return described is not None and described.labels.get(label) == to
        return True

    def _id(self, name: str) -> str:
        return f"{self._prefix}{checked(name)}"

    def _errors(self, doing: str, name: str) -> AbstractContextManager[None]:
        return explained(f"Cannot {doing} {name} in AWS Secrets Manager", ADVICE)


def _description(recipe: Recipe) -> str:
    return json.dumps({OURS: asdict(recipe)})


def _content(version: Version) -> str:
    about = {**asdict(version), "text": not isinstance(version.value, dict)}
    del about["value"]
    return json.dumps({**codec.fields(version.value), OURS: about})
