# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 and what speaks like it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from threading import Event, local
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Listed, Versioned
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.port import NOT_MET
from ansible_collections.groundcrew.ops.plugins.module_utils._core.aws import Account, client, explained
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

PART = 8 * 1024 * 1024
MOST_PARTS = 10_000
BLOCK = 64 * 1024
GONE = ("NoSuchKey", "404")
# Cheaper classes bill smaller objects as if they had this size, and manifests and leases are read and written often.
LEAST_IN_CLASS = 128 * 1024
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
    """Where the bucket is. What is None is found as botocore finds it (environment, profile, instance role)."""

    bucket: str
    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing_style: str = "auto"
    ca_bundle: str | None = None
    storage_class: str | None = None

    @property
    def account(self) -> Account:
        return Account(self.endpoint_url, self.region, self.access_key, self.secret_key, self.session_token, self.ca_bundle)

    @property
    def where(self) -> str:
        return self.endpoint_url or "AWS S3"

    @property
    def aws(self) -> bool:
        host = urlsplit(self.endpoint_url or "").hostname or "s3.amazonaws.com"
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def make_client(settings: S3Settings) -> Any:
    """A client that suits the store."""
    # From 1.36 on botocore appends checksums as trailers, which some stores keep inside the object.
    checksums: dict[str, Any] = {} if settings.aws else {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    addressing = {"addressing_style": settings.addressing_style}
    return client("s3", settings.account, read_timeout=60, max_pool_connections=16, signature_version="s3v4", s3=addressing, **checksums)


class S3Store:
    """A bucket. Safe to use from several threads."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._where = settings.where
        self._class = {"StorageClass": settings.storage_class} if settings.storage_class else {}
        self._client = make_client(settings)
        # botocore knows IfNoneMatch and IfMatch since 1.35 only; a header added before signing works with every version.
        self._client.meta.events.register("before-sign.s3.PutObject", self._add_condition)
        self._condition = local()

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
            self._put_if("If-None-Match", "*", key, b"overwritten")
        except OpsError as error:
            if error.details.get("code") in NOT_MET:
                return
            raise
        raise OpsError(
            f"The store {self._where} ignores If-None-Match: a manifest could be overwritten unseen. Use a store with conditional writes.", object=key
        )

    def put(self, key: str, data: bytes) -> None:
        with self._errors("write", key):
            classed = self._class if len(data) >= LEAST_IN_CLASS else {}
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data), **classed)

    def create(self, key: str, data: bytes) -> str:
        try:
            return self._put_if("If-None-Match", "*", key, data)
        except OpsError as error:
            # An answer that got lost makes botocore ask again, and its own first attempt is then in the way.
            if error.details.get("code") in NOT_MET:
                there = self.look(key)
                if there is not None and there.data == data:
                    return there.etag
            raise

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        try:
            return self._put_if("If-Match", etag, key, data)
        except OpsError as error:
            if error.details.get("code") in (*NOT_MET, *GONE):
                there = self.look(key)
                return there.etag if there is not None and there.data == data else None
            raise

    def look(self, key: str) -> Versioned | None:
        try:
            with self._errors("read", key):
                found = self._client.get_object(Bucket=self._bucket, Key=key)
                data = found["Body"].read()
        except OpsError as error:
            if error.details.get("code") in GONE:
                return None
            raise
        # Both times are the store's own, so that no clock of ours decides how old a thing is.
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Versioned(data, found["ETag"], (now - found["LastModified"]).total_seconds())

    def put_file(self, key: str, path: Path) -> tuple[int, str]:
        digest, size = hashlib.sha256(), path.stat().st_size
        part = max(PART, -(-size // MOST_PARTS))
        with path.open("rb") as stream:
            if size <= part:
                data = stream.read()
                self.put(key, data)
                return len(data), hashlib.sha256(data).hexdigest()
            upload = self.upload(key)
            try:
                for number, chunk in enumerate(iter(lambda: stream.read(part), b""), start=1):
                    digest.update(chunk)
                    upload.part(number, chunk)
                upload.complete()
            except BaseException:
                upload.abort()
                raise
        return size, digest.hexdigest()

    def upload(self, key: str, stopped: Event | None = None) -> Upload:
        with self._errors("begin a multipart upload of", key):
            upload_id = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **self._class)["UploadId"]
        return Upload(self, key, upload_id, stopped)

    def get(self, key: str) -> bytes | None:
        try:
            with self._errors("read", key):
                data: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                return data
        except OpsError as error:
            if error.details.get("code") in GONE:
                return None
            raise

    def chunks(self, key: str) -> Iterator[bytes]:
        with self._errors("read", key):
            yield from self._client.get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(1024 * 1024)

    def get_file(self, key: str, path: Path) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as stream:
            for chunk in self.chunks(key):
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
        return size, digest.hexdigest()

    def size(self, key: str) -> int | None:
        try:
            with self._errors("look at", key):
                return int(self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"])
        except OpsError as error:
            if error.details.get("code") in GONE:
                return None
            raise

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

    def _put_if(self, header: str, value: str, key: str, data: bytes) -> str:
        self._condition.header = (header, value)
        try:
            with self._errors("write conditionally to", key):
                etag: str = self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentMD5=_md5(data))["ETag"]
                return etag
        finally:
            self._condition.header = None

    def _add_condition(self, request: Any, **_unused: Any) -> None:
        header, value = getattr(self._condition, "header", None) or ("", "")
        if header:
            request.headers[header] = value

    def _errors(self, doing: str, key: str) -> AbstractContextManager[None]:
        return explained(f"Cannot {doing} {key or 'the content'} in bucket {self._bucket} of {self._where}", ADVICE, object=key)


class Upload:
    """A multipart upload. Parts may come from several threads and in any order."""

    def __init__(self, store: S3Store, key: str, upload_id: str, stopped: Event | None) -> None:
        self._store = store
        self._where = {"Bucket": store._bucket, "Key": key, "UploadId": upload_id}
        self._stopped = stopped
        self._etags: dict[int, str] = {}
        self._sizes: dict[int, int] = {}

    def part(self, number: int, data: bytes) -> None:
        key = self._where["Key"]
        with self._store._errors(f"write part {number} of", key):
            done = self._store._client.upload_part(**self._where, PartNumber=number, Body=Body(data, self._stopped), ContentMD5=_md5(data))
        self._etags[number], self._sizes[number] = done["ETag"], len(data)

    def complete(self) -> None:
        key, size = self._where["Key"], sum(self._sizes.values())
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]
        try:
            with self._store._errors("complete the upload of", key):
                self._store._client.complete_multipart_upload(**self._where, MultipartUpload={"Parts": parts})
        except OpsError as error:
            # An answer that got lost makes botocore ask again for an upload that is complete by then: look what is there.
            if error.details.get("code") != "NoSuchUpload" or self._store.size(key) != size:
                raise

    def abort(self) -> None:
        with self._store._errors("abort the upload of", self._where["Key"]):
            self._store._client.abort_multipart_upload(**self._where)


class Body(BytesIO):
    """A request's body that goes out in pieces: a slow network then times out by the piece, and a run that has failed stops sending."""

    def __init__(self, data: bytes, stopped: Event | None) -> None:
        super().__init__(data)
        self._stopped = stopped

    def read(self, size: int | None = -1) -> bytes:
        if self._stopped is not None and self._stopped.is_set():
            raise OpsError("The upload was given up.")
        return super().read(size if size is None or size < 0 else max(size, BLOCK))


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
