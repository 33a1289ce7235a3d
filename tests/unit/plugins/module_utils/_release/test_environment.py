# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for what an application is told, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import environment as environments
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import Secret

LONG = "x9" * 32


def found(environment: dict[str, str], *secrets: Secret, rules: list[dict[str, Any]] | None = None, required: tuple[str, ...] = ()) -> list[str]:
    return environments.violations(environment, secrets, environments.make_rules(rules or [], required))


@pytest.mark.parametrize(
    ("name", "bad", "good", "rule"),
    [
        ("JWT_SECRET", "y9z" * 21, LONG, "jwt-secret"),
        ("JWT_REFRESH_SECRET", "short", LONG, "jwt-secret"),
        ("CORS_ORIGIN", "https://a.example, *", "https://a.example,https://*.b.example", "cors-origin"),
        ("API_CORS_ORIGINS", "*", "https://a.example", "cors-origin"),
        ("DATABASE_URL", "postgresql://u:p9x@h/d", "postgresql://u:p9x@h/d?sslmode=verify-full", "database-tls"),
        ("DATABASE_URL", "postgresql://u:p9x@h/d?sslmode=prefer", "postgresql://h/d?a=1&sslmode=require", "database-tls"),
        ("MYSQL_URL", "mysql://h/d", "mysql://h/d?ssl-mode=VERIFY_IDENTITY", "database-tls"),
        ("MONGODB_URI", "mongodb://h/d", "mongodb+srv://h/d", "database-tls"),
        ("REDIS_URL", "redis://h:6379", "rediss://h:6379", "redis-tls"),
        ("REDIS_TLS", "false", "true", "tls-off"),
        ("DB_SSLMODE", "disable", "verify-full", "tls-off"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0", "1", "tls-unchecked"),
        ("SWAGGER_ENABLED", "true", "false", "swagger-off"),
        ("ENABLE_SWAGGER", "1", "0", "swagger-off"),
        ("RATE_LIMIT_ENABLED", "off", "on", "rate-limit-on"),
        ("RATE_LIMIT_MAX", "0", "100", "rate-limit-on"),
        ("DISABLE_RATE_LIMIT", "true", "false", "rate-limit-off"),
        ("SMTP_PASSWORD", "changeme", "wohngemeinschaft9", "default-password"),
        ("STRIPE_API_KEY", "your-key-here", "rk_4nd0m", "default-password"),
        ("AMQP_URL", "amqp://guest:guest@h", "amqp://u:k3nn-ich@h", "default-password-in-url"),
    ],
)
def test_a_rule_refuses_the_bad_value_and_accepts_the_good_one(name: str, bad: str, good: str, rule: str) -> None:
    (violation,) = found({name: bad})
    assert violation.startswith(f"environment: {name} ") and violation.endswith(f"(rule {rule})")
    assert found({name: good}) == []


def test_every_rule_has_a_case() -> None:
    cases = next(mark.args[1] for mark in test_a_rule_refuses_the_bad_value_and_accepts_the_good_one.pytestmark)  # type: ignore[attr-defined]
    assert {case[3] for case in cases} == {rule.id for rule in environments.RULES}


def test_values_are_looked_at_in_the_files_they_come_in() -> None:
    told = {"DATABASE_URL_FILE": "/run/secrets/db", "JWT_SECRET_FILE": "/run/secrets/jwt"}
    violations = found(told, Secret("db", "1", "postgres://u:hunter2@h/d"), Secret("jwt", "1", "hunter2"), required=("DATABASE_URL", "JWT_SECRET"))
    assert [each.split(" ", 3)[:3] for each in violations] == [["secrets:", "jwt", "(JWT_SECRET)"], ["secrets:", "db", "(DATABASE_URL)"]]
    assert "hunter2" not in str(violations)
    assert found({}, Secret("jwt-secret", "1", "short"))[0].startswith("secrets: jwt-secret has 5 characters")


def test_what_is_required_may_come_as_a_file() -> None:
    assert found({"A": "", "B_FILE": "/elsewhere/b"}, required=("A", "B", "C")) == [
        "environment: A is required and neither it nor A_FILE has a value. Set one of them. (rule required)",
        "environment: C is required and neither it nor C_FILE has a value. Set one of them. (rule required)",
    ]


def test_rules_are_added_changed_and_switched_off_by_id() -> None:
    region = {"id": "region", "names": "REGION", "required": True, "matches": "^(fra1|ams3)$", "remedy": "must be fra1 or ams3."}
    assert found({}, rules=[region]) == ["environment: REGION must be fra1 or ams3. (rule region)"]
    assert found({"REGION": "nyc1"}, rules=[region]) == ["environment: REGION must be fra1 or ams3. (rule region)"]
    assert found({"REGION": "ams3"}, rules=[region]) == []
    assert found({"REDIS_URL": "redis://cache"}, rules=[{"id": "redis-tls", "disabled": "the cache is in the application's own network"}]) == []
    (violation,) = found({"JWT_SECRET": LONG}, rules=[{"id": "jwt-secret", "min_length": 128}])
    assert violation.startswith("environment: JWT_SECRET has 64 characters; needs at least 128")


@pytest.mark.parametrize(
    ("rule", "said"), [({"id": "mine"}, "there is no rule mine"), ({"id": "mine", "names": "(", "remedy": "x"}, "mine has a pattern that is none")]
)
def test_rules_that_say_nothing_are_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(OpsError, match=said):
        found({}, rules=[rule])


@pytest.mark.parametrize(
    ("environment", "secrets", "said"),
    [
        ({"RELEASE_ID": "1"}, (), "RELEASE_ID is set by the release itself"),
        ({"9A": "1"}, (), "not a name of a variable"),
        ({"A": "x\ny"}, (), "A holds a line break"),
        ({"A": "x\\"}, (), "A holds a line break, or a backslash"),
        ({"KEY_FILE": "/run/secrets/key"}, (), "no secret is called key"),
        ({"KEY": "x", "KEY_FILE": "/run/secrets/key"}, (Secret("key", "1", "x"),), "KEY and KEY_FILE are both set"),
        ({}, (Secret("../key", "1", "x"),), "not usable as a file name"),
        ({}, (Secret("key", "1", ""),), "key is empty"),
        ({}, (Secret("key", "", "x"),), "key has no version"),
        ({}, (Secret("key", "1", "x"), Secret("key", "2", "y")), "key is listed twice"),
    ],
)
def test_what_cannot_be_passed_on_is_refused(environment: dict[str, str], secrets: tuple[Secret, ...], said: str) -> None:
    (violation,) = found(environment, *secrets)
    assert said in violation


def test_all_violations_come_at_once_and_good_settings_pass() -> None:
    assert len(found({"CORS_ORIGIN": "*", "JWT_SECRET": "x", "SWAGGER": "on", "RATE_LIMIT": "0"}, required=("A", "B"))) == 6
    told = {"JWT_SECRET": LONG, "CORS_ORIGIN": "https://a.example", "KEY_FILE": "/run/secrets/key", "TEXT": "it's $5 # \\n \\\\x", "TOKEN_TTL": "12345"}
    assert found(told, Secret("key", "1", "x"), required=("KEY", "JWT_SECRET")) == []
