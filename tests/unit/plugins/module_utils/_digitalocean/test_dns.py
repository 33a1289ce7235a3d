# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of DNS records: one way to write each, and back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import dns

DOMAIN = "example.com"


@pytest.mark.parametrize(
    ("type_", "value", "fields", "written"),
    [
        ("A", "192.0.2.1", {"data": "192.0.2.1"}, "192.0.2.1"),
        ("AAAA", "2001:DB8:0::1", {"data": "2001:db8::1"}, "2001:db8::1"),
        ("CNAME", "WWW.example.com", {"data": "www.example.com"}, "www.example.com."),
        ("CNAME", "@", {"data": "example.com"}, "example.com."),
        ("MX", "10 mx.example.net.", {"priority": 10, "data": "mx.example.net"}, "10 mx.example.net."),
        ("SRV", "10 60 5060 sip.example.com", {"priority": 10, "weight": 60, "port": 5060, "data": "sip.example.com"}, "10 60 5060 sip.example.com."),
        ("CAA", "0 issue letsencrypt.org", {"flags": 0, "tag": "issue", "data": "letsencrypt.org"}, '0 issue "letsencrypt.org"'),
        ("TXT", "v=spf1  -all", {"data": "v=spf1  -all"}, "v=spf1  -all"),
    ],
)
def test_a_value_is_read_and_written_in_one_way(type_: str, value: str, fields: dict[str, Any], written: str) -> None:
    assert dns.parse(DOMAIN, type_, value) == fields
    assert dns.canonical(DOMAIN, type_, value) == written
    assert dns.canonical(DOMAIN, type_, written) == written


@pytest.mark.parametrize(
    ("record", "written"),
    [
        ({"type": "CNAME", "data": "@"}, "example.com."),
        ({"type": "MX", "data": "mx.example.net", "priority": 5, "flags": None}, "5 mx.example.net."),
        ({"type": "CAA", "data": "letsencrypt.org.", "flags": 0, "tag": "issue"}, '0 issue "letsencrypt.org"'),
    ],
)
def test_what_the_api_answers_is_written_in_the_same_way(record: dict[str, Any], written: str) -> None:
    assert dns.text(DOMAIN, record) == written


@pytest.mark.parametrize(
    ("type_", "value", "form"),
    [
        ("A", "192.0.2.256", "an IPv4 address"),
        ("A", "2001:db8::1", "an IPv4 address"),
        ("AAAA", "192.0.2.1", "an IPv6 address"),
        ("MX", "mx.example.net.", "10 mail.example.com."),
        ("MX", "ten mx.example.net.", "10 mail.example.com."),
        ("SRV", "10 60 sip.example.com.", "10 60 5060 sip.example.com."),
        ("CAA", "issue letsencrypt.org", "0 issue"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused_before_any_call(type_: str, value: str, form: str) -> None:
    with pytest.raises(OpsError, match=form):
        dns.parse(DOMAIN, type_, value)


def test_records_that_do_not_agree_on_their_life_say_so() -> None:
    records = [{"type": "A", "name": "www", "data": "192.0.2.1", "ttl": 60}, {"type": "A", "name": "www", "data": "192.0.2.2", "ttl": 30}]
    assert dns.state_of(DOMAIN, "www", "A", records)["ttl"] == [30, 60]
    assert dns.state_of(DOMAIN, "www", "A", records[:1])["ttl"] == 60
