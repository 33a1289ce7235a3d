# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping to the rate limit, against scripted answers and a clock that is moved by sleeping."""

from __future__ import annotations

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._core.wait import Clock
from ansible_collections.groundcrew.ops.plugins.module_utils._core.web import Response
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.pace import Paced

START = 1_000_000.0


class Time(Clock):
    def __init__(self):
        self.slept = []

    def now(self):
        return START + sum(self.slept)

    def sleep(self, seconds):
        self.slept.append(seconds)


class Script:
    """Gives the scripted answers one after another."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def request(self, method, path, body=None):
        return self.answers.pop(0)


def answer(status=200, left=None, reset=None):
    headers = {"ratelimit-remaining": left, "ratelimit-reset": reset}
    return Response(status, {key: str(value) for key, value in headers.items() if value is not None}, {})


def paced(*answers, **options):
    script, clock = Script(*answers), Time()
    return Paced(script, clock=clock, **options), script, clock


@pytest.mark.parametrize(
    ("first", "slept"),
    [
        (answer(left=7, reset=int(START) + 30), []),
        (answer(left=0, reset=int(START) + 30), [30.0]),
        (answer(left=0, reset=int(START) - 30), [0.0]),
        (answer(left=0), []),
        (answer(), []),
    ],
)
def test_the_last_request_that_is_left_is_followed_by_a_pause(first, slept):
    transport, _script, clock = paced(first, answer())
    transport.request("GET", "/v2/vpcs")
    assert clock.slept == []
    transport.request("GET", "/v2/vpcs")
    assert clock.slept == slept


def test_a_refusal_that_says_when_is_followed_by_one_more_attempt_then():
    transport, script, clock = paced(answer(429, left=0, reset=int(START) + 9), answer(200, left=4, reset=int(START) + 60))
    assert transport.request("POST", "/v2/vpcs", {}).status == 200
    assert (clock.slept, script.answers) == ([9.0], [])


def test_a_refusal_that_does_not_say_when_is_the_caller_s():
    transport, _script, clock = paced(answer(429))
    assert transport.request("GET", "/v2/vpcs").status == 429
    assert clock.slept == []


def test_a_long_pause_is_an_error_that_says_so():
    transport, _script, clock = paced(answer(left=0, reset=int(START) + 900))
    transport.request("GET", "/v2/vpcs")
    with pytest.raises(OpsError, match=r"another 900 s, longer than the 120 s") as raised:
        transport.request("GET", "/v2/vpcs?page=2")
    assert raised.value.details["retry_after"] == 900.0
    assert clock.slept == []
