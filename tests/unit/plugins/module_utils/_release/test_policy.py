# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a release as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._release import policy
from ansible_collections.groundcrew.ops.plugins.module_utils._release.model import ComposeFile, Migration, Occupant, Release, Secret, Service, Slot, State

SLOTS = {"a": Slot("a", 20000), "b": Slot("b", 20010)}
API = Service("api", "web", "r/shop:1", 3000)
WORKER = Service("worker", "worker", "r/shop:1", stop_grace=30, job_timeout=20)
TEXT = "services:\n  api:\n    image: x\n  worker:\n    image: x\n"


def file(text: str = TEXT, name: str = "compose.yml") -> ComposeFile:
    return ComposeFile(name, text, yaml.safe_load(text))


def found(text: str = TEXT, **changes: Any) -> list[str]:
    given: dict[str, Any] = {"services": [API, WORKER], "environment": {}, "secrets": [], "required": [], "slots": SLOTS}
    return policy.violations([file(text)], **{**given, **changes})


def release(**changes: Any) -> Release:
    given: dict[str, Any] = {
        "version": "1.0.0",
        "images": {"api": "r/shop@sha256:1"},
        "files": [file()],
        "environment": {"A": "b"},
        "secrets": [Secret("key", "1", "value")],
        "services": [API, WORKER],
        "migration": None,
    }
    return policy.make_release(**{**given, **changes})


def test_equal_releases_have_equal_ids() -> None:
    assert release().id == release().id
    assert release().id.startswith("1.0.0-") and len(release().id) == len("1.0.0-") + 10


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.0.1"},
        {"images": {"api": "r/shop@sha256:2"}},
        {"files": [file(TEXT + "# a comment\n")]},
        {"environment": {"A": "c"}},
        {"secrets": [Secret("key", "2", "value")]},
        {"services": [API, replace(WORKER, stop_grace=31)]},
        {"migration": Migration("api", ("migrate",))},
    ],
)
def test_everything_that_decides_what_runs_is_in_the_id(changes: dict[str, Any]) -> None:
    assert release(**changes).id != release().id


@pytest.mark.parametrize("changes", [{"services": [replace(API, replicas=3), WORKER]}, {"secrets": [Secret("key", "1", "other")]}, {"concealed": ["A"]}])
def test_how_much_runs_and_a_secrets_text_are_not(changes: dict[str, Any]) -> None:
    assert release(**changes).id == release().id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n  api:\n    container_name: one\n  worker: {}\n", "compose.yml:3: services.api.container_name"),
        ("services:\n  api:\n    image: x\n    ports:\n      - '80:3000'\n  worker: {}\n", "compose.yml:4: services.api.ports"),
        ("services:\n  api:\n    ports: [{target: 3000, published: 80}]\n  worker: {}\n", "compose.yml:3: services.api.ports"),
        ("services:\n  api: {}\n  worker:\n    network_mode: host\n", "compose.yml:4: services.worker.network_mode"),
        ("services:\n  api:\n    depends_on: [db]\n  worker: {}\n  db: {}\n", "compose.yml:3: services.api.depends_on: db"),
        ("services:\n  api:\n    volumes: ['data:/data']\n  worker: {}\nvolumes: {data: {}}\n", "compose.yml:3: services.api.volumes: volume data"),
        ("services: {api: {container_name: one}, worker: {}}\n", "compose.yml: services.api.container_name"),
        ("services:\n  api: {}\n", "compose.yml: services.worker is not defined; defined are api"),
    ],
)
def test_what_two_slots_cannot_share_is_refused_with_its_place(text: str, said: str) -> None:
    (violation,) = found(text)
    assert violation.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  api:\n    ports: ['3000']\n  worker:\n    depends_on: {api: {condition: service_healthy}}\n",
        "services:\n  api:\n    volumes: ['./conf:/conf', 'data:/data', {type: bind, source: /x}]\n  worker: {}\nvolumes: {data: {external: true}}\n",
    ],
)
def test_what_two_slots_can_share_is_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"services": [WORKER]}, "0 web services"),
        ({"services": [replace(API, port=None), WORKER]}, "needs port"),
        ({"services": [replace(API, replicas=11), WORKER]}, "do not fit"),
        ({"services": [replace(API, replicas=0), WORKER]}, "at least one must run"),
        ({"services": [API, WORKER, WORKER]}, "worker is listed twice"),
        ({"services": [API, replace(WORKER, job_timeout=31)]}, "a stop would kill jobs. Set stop_grace to 31"),
        ({"migration": Migration("db", ("x",))}, "service db is not one of the services"),
        ({"required": ["DATABASE_URL"]}, "DATABASE_URL is required"),
        ({"environment": {"CORS_ORIGIN": "https://a.example, *"}}, "CORS_ORIGIN is *"),
        ({"environment": {"JWT_SECRET": "x" * 63}}, "JWT_SECRET has 63 characters"),
        ({"environment": {"RELEASE_ID": "1"}}, "RELEASE_ID is set by the release itself"),
        ({"environment": {"9A": "1"}}, "not a name of a variable"),
        ({"environment": {"A": "x\ny"}}, "A holds a line break"),
        ({"environment": {"A": "x\\"}}, "A holds a line break, or a backslash"),
        ({"environment": {"KEY_FILE": "/run/secrets/key"}}, "no secret is called key"),
        ({"secrets": [Secret("jwt-secret", "1", "x" * 10)]}, "jwt-secret has 10 characters"),
        ({"secrets": [Secret("../key", "1", "x")]}, "not usable as a file name"),
        ({"secrets": [Secret("key", "1", "")]}, "key is empty"),
        ({"secrets": [Secret("key", "", "x")]}, "key has no version"),
    ],
)
def test_settings_that_forbid_a_release(changes: dict[str, Any], said: str) -> None:
    violations = found(**changes)
    assert any(said in violation for violation in violations), violations


