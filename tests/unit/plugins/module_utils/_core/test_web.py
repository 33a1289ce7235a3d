# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is repeated and what is not, against a scripted transport and a clock that stands still."""

from __future__ import annotations

import io
from email.message import Message
from urllib.error import HTTPError, URLError

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import AmbiguousError, Http, read_text


class Answer(io.BytesIO):
    def __init__(self, body=b"{}", status=200, headers=None):
        super().__init__(body)
        self.status, self.headers = status, headers or {}

    def getcode(self):
        return self.status


class Transport:
    """Gives the scripted answers one after another and remembers what was asked."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []

    def __call__(self, url, **options):
        self.asked.append((options["method"], url, options["data"]))
        answer = self.script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class StillClock(Clock):
    def __init__(self):
        self.slept = []

    def now(self):
        return 1_000_000.0

    def monotonic(self):
        return 0.0

    def sleep(self, seconds):
        self.slept.append(seconds)


def error(status, body=b"{}", headers=None):
    told = Message()
    for name, value in (headers or {}).items():
        told[name] = value
    return HTTPError("http://api/x", status, "no", told, io.BytesIO(body))


def client(*script, **options):
    transport, clock = Transport(*script), StillClock()
    return Http("http://api/", headers={"Authorization": "Bearer s3cret"}, opener=transport, clock=clock, **options), transport, clock


def test_an_answer_is_decoded():
    http, transport, _clock = client(Answer(b'{"ok": true}', 201, {"X-A": "1"}))
    response = http.request("POST", "/v2/x", {"name": "a"})
    assert (response.status, response.body, response.headers) == (201, {"ok": True}, {"x-a": "1"})
    assert transport.asked == [("POST", "http://api/v2/x", '{"name": "a"}')]


@pytest.mark.parametrize("failure", [URLError("reset"), TimeoutError("slow"), error(502)])
def test_a_repeatable_request_is_repeated(failure):
    http, transport, clock = client(failure, failure, Answer())
    assert http.request("GET", "/x").status == 200
    assert len(transport.asked) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize("failure", [URLError("reset"), TimeoutError("slow"), error(500)])
def test_a_post_that_may_have_happened_is_never_repeated(failure):
    http, transport, _clock = client(failure, Answer())
    with pytest.raises(AmbiguousError, match="may have been carried out"):
        http.request("POST", "/x", {})
    assert len(transport.asked) == 1


def test_a_post_that_never_reached_the_server_is_repeated():
    http, transport, _clock = client(URLError(ConnectionRefusedError("refused")), Answer())
    assert http.request("POST", "/x", {}).status == 200
    assert len(transport.asked) == 2


def test_a_rate_limit_waits_as_long_as_the_server_says_for_any_verb():
    http, _transport, clock = client(error(429, headers={"Retry-After": "7"}), Answer())
    assert http.request("POST", "/x", {}).status == 200
    assert clock.slept == [7.0]


def test_a_wait_longer_than_allowed_is_an_error_that_says_so():
    http, _transport, _clock = client(error(429, headers={"Retry-After": "3600"}))
    with pytest.raises(OpsError, match="3600 s"):
        http.request("GET", "/x")


def test_giving_up_names_the_address_and_the_reason_and_no_credential():
    http, _transport, _clock = client(*[URLError("no route to host")] * 5)
    with pytest.raises(OpsError) as caught:
        http.request("GET", "/x")
    assert "http://api" in caught.value.message and "no route" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_a_client_error_is_an_answer_for_the_caller():
    http, _transport, _clock = client(error(422, b'{"message": "size is wrong"}'))
    response = http.request("POST", "/x", {})
    assert (response.status, response.body["message"]) == (422, "size is wrong")


def test_a_text_behind_a_link_is_read_without_a_credential():
    asked = []

    def opener(url, **options):
        asked.append((url, options["headers"]))
        return Answer("the end: \u2713".encode())

    assert read_text("https://logs/1?signature=x", last=9, opener=opener) == "the end: \u2713"
    assert asked == [("https://logs/1?signature=x", {"Range": "bytes=-9"})]


def test_an_empty_text_has_no_end_and_a_link_that_fails_is_not_repeated():
    def fails(status):
        def opener(url, **options):
            raise error(status)

        return opener

    assert read_text("https://logs/1", opener=fails(416)) == ""
    with pytest.raises(OpsError) as raised:
        read_text("https://logs/1?signature=x", opener=fails(403))
    assert "signature" not in raised.value.message
