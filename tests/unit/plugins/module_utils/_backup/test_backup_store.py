# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The S3 adapter against queued answers, and the client tools against a scripted host."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from io import BytesIO

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from ansible_collections.groundcrew.ops.plugins.module_utils._backup import store as adapter
from ansible_collections.groundcrew.ops.plugins.module_utils._backup import transfer
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.model import Database
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.store import S3Settings, S3Store, make_client
from ansible_collections.groundcrew.ops.plugins.module_utils._backup.tools import Tools, environment, find_tools
from ansible_collections.groundcrew.ops.plugins.module_utils._core.command import Completed, Runner
from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError

SETTINGS = S3Settings("bucket", endpoint_url="http://s3.test", region="us-east-1", access_key="a", secret_key="very-secret")


class Stubbed:
    def __init__(self):
        self.store = S3Store(SETTINGS)
        self.answers = Stubber(self.store._client)
        self.answers.activate()


@pytest.fixture
def s3():
    return Stubbed()


def body(data):
    return {
        "Body": StreamingBody(BytesIO(data), len(data)),
        "ETag": '"tag"',
        "LastModified": datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC),
        "ResponseMetadata": {"HTTPHeaders": {"date": "Thu, 01 Jan 2026 12:01:30 GMT"}},
    }


def test_a_lost_answer_to_a_conditional_write_is_no_failure(s3):
    s3.answers.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    s3.answers.add_response("get_object", body(b"same"))
    assert s3.store.create("key", b"same") == '"tag"'


def test_an_object_of_somebody_else_is_not_overwritten(s3):
    s3.answers.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    s3.answers.add_response("get_object", body(b"other"))
    with pytest.raises(OpsError, match="PreconditionFailed"):
        s3.store.create("key", b"same")


def test_a_store_that_ignores_conditions_is_refused(s3):
    s3.answers.add_response("put_object", {})
    s3.answers.add_response("get_object", body(adapter.PROBE))
    s3.answers.add_response("put_object", {"ETag": '"other"'})
    s3.answers.add_response("delete_object", {})
    with pytest.raises(OpsError, match="ignores If-None-Match"):
        s3.store.probe("prefix/")
    s3.answers.assert_no_pending_responses()


def test_a_store_that_changes_what_it_is_given_is_refused(s3):
    s3.answers.add_response("put_object", {})
    s3.answers.add_response("get_object", body(b"0;chunk" + adapter.PROBE))
    s3.answers.add_response("delete_object", {})
    with pytest.raises(OpsError, match="did not give back"):
        s3.store.probe("prefix/")


def test_the_condition_is_sent_whatever_botocore_knows_and_only_where_it_was_asked_for():
    sent = []

    def look(request, **_more):
        sent.append(dict(request.headers))
        pytest.fail("sent")

    s3 = S3Store(SETTINGS)
    s3._client.meta.events.register("before-send.s3.PutObject", look)
    for write in (s3.create, s3.put):
        with pytest.raises(BaseException, match="sent"):
            write("key", b"")
    conditional, plain = sent
    assert conditional["If-None-Match"] in ("*", b"*")
    assert b"if-none-match" in (conditional["Authorization"] if isinstance(conditional["Authorization"], bytes) else conditional["Authorization"].encode())
    assert "If-None-Match" not in plain


def test_a_large_file_goes_in_parts_and_a_failed_one_is_aborted(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(adapter, "PART", 4)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    s3.answers.add_response("create_multipart_upload", {"UploadId": "u"})
    for _part in range(3):
        s3.answers.add_response("upload_part", {"ETag": "e"})
    s3.answers.add_response("complete_multipart_upload", {}, {"Bucket": "bucket", "Key": "key", "UploadId": "u", "MultipartUpload": ANY})
    assert s3.store.put_file("key", path) == (10, hashlib.sha256(b"0123456789").hexdigest())

    s3.answers.add_response("create_multipart_upload", {"UploadId": "u"})
    s3.answers.add_client_error("upload_part", "InternalError")
    s3.answers.add_response("abort_multipart_upload", {})
    with pytest.raises(OpsError, match="InternalError"):
        s3.store.put_file("key", path)
    s3.answers.assert_no_pending_responses()


@pytest.mark.parametrize(("code", "advice"), [("NoSuchBucket", "Create the bucket"), ("SignatureDoesNotMatch", "secret key"), ("ExpiredToken", "renew")])
def test_an_error_says_what_to_do_and_no_secret(s3, code, advice):
    s3.answers.add_client_error("list_objects_v2", code)
    with pytest.raises(OpsError, match=advice) as caught:
        s3.store.check()
    assert "very-secret" not in str(caught.value.details) + caught.value.message + repr(SETTINGS)


def test_checksums_are_not_appended_away_from_aws(monkeypatch):
    monkeypatch.delenv("AWS_REQUEST_CHECKSUM_CALCULATION", raising=False)
    assert make_client(SETTINGS).meta.config.request_checksum_calculation == "when_required"
    assert make_client(S3Settings("bucket", region="us-east-1")).meta.config.request_checksum_calculation == "when_supported"


def test_space_is_asked_for_before_it_is_used(tmp_path):
    transfer.require_space(tmp_path, 0, "nothing")
    with pytest.raises(OpsError, match="the dump needs about"):
        transfer.require_space(tmp_path, 2**60, "the dump")


class Host(Runner):
    def run(self, argv, **_more):
        return Completed(tuple(argv), 0, f"pg_dump (PostgreSQL) {argv[0].split('/')[-3]}.3 (Debian)\n", "")


def installed(folder, *majors):
    for major in majors:
        (folder / str(major) / "bin").mkdir(parents=True)
        (folder / str(major) / "bin" / "pg_dump").touch()
    return folder


def test_the_oldest_tools_that_are_new_enough_are_chosen(tmp_path):
    debian = installed(tmp_path, 14, 16, 18)
    assert find_tools(15, runner=Host(), debian=debian).major == 16
    with pytest.raises(OpsError, match=r"found in .*: 14\.3, 16\.3, 18\.3.*postgresql-client-19"):
        find_tools(19, runner=Host(), debian=debian)


@pytest.mark.parametrize(("major", "minor", "safe"), [(15, 20, True), (15, 19, False), (17, 12, True), (17, 11, False), (13, 99, False), (19, 0, True)])
def test_a_client_that_a_crafted_archive_can_run_code_in_is_known(tmp_path, major, minor, safe):
    assert Tools(tmp_path, major, minor).safe_restore is safe


def test_the_tools_get_everything_by_environment():
    database = Database("h", 5433, "u", "dbname=x host=evil", password="p w", ca_cert="/ca")
    given = environment(database)
    assert given["PGDATABASE"] == "dbname=x host=evil"
    assert given["PGPASSWORD"] == "p w"
    assert "p w" not in repr(database)