def test_good_settings_are_accepted() -> None:
    environment = {"JWT_SECRET": "x" * 64, "CORS_ORIGIN": "https://a.example", "KEY_FILE": "/run/secrets/key", "TEXT": "it's $5 # \\n \\\\x"}
    assert found(environment=environment, secrets=[Secret("key", "1", "x")], required=["KEY", "JWT_SECRET"]) == []


def test_all_violations_come_at_once() -> None:
    assert len(found("services: {}\n", environment={"CORS_ORIGIN": "*"}, required=["A", "B"])) == 5


def test_the_slots_take_turns() -> None:
    assert policy.next_slot(None) == "a"
    assert policy.next_slot(Occupant("a", "r", "api", {"api": 1})) == "b"
    assert policy.next_slot(Occupant("b", "r", "api", {"api": 1})) == "a"


@pytest.mark.parametrize(
    ("committed", "active", "target", "origin", "after"),
    [
        ((), None, "A", None, ("A",)),
        (("A",), "A", "B", None, ("A", "B")),
        (("A", "B"), "B", "A", None, ("A", "B")),  # rolled back: the next rollback does not go forward to B
        (("A", "B"), "A", "C", None, ("B", "A", "C")),  # released after a rollback: the one before C is A, not B
        (("A", "B"), "B", "A2", "A", ("A2", "B")),  # A with newer secrets
    ],
)
def test_the_history(committed: tuple[str, ...], active: str | None, target: str, origin: str | None, after: tuple[str, ...]) -> None:
    assert policy.commit(committed, active, target, origin) == after


def active(release_id: str, *committed: str) -> State:
    return State(active=Occupant("a", release_id, "api", {"api": 1}), committed=committed)


def test_the_rollbacks_target() -> None:
    assert policy.rollback_target(active("C", "A", "B", "C"), None) == "B"
    assert policy.rollback_target(active("C", "A", "B", "C"), "A") == "A"
    for state, wanted, said in [
        (active("A", "A", "B"), None, "no committed release before A"),
        (active("A", "A"), "X", "never committed"),
        (State(), None, "Deploy first"),
    ]:
        with pytest.raises(OpsError, match=said):
            policy.rollback_target(state, wanted)


def test_what_serves_and_the_one_before_are_always_kept() -> None:
    assert policy.kept(active("B", "A", "B", "C", "D"), 1) == ("A", "B", "D")
    assert policy.kept(active("D", "A", "B", "C", "D"), 3) == ("B", "C", "D")


def test_a_description_shows_no_secret() -> None:
    environment = {"LOG": "info", "DB": "postgres://u:hunter2@h/d", "API_TOKEN": "hunter2", "HIDDEN": "hunter2", "KEY_FILE": "/run/secrets/key"}
    shown = policy.describe(release(environment=environment, concealed=["HIDDEN"]))
    assert "hunter2" not in str(shown) and "value" not in str(shown)
    assert shown is not None and (shown["environment"]["LOG"], shown["environment"]["KEY_FILE"], shown["secrets"]) == ("info", "/run/secrets/key", ["key@1"])
    assert policy.fingerprint("a") != policy.fingerprint("b")
