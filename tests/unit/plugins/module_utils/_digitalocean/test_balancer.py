# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How parts of a load balancer are compared."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean import load_balancer

RULE = {"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 8080}


def test_rules_compare_without_order_and_without_what_is_off() -> None:
    other = {**RULE, "entry_port": 443, "entry_protocol": "https", "certificate_id": "c"}
    answered = [{**other, "tls_passthrough": False}, {**RULE, "certificate_id": "", "tls_passthrough": False}]
    assert load_balancer.normal_rules([RULE, other]) == load_balancer.normal_rules(answered)
    assert load_balancer.normal_rules([RULE]) != load_balancer.normal_rules([{**RULE, "tls_passthrough": True}])


@pytest.mark.parametrize(
    ("declared", "answered", "equal"),
    [
        ({"protocol": "tcp", "port": 80, "path": "/"}, {"protocol": "tcp", "port": 80, "path": ""}, True),
        ({"protocol": "http", "port": 80, "path": "/"}, {"protocol": "http", "port": 80, "path": "/x"}, False),
    ],
)
def test_a_check_that_only_connects_has_no_path(declared: dict[str, Any], answered: dict[str, Any], equal: bool) -> None:
    assert (load_balancer.normal_check(declared) == load_balancer.normal_check(answered)) == equal


@pytest.mark.parametrize("answered", [None, {}, {"type": "none"}, {"type": "none", "cookie_name": "", "cookie_ttl_seconds": 0}])
def test_no_sessions_are_no_sessions(answered: dict[str, Any] | None) -> None:
    assert load_balancer.normal_sessions(answered) == {"type": "none"}
