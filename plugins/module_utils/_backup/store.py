# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 and what speaks like it, through boto3 (1.26 of Debian 12 and later)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Listed
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    HAS_BOTO3 = False
    BotoCoreError, ClientError = OSError, LookupError  # without boto3 there is no client that raises them
else:
    HAS_BOTO3 = True

PART = 16 * 1024 * 1024
MOST_PARTS = 10_000
PROBE = b"groundcrew.ops probe\n"

ADVICE = {
    "NoSuchBucket": "Create the bucket (role backup_repository) or correct its name.",
    "404": "Create the bucket (role backup_repository) or correct its name.",
    "InvalidAccessKeyId": "Correct the access key.",
    "SignatureDoesNotMatch": "Correct the secret key.",
    "AccessDenied": "Give these credentials list, read, write and delete on the bucket.",
    "403": "Check the access key, the secret key, and that they may list, read, write and delete in the bucket.",
    "ExpiredToken": "The credentials have expired: renew them.",
    "RequestTimeTooSkewed": "Correct the clock of this host.",
}


@dataclass(frozen=True)
class S3Settings:
    """Where the bucket is. What is None is found as boto3 finds it (environment, profile, instance role)."""

    bucket: str
    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing_style: str = "auto"
    ca_bundle: str | None = None

    @property
    def where(self) -> str:
        return self.endpoint_url or "AWS S3"

    @property
    def aws(self) -> bool:
        host = urlsplit(self.endpoint_url or "").hostname or "s3.amazonaws.com"
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def make_client(settings: S3Settings) -> Any:
    """A boto3 client that suits the store."""
    if not HAS_BOTO3:
        raise OpsError("boto3 is not installed for this Python: install python3-boto3 (Debian, Ubuntu) or the package boto3.")
    options: dict[str, Any] = {
        "retries": {"mode": "standard", "max_attempts": 5},
        "connect_timeout": 10,
        "read_timeout": 120,
        "max_pool_connections": 16,
        "signature_version": "s3v4",
        "s3": {"addressing_style": settings.addressing_style},
    }
    if not settings.aws and "request_checksum_calculation" in Config.OPTION_DEFAULTS:
        # From 1.36 on boto3 appends checksums as trailers, which some stores keep inside the object.
        options.update(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token,
            verify=settings.ca_bundle or None,
            config=Config(**options),
        )
    except (BotoCoreError, ValueError) as error:
        raise OpsError(f"Cannot use the store {settings.where}: {error}") from error


class S3Store:
    """A bucket. Safe to use from several threads."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._where = settings.where
        self._client = make_client(settings)
        # boto3 knows IfNoneMatch since 1.35 only; a header added before signing works with every version.
        self._creating = make_client(settings)
        self._creating.meta.events.register("before-sign.s3.PutObject", _only_if_absent)

    def check(self) -> None:
        with self._errors("list", ""):
            self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)

    def probe(self, prefix: str) -> None:
        key = f"{prefix}probe"
        self.put(key, PROBE)
        try:
            if self.get(key) != PROBE:
                raise OpsError(f"The store {self._where} did not give back what was written to {key}: it cannot hold backups.", object=key)
            self._probe_conditional(key)
            with self._errors("begin a multipart upload of", key):
                upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        finally:
            self.delete(key)

    def _probe_conditional(self, key: str) -> None:
        try:
            self._creating.put_object(Bucket=self._bucket, Key=key, Body=b"overwritten")
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                return
            with self._errors("write conditionally to", key):
                raise
        raise OpsError(
            f"The store {self._where} ignores If-None-Match: a manifest could be overwritten unseen. Use a store with conditional writes.", object=key
        )

    def put(self, key: str, data: bytes) -> None:
        with self._errors("write", key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data))

    def create(self, key: str, data: bytes) -> None:
        try:
            with self._errors("write", key):
                self._creating.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data))
        except OpsError as error:
            # An answer that got lost makes boto3 ask again, and its own first attempt is then in the way.
            if error.details.get("code") in ("PreconditionFailed", "412") and self.get(key) == data:
                return
            raise

    def put_file(self, key: str, path: Path) -> tuple[int, str]:
        size = path.stat().st_size
        part = max(PART, -(-size // MOST_PARTS))
        with path.open("rb") as stream:
            if size <= part:
                data = stream.read()
                self.put(key, data)
                return len(data), hashlib.sha256(data).hexdigest()
            return self._put_parts(key, iter(lambda: stream.read(part), b""))

    def _put_parts(self, key: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        digest, size, parts = hashlib.sha256(), 0, []
        where = {"Bucket": self._bucket, "Key": key}
        with self._errors("write", key):
            where["UploadId"] = self._client.create_multipart_upload(**where)["UploadId"]
            try:
                for number, chunk in enumerate(chunks, start=1):
                    digest.update(chunk)
                    size += len(chunk)
                    done = self._client.upload_part(**where, PartNumber=number, Body=chunk, ContentMD5=_md5(chunk))
                    parts.append({"PartNumber": number, "ETag": done["ETag"]})
                self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
            except BaseException:
                self._client.abort_multipart_upload(**where)
                raise
        return size, digest.hexdigest()

    def get(self, key: str) -> bytes | None:
        try:
            with self._errors("read", key):
                data: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                return data
        except OpsError as error:
            if error.details.get("code") == "NoSuchKey":
                return None
            raise

    def get_file(self, key: str, path: Path) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with self._errors("read", key):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with path.open("wb") as stream:
                for chunk in body.iter_chunks(1024 * 1024):
                    digest.update(chunk)
                    size += len(chunk)
                    stream.write(chunk)
        return size, digest.hexdigest()

    def listing(self, prefix: str) -> Iterator[Listed]:
        with self._errors("list", prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Listed(item["Key"], item["Size"])

    def folders(self, prefix: str) -> list[str]:
        with self._errors("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
            return [item["Prefix"][len(prefix) :].rstrip("/") for page in pages for item in page.get("CommonPrefixes", ())]

    def delete(self, key: str) -> None:
        with self._errors("delete", key):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def abort_uploads(self, prefix: str) -> int:
        aborted = 0
        with self._errors("list the unfinished uploads under", prefix):
            for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix):
                for upload in page.get("Uploads", ()):
                    self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                    aborted += 1
        return aborted

    def _errors(self, doing: str, key: str) -> AbstractContextManager[None]:
        return explained(f"Cannot {doing} {key or 'the content'} in bucket {self._bucket} of {self._where}", object=key)


@contextmanager
def explained(what: str, advice: Mapping[str, str] | None = None, **details: str) -> Iterator[None]:
    """Turn what boto3 raises into an OpsError: what failed, the store's code (also in the details), and what to do about it."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        said = error.response.get("Error", {}).get("Message") or "no message"
        do = (advice or ADVICE).get(code, "Run again; if it stays so, ask the store's operator.")
        raise OpsError(f"{what}: {code} ({said}). {do}", code=code, **details) from error
    except BotoCoreError as error:
        raise OpsError(f"{what}: {error}. Check the endpoint, the credentials, the network and the certificate bundle.", **details) from error


def _only_if_absent(request: Any, **_unused: Any) -> None:
    request.headers["If-None-Match"] = "*"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code") or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode"))


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
